import { Caller } from "@clawback/core"
import { Target } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream, Tracer } from "effect"
import { LanguageModel } from "effect/ai"
import * as FakeTransport from "./support/fakeTransport.ts"
import { over, whole } from "./support/openAiModel.ts"
import { done, finishes, says } from "./support/openAiWire.ts"

/** The spans of calls, by a program that makes one. */
const callSpans = (call: Effect.Effect<unknown, unknown, LanguageModel.LanguageModel | Target.ChatModel>) =>
  Effect.gen(function*() {
    const spans: Array<Tracer.NativeSpan> = []
    const tracer = Tracer.make({
      span: (options) => {
        const span = new Tracer.NativeSpan(options)
        spans.push(span)
        return span
      }
    })
    const streamed = FakeTransport.events(says({ content: "Because." }) + finishes("stop") + done)
    const fake = FakeTransport.make(call === stream ? streamed : whole({ content: "Because." }))
    yield* call.pipe(Effect.provide(over(fake)), Effect.provideService(Tracer.Tracer, tracer))
    return spans.filter(({ name }) => name === "chat gpt-5").map(({ attributes }) => Object.fromEntries(attributes))
  })

const messages = [{ role: "user", content: "Why?" }] as const
const stream = Stream.runDrain(LanguageModel.streamText({ prompt: "Why?" }))
const calls = [LanguageModel.generateText({ prompt: "Why?" }), Target.generate({ messages }), stream]

const ofCaller = (all: object = {}) => Object.keys(all).filter((name) => /caller|enduser|conversation/.test(name))

describe("the span of a call", () => {
  it.effect("has the tenant, subject, conversation and tags of its caller", () =>
    Effect.gen(function*() {
      const caller = { tenant: "acme", subject: "user 7", conversation: "42", tags: { request: "r-1" } }
      for (const call of calls) {
        const [attributes] = yield* Caller.provide(callSpans(call), caller)
        assert.deepInclude(attributes, {
          "clawback.caller.tenant": "acme",
          "enduser.id": "user 7",
          "gen_ai.conversation.id": "42",
          "clawback.caller.tag.request": "r-1"
        })
      }
    }))

  it.effect("has none of them without a caller, and only those that are set", () =>
    Effect.gen(function*() {
      for (const call of calls) {
        assert.deepStrictEqual(ofCaller((yield* callSpans(call))[0]), [])
        const [attributes] = yield* Caller.provide(callSpans(call), { tenant: "acme" })
        assert.deepStrictEqual(ofCaller(attributes), ["clawback.caller.tenant"])
      }
    }))
})
