/** Each error of a call, through both faces of a model: the same tag, the same fields, and no key. */
import { SessionRegistry } from "@clawback/core"
import { NodeTransport } from "@clawback/node"
import { Provider as Providers, ProviderError, Target } from "@clawback/providers"
import { Behavior, FaultyProvider } from "@clawback/testing"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Exit, Layer, Option, Scope, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import { type Failure, failures, type File, registry } from "./support/failures.ts"
import { anthropic, openAi, type Provider, unchecked } from "./support/model.ts"
import { assertKept } from "./support/secrets.ts"

const secret = "sk-proj-Zm9yZ2V0IG1l_1234567890-abcdefghij"
const question = "Why do sockets leak?"

/** The same request through each face. */
const calls = (kind: "stream" | "whole", file: File | undefined) => {
  const { data, mediaType } = file ?? { data: "", mediaType: "" }
  const asked = file === undefined ? question : [
    { role: "user" as const, content: [{ type: "file" as const, mediaType, data }] }
  ]
  const source = data instanceof URL ? { url: data.href } : { mediaType, data }
  const request: Target.Request = {
    messages: [{ role: "user", content: file === undefined ? question : [{ type: "file", source }] }]
  }
  return kind === "stream"
    ? {
      native: Stream.runDrain(Target.stream(request)),
      effect: Stream.runDrain(LanguageModel.streamText({ prompt: asked }))
    }
    : {
      native: Effect.asVoid(Target.generate(request)),
      effect: Effect.asVoid(LanguageModel.generateText({ prompt: asked }))
    }
}

const opened = Effect.acquireRelease(Scope.make(), (scope, exit) => Scope.close(scope, exit))

/** How a call fails at that origin, by a model and in a registry of its own, in which nothing is left of it. */
const failureOf = <E>(
  call: Effect.Effect<void, E, LanguageModel.LanguageModel | Target.ChatModel>,
  provider: Provider,
  server: FaultyProvider.FaultyProvider["Service"],
  origin: string,
  { key, meanwhile, ...failure }: Failure
) =>
  Effect.gen(function*() {
    const transport = yield* opened
    const model = yield* opened
    const wire = yield* Layer.buildWithScope(NodeTransport.layer(failure.transport), transport)
    const target = provider.target({
      baseUrl: `${origin}${provider.basePath}`,
      credential: key === undefined ? undefined : unchecked(key(secret)),
      timeouts: failure.timeouts
    })
    const config = ConfigProvider.layer(ConfigProvider.fromUnknown({ [Providers.apiKeyName(target.provider)]: secret }))
    const context = yield* Layer.buildWithScope(Layer.provide(Target.layer(target), config), model).pipe(
      Effect.provide(wire)
    )
    const made = Effect.provide(call, context)
    const error = yield* Effect.flip(meanwhile === undefined ? made : meanwhile(made, { server, transport, model }))
    assert.doesNotHaveAnyKeys(yield* SessionRegistry.counts, ["call", "exchange"])
    assertKept(yield* SessionRegistry.list(), secret)
    return error
  }).pipe(
    Effect.scoped,
    Effect.tap(Effect.map(SessionRegistry.counts, (counts) => assert.deepStrictEqual(counts, {}))),
    Effect.tap(Effect.orDie(server.until(({ inFlight }) => inFlight === 0))),
    Effect.provide(registry)
  )

/** What an error says, but for its cause and where it was made. */
const fieldsOf = (error: ProviderError.CallError) => {
  const { cause: _, stack: __, ...fields }: Record<string, unknown> = { ...error }
  return fields
}

const causeOf = (error: ProviderError.CallError) => "cause" in error ? String(error.cause) : undefined

const cases = Object.entries(failures).flatMap(([tag, failure]) =>
  (failure.kinds ?? ["stream", "whole"] as const).map((kind) => ({ tag, kind, failure }))
)

describe.each([openAi, anthropic])("at $name", (provider) => {
  it.live.each(cases)(
    "$tag, of $kind, is the same by both faces and keeps the key",
    ({ failure, kind, tag }) =>
      Effect.gen(function*() {
        const server = yield* FaultyProvider.make({ otherwise: failure.does?.(provider, secret) ?? Behavior.stall })
        const origin = failure.origin === undefined ? server.url : yield* failure.origin
        const { effect, native } = calls(kind, failure.file?.(provider))

        const one = yield* failureOf(native, provider, server, origin, failure)
        assert.strictEqual(one._tag, tag, one.message)
        assert.match(one.message, /\w+.*[.:] \w.*\.$/s)
        for (const [name, value] of Object.entries(failure.fields ?? {})) {
          assert.deepStrictEqual(fieldsOf(one)[name], value, name)
        }

        const other = yield* failureOf(effect, provider, server, origin, failure)
        const precise = Option.getOrThrow(ProviderError.fromAiError(other))
        assert.deepStrictEqual(fieldsOf(precise), fieldsOf(one))
        assert.strictEqual(causeOf(precise), causeOf(one))

        for (const value of [one, precise, other, Exit.fail(one), Exit.fail(other)]) assertKept(value, secret)
      })
  )
})
