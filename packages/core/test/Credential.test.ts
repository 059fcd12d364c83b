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

describe("Credential.redacted", () => {
  it.effect("gives the secret out, without the white space around it", () =>
    Effect.gen(function*() {
      for (const text of [secret, ` ${secret}`, `${secret}\n`, `\t${secret}\r\n`]) {
        assert.strictEqual(
          Redacted.value(yield* Effect.flatMap(Credential.redacted("own", Redacted.make(text)).open, leaseOf)),
          secret
        )
      }
    }))

  it.effect("gives out the very secret of the application, and none once that is wiped", () =>
    Effect.gen(function*() {
      for (const text of [secret, `${secret}\n`]) {
        const own = Redacted.make(text)
        const source = yield* Credential.redacted("own", own).open
        if (text === secret) assert.strictEqual(yield* leaseOf(source), own)
        Redacted.wipeUnsafe(own)
        assert.deepInclude(yield* Effect.flip(leaseOf(source)), { _tag: "CredentialUnavailable", credential: "own" })
      }
    }))

  const flawed: ReadonlyArray<readonly [what: string, text: unknown, says: string]> = [
    ["blank", "", "blank"],
    ["blank", " \n", "blank"],
    ["missing", undefined, "missing"],
    ["with a line break", "sk-a\nb", "line break"],
    ["with a control character", "sk-a\0b", "control character"],
    ["with an ellipsis", "sk-ab\u2026c", "beyond Latin-1"],
    ["with an invisible space", "sk-ab\u200bc", "beyond Latin-1"]
  ]
  for (const [what, text, says] of flawed) {
    it.effect(`fails where it is opened when the secret is ${what}, and says so without the secret`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(Credential.redacted("own", Redacted.make(text as string)).open)
        assert.deepInclude(error, { _tag: "CredentialUnavailable", credential: "own" })
        assert.include(error.message, says)
        assert.notInclude(printed(error) + error.message, "sk-a")
      }))
  }

  it("rejects a secret that is not redacted, and does not show it", () => {
    assert.throws(
      () => Credential.redacted("own", secret as unknown as Redacted.Redacted<string>),
      RangeError,
      "`secret` must be made by `Redacted.make`, not <redacted>"
    )
  })

  it.effect("from the configuration fails as well where no header can carry it", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(key.open)
      assert.include(error.message, "API_KEY has a character beyond Latin-1")
    }).pipe(environment({ API_KEY: "sk-ab\u2026c" }), isolated))
})

describe("Credential.configOrNone", () => {
  const optional = Effect.flatMap(Credential.configOrNone("API_KEY").open, leaseOf)

  it.effect("gives out the secret that is configured", () =>
    Effect.gen(function*() {
      assert.strictEqual(Redacted.value(yield* optional), secret)
      assert.deepStrictEqual(yield* SessionRegistry.counts, { credential: 1 })
    }).pipe(environment({ API_KEY: secret }), isolated))

  it.effect("gives out an empty one where it is missing, empty or blank", () =>
    Effect.gen(function*() {
      for (const env of [{}, { API_KEY: "" }, { API_KEY: " \n" }]) {
        assert.strictEqual(Redacted.value(yield* environment(env)(optional)), "")
      }
    }).pipe(isolated))

  it.effect("fails where the one that is configured can be in no header", () =>
    Effect.gen(function*() {
      assert.include((yield* Effect.flip(optional)).message, "beyond Latin-1")
    }).pipe(environment({ API_KEY: "sk-ab\u2026c" }), isolated))
})
