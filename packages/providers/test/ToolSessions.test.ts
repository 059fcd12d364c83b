import { Caller, Session, SessionError, SessionRegistry } from "@clawback/core"
import { ProviderError } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Schema, Stream } from "effect"
import { LanguageModel, Tool, Toolkit } from "effect/ai"
import * as FakeTransport from "./support/fakeTransport.ts"
import { called, handlers, over, toolkit, whole } from "./support/openAiModel.ts"
import { done, finishes, says } from "./support/openAiWire.ts"

const prompt = "How warm?"
const question = called("call_1", "weather", "{\"city\":\"Bergen\"}")
const asked = whole({ tool_calls: [question] }, {}, "tool_calls")
const streamed = FakeTransport.events(
  says({ tool_calls: [{ index: 0, ...question, type: "function" }] }) + finishes("tool_calls") + done
)

/** Handlers that wait for a signal. */
const waiting = (started: Deferred.Deferred<void>, go: Deferred.Deferred<void>) =>
  toolkit.toLayer({
    weather: () =>
      Effect.gen(function*() {
        yield* Deferred.succeed(started, undefined)
        yield* Deferred.await(go)
        return { celsius: 7 }
      }),
    clock: () => Effect.succeed("noon")
  })

const calls = {
  "generateText": [asked, LanguageModel.generateText({ prompt, toolkit })],
  "streamText": [streamed, Stream.runDrain(LanguageModel.streamText({ prompt, toolkit }))]
} as const

for (const [name, [reply, call]] of Object.entries(calls)) {
  describe(`a tool handler of ${name}`, () => {
    it.effect("is a session of the kind tool, inside of the session that calls the model", () =>
      Effect.gen(function*() {
        const started = yield* Deferred.make<void>()
        const go = yield* Deferred.make<void>()
        yield* Effect.gen(function*() {
          const turn = yield* (call as Effect.Effect<unknown, unknown, any>).pipe(
            Session.scoped({ kind: "turn", name: "one" }),
            Caller.provide({ tenant: "acme" }),
            Effect.forkChild
          )
          yield* Deferred.await(started)
          const [around] = yield* SessionRegistry.list({ kind: "turn" })
          const [tool] = yield* SessionRegistry.list({ kind: "tool" })
          assert.deepInclude(tool, {
            kind: "tool",
            name: "weather",
            parent: around?.id,
            attributes: { toolCallId: "call_1" }
          })
          assert.strictEqual(tool?.owner.caller?.tenant, "acme")
          yield* Deferred.succeed(go, undefined)
          yield* Fiber.join(turn)
          assert.deepStrictEqual(yield* SessionRegistry.list({ kind: "tool" }), [])
        }).pipe(Effect.provide([waiting(started, go), over(FakeTransport.make(reply))]))
      }))

    it.effect("is interrupted when it is revoked, and its call fails with SessionRevoked", () =>
      Effect.gen(function*() {
        const started = yield* Deferred.make<void>()
        const go = yield* Deferred.make<void>()
        yield* Effect.gen(function*() {
          const turn = yield* (call as Effect.Effect<unknown, any, any>).pipe(
            ProviderError.precise,
            Effect.flip,
            Effect.forkChild
          )
          yield* Deferred.await(started)
          yield* SessionRegistry.revoke({ kind: "tool" }, { reason: "too expensive" })
          const error = yield* Fiber.join(turn)
          assert.instanceOf(error, SessionError.SessionRevoked)
          assert.deepInclude(error, { kind: "tool", session: "weather", reason: "too expensive" })
          assert.deepStrictEqual(yield* SessionRegistry.list({ kind: "tool" }), [])
        }).pipe(Effect.provide([waiting(started, go), over(FakeTransport.make(reply))]))
      }))
  })
}

describe("a tool handler", () => {
  it.effect("keeps its own results and errors", () => {
    const failing = Toolkit.make(Tool.make("fail", { failure: Schema.Struct({ _tag: Schema.Literal("No") }) }))
    const call = whole({ tool_calls: [called("call_2", "fail", "{}")] }, {}, "tool_calls")
    return Effect.gen(function*() {
      const { toolResults } = yield* LanguageModel.generateText({ prompt, toolkit })
      assert.deepStrictEqual(toolResults.map(({ name, result }) => [name, result]), [["weather", { celsius: 6 }]])
      const error = yield* Effect.flip(LanguageModel.generateText({ prompt, toolkit: failing }))
      assert.deepStrictEqual<unknown>(error, { _tag: "No" })
    }).pipe(Effect.provide([
      handlers,
      failing.toLayer({ fail: () => Effect.fail({ _tag: "No" as const }) }),
      over(FakeTransport.make(asked, call))
    ]))
  })
})
