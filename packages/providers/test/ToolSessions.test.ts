import { Caller, Session, SessionError, SessionRegistry } from "@clawback/core"
import { ProviderError } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, type Layer, Option, Schema, Stream, Tracer } from "effect"
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

const quiet = Tool.make("quiet", {
  failure: Schema.Struct({ _tag: Schema.Literal("No") }),
  failureMode: "return",
  success: Schema.String
})

/** The spans of the tools that an effect calls, each with its parent's name, its attributes and how it ended. */
const spansOf = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const spans: Array<Tracer.NativeSpan> = []
    const exit = yield* Effect.exit(Effect.withTracer(
      self,
      Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
    ))
    const tools = spans.filter(({ name }) => name.startsWith("execute_tool"))
    for (const { attributes, name, status } of spans) {
      assert.strictEqual(status._tag, "Ended", name)
      assert.notInclude(JSON.stringify([...attributes]), "Bergen", `${name} has what the model asked`)
    }
    return {
      exit,
      spans: tools.map(({ attributes, kind, name, parent, status }) => ({
        name,
        kind,
        parent: Option.getOrUndefined(Option.map(parent, (parent) => parent._tag === "Span" ? parent.name : "")),
        attributes: Object.fromEntries(attributes),
        isSuccess: status._tag === "Ended" && status.exit._tag === "Success"
      })),
      children: spans.filter(({ parent }) =>
        tools.some(({ spanId }) => Option.getOrUndefined(parent)?.spanId === spanId)
      )
    }
  })

const attributesOf = (name: string) => ({
  "gen_ai.operation.name": "execute_tool",
  "gen_ai.tool.name": name,
  "gen_ai.tool.call.id": "call_1",
  "gen_ai.tool.type": "function"
})

describe("the span of a tool handler", () => {
  for (const [name, [reply, call]] of Object.entries(calls)) {
    it.effect(`is named after the tool, and is the parent of what the handler does: ${name}`, () =>
      Effect.gen(function*() {
        const { children, spans } = yield* spansOf(
          Effect.withSpan(call as Effect.Effect<unknown, unknown, any>, "turn")
        )
        assert.deepStrictEqual(spans, [{
          name: "execute_tool weather",
          kind: "internal",
          // Effect makes no span of a stream the current one.
          parent: name === "generateText" ? "LanguageModel.generateText" : "turn",
          attributes: attributesOf("weather"),
          isSuccess: true
        }])
        assert.deepStrictEqual(children.map(({ name }) => name), ["database"])
      }).pipe(Effect.provide([
        toolkit.toLayer({
          weather: () => Effect.withSpan(Effect.succeed({ celsius: 7 }), "database"),
          clock: () => Effect.succeed("noon")
        }),
        over(FakeTransport.make(reply))
      ])))
  }

  it.effect.each<[string, Tool.Any]>([
    ["fails the call", Tool.make("fail", { failure: Schema.Struct({ _tag: Schema.Literal("No") }) })],
    ["is a result for the model", quiet]
  ])("has the tag of a failure that %s, and nothing else of it", ([, tool]) => {
    const failing: Toolkit.Toolkit<any> = Toolkit.make(tool)
    const { name } = tool
    const reply = whole({ tool_calls: [called("call_1", name, "{}")] }, {}, "tool_calls")
    return Effect.gen(function*() {
      const { spans } = yield* spansOf(LanguageModel.generateText({ prompt, toolkit: failing }))
      assert.deepStrictEqual(spans.map(({ attributes, isSuccess }) => ({ attributes, isSuccess })), [{
        attributes: { ...attributesOf(name), "error.type": "No" },
        isSuccess: false
      }])
    }).pipe(Effect.provide([
      failing.toLayer({ [name]: () => Effect.fail({ _tag: "No" as const }) } as any) as Layer.Layer<any>,
      over(FakeTransport.make(reply))
    ]))
  })

  it.effect("has the error of a session that was revoked", () =>
    Effect.gen(function*() {
      const started = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      yield* Effect.gen(function*() {
        const turn = yield* Effect.forkChild(spansOf(LanguageModel.generateText({ prompt, toolkit })))
        yield* Deferred.await(started)
        yield* SessionRegistry.revoke({ kind: "tool" }, { reason: "too expensive" })
        const { spans } = yield* Fiber.join(turn)
        assert.deepStrictEqual(spans.map(({ attributes }) => attributes["error.type"]), ["SessionRevoked"])
      }).pipe(Effect.provide([waiting(started, go), over(FakeTransport.make(asked))]))
    }))
})

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
