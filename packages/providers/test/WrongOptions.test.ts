/** Options that cannot work are named where they are given, or where they are first seen. */
import { Caller, Credential, Retry, Session, type Transport } from "@clawback/core"
import { Anthropic, OpenAi, OpenAiChat, Protocol, Provider } from "@clawback/providers"
import * as AzureOpenAi from "@clawback/providers/AzureOpenAi"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Redacted } from "effect"
import * as FakeTransport from "./support/fakeTransport.ts"

const credential = Credential.redacted("test", Redacted.make("sk-nobody"))

const failure = <A, E>(layer: Layer.Layer<A, E, Transport.Transport>) =>
  Effect.flip(Effect.scoped(Layer.build(Layer.provide(layer, FakeTransport.make().layer))))

describe("an option that cannot work", () => {
  it.effect.each(["/openai", "/openai/v1", "/openai/v1/"])(
    "is a base URL of Azure that ends with %s",
    (path) =>
      Effect.gen(function*() {
        const baseUrl = `https://mine.openai.azure.com${path}`
        const error = yield* failure(AzureOpenAi.layer({ model: "m", credential, baseUrl }))
        assert.strictEqual(error._tag, "InvalidUrl")
        assert.include(error.message, "it must not end with /openai")
      })
  )

  it("is an extra that each request would ignore", () => {
    for (const field of ["model", "messages", "stream"]) {
      const parameters = { extras: { "openai-chat": { [field]: "x" } } }
      assert.throws(() => OpenAi.target("m", { parameters }), RangeError, `must not have \`${field}\``)
    }
    const parameters = { extras: { "openai-embeddings": { input: ["x"] } } }
    assert.throws(() => OpenAi.embeddingTarget("m", { parameters }), RangeError, "must not have `input`")
  })

  it("is an extra under a name that no protocol has", () => {
    const parameters = { extras: { openai: { verbosity: "low" } } }
    assert.throws(() => OpenAi.target("m", { parameters }), RangeError, "openai-chat")
    assert.throws(() => OpenAi.embeddingTarget("m", { parameters }), RangeError, "openai-embeddings")
    const others = { extras: { "openai-chat": { verbosity: "low" } } }
    assert.doesNotThrow(() => Anthropic.target("m", { parameters: others }))
    const protocol = { ...OpenAiChat.protocol, name: "mine" }
    const own = Provider.make({ name: "own", chat: protocol, baseUrl: "https://own.test", sources: {} })
    assert.doesNotThrow(() => own.target("m", { parameters: { extras: { mine: { a: 1 } } } }))
  })

  it.effect("is a budget of thinking that leaves no output", () =>
    Effect.gen(function*() {
      const parameters = { maxOutputTokens: 100, reasoning: { budgetTokens: 5000 } }
      const error = yield* failure(Anthropic.layer({ model: "m", credential, parameters }))
      assert.instanceOf(error, Protocol.Unsupported)
      assert.include(error.message, "budgetTokens")
    }))

  it("is a retry that is no policy", () => {
    const retry: object = { times: 3 }
    assert.throws(() => OpenAi.target("m", { retry: retry as never }), RangeError, "Retry.jittered")
    assert.doesNotThrow(() => OpenAi.target("m", { retry: Retry.jittered() }))
  })

  it("is a row without a protocol", () => {
    assert.throws(() => Provider.make({ name: "none", sources: {} }), RangeError, "must have a protocol")
  })

  it.effect("is a caller that is no object", () =>
    Effect.gen(function*() {
      for (const caller of ["acme", null, 7]) {
        const work = Session.scoped(Effect.void, { kind: "work", name: "w" })
        const exit = yield* Effect.exit(Effect.suspend(() => Caller.provide(work, caller as never)))
        assert.isTrue(Exit.isFailure(exit))
        assert.include(String(exit), "The option `caller` must be an object")
      }
    }))
})
