import * as Credential from "@clawback/core/Credential"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Effect, Exit, Redacted, Scope } from "effect"
import { inspect } from "node:util"

const secret = "sk-a-very-secret-one"
const environment = (env: Record<string, string>) =>
  Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromEnv({ env }))
const isolated = Effect.provide(SessionRegistry.layer())
const key = Credential.config("API_KEY")
const leaseOf = (source: Credential.Source) => Effect.flatMap(source.identity, ({ lease }) => lease)
const lease = Effect.flatMap(key.open, leaseOf)

const printed = (value: unknown) =>
  [String(value), JSON.stringify(value), inspect(value, { depth: 20, showHidden: true })].join("\n")

describe("Credential.config", () => {
  it.effect("gives the secret out, without the white space around it", () =>
    Effect.gen(function*() {
      assert.strictEqual(Redacted.value(yield* lease), secret)
    }).pipe(environment({ API_KEY: ` ${secret}\n` }), isolated))

  it.effect("fails where it is opened when the secret is missing, empty or blank", () =>
    Effect.gen(function*() {
      for (const env of [{}, { API_KEY: "" }, { API_KEY: " \n" }]) {
        const error = yield* Effect.flip(environment(env)(key.open))
        assert.deepInclude(error, { _tag: "CredentialUnavailable", credential: "API_KEY" })
      }
      assert.deepStrictEqual(yield* SessionRegistry.counts, {})
    }).pipe(isolated))

  it.effect("is a session for as long as the layer is open, and wiped after", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const held = yield* Scope.provide(lease, scope)
      assert.deepStrictEqual(yield* SessionRegistry.counts, { credential: 1 })
      assert.strictEqual(Redacted.value(held), secret)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* SessionRegistry.counts, {})
      assert.isTrue(Exit.hasDies(yield* Effect.exit(Effect.sync(() => Redacted.value(held)))))
    }).pipe(environment({ API_KEY: secret }), isolated))

  it.effect("is never printed: by the lease, its source, its session or a cause that carries it", () =>
    Effect.gen(function*() {
      const source = yield* key.open
      const held = yield* leaseOf(source)
      const everything = [key, source, held, yield* SessionRegistry.list(), { deep: { headers: { key: held } } }]
      const all = everything.map(printed).join("\n") + Cause.pretty(Cause.fail(held)) + printed(Cause.die(held))
      assert.notInclude(all, secret)
      assert.include(printed(held), "API_KEY")
    }).pipe(environment({ API_KEY: secret }), isolated))

  it.effect("an unavailable one is named, and its error prints no secret", () =>
    Effect.sync(() => {
      const error = new Credential.CredentialUnavailable({ credential: "API_KEY", cause: Redacted.make(secret) })
      assert.strictEqual(error.credential, "API_KEY")
      assert.notInclude(printed(error) + error.message, secret)
    }))
})
