import { Anthropic, CallParameters, type ChatRequest, OpenAi, Protocol } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schema, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import { expectTypeOf } from "vitest"
import * as FakeTransport from "./support/fakeTransport.ts"
import { config, handlers, over, toolkit, whole } from "./support/openAiModel.ts"
import { done, finishes, says } from "./support/openAiWire.ts"

const prompt = "Why?"
const streamed = FakeTransport.events(says({ content: "Because." }) + finishes("stop") + done)
const layer = { parameters: { maxOutputTokens: 500, temperature: 1 } }

/** What the calls of a program ask of the provider. */
const sent = (
  program: Effect.Effect<unknown, unknown, LanguageModel.LanguageModel>,
  ...replies: ReadonlyArray<FakeTransport.Reply>
) => {
  const fake = FakeTransport.make(...replies)
  return Effect.map(
    Effect.provide(program, over(fake, layer)),
    () => fake.requests.map((_, index) => fake.body(index))
  )
}

describe("parameters of a call", () => {
  it("have the fields of a request's parameters", () => {
    expectTypeOf<Parameters<typeof CallParameters.provide>[1]>().toEqualTypeOf<ChatRequest.Parameters>()
    // @ts-expect-error: an unknown parameter
    assert.throws(() => CallParameters.provide({ temprature: 1 }), RangeError, "temprature")
  })

  it.effect("replace those of the layer, field by field, in every kind of call", () =>
    Effect.gen(function*() {
      const calls = {
        text: LanguageModel.generateText({ prompt }),
        toolkit: LanguageModel.generateText({ prompt, toolkit }),
        object: LanguageModel.generateObject({ prompt, schema: Schema.Struct({ why: Schema.String }) }),
        stream: Stream.runDrain(LanguageModel.streamText({ prompt })),
        toolkitStream: Stream.runDrain(LanguageModel.streamText({ prompt, toolkit }))
      }
      for (const [name, call] of Object.entries(calls)) {
        const reply = name.toLowerCase().includes("stream") ? streamed : whole({ content: "{\"why\":\"because\"}" })
        const [first, second] = yield* sent(
          Effect.gen(function*() {
            yield* CallParameters.provide(call, { temperature: 0, seed: 7, stop: ["x"], reasoning: { effort: "low" } })
            yield* call
          }).pipe(Effect.provide(handlers)),
          reply,
          reply
        )
        const { max_completion_tokens, reasoning_effort, seed, stop, temperature } = first
        assert.deepStrictEqual(
          { max_completion_tokens, reasoning_effort, seed, stop, temperature },
          { max_completion_tokens: 500, reasoning_effort: "low", seed: 7, stop: ["x"], temperature: 0 },
          name
        )
        assert.deepStrictEqual([second.temperature, second.seed], [1, undefined], name)
      }
    }))

  it.effect("apply to a stream that is read later", () =>
    Effect.gen(function*() {
      const stream = LanguageModel.streamText({ prompt }).pipe(CallParameters.provideStream({ seed: 7 }))
      const [body] = yield* sent(Stream.runDrain(stream), streamed)
      assert.deepStrictEqual([body.seed, body.temperature], [7, 1])
    }))

  it.effect("of an inner call replace those further out, and undefined removes the layer's value", () =>
    Effect.gen(function*() {
      const call = LanguageModel.generateText({ prompt })
      const [body] = yield* sent(
        call.pipe(
          CallParameters.provide({
            temperature: undefined,
            topP: 0.5,
            extras: { "openai-chat": { inner: 1, both: 2 } }
          }),
          CallParameters.provide({ topP: 1, seed: 3, extras: { "openai-chat": { outer: 1, both: 1 } } })
        ),
        whole({ content: "Because." })
      )
      const { both, inner, outer, seed, temperature, top_p } = body
      assert.deepStrictEqual({ both, inner, outer, seed, temperature, top_p }, {
        both: 2,
        inner: 1,
        outer: 1,
        seed: 3,
        temperature: undefined,
        top_p: 0.5
      })
    }))

  it("that cannot work are rejected where they are given, and where a target gets them", () => {
    const wrong: ReadonlyArray<readonly [field: string, parameters: ChatRequest.Parameters]> = [
      ["maxOutputTokens", { maxOutputTokens: 0 }],
      ["maxOutputTokens", { maxOutputTokens: 1.5 }],
      ["temperature", { temperature: -0.1 }],
      ["temperature", { temperature: Number.NaN }],
      ["topP", { topP: 1.1 }],
      ["topK", { topK: 0.5 }],
      ["presencePenalty", { presencePenalty: 3 }],
      ["frequencyPenalty", { frequencyPenalty: -3 }],
      ["seed", { seed: 0.5 }],
      ["choices", { choices: 0 }],
      ["stop", { stop: [""] }],
      ["user", { user: " " }],
      ["reasoning.effort", { reasoning: { effort: "" } }],
      ["reasoning.budgetTokens", { reasoning: { budgetTokens: -1 } }],
      ["extras", { extras: { "openai-chat": "secret" as never } }]
    ]
    for (const [field, parameters] of wrong) {
      assert.throws(() => CallParameters.provide(parameters), RangeError, `parameters.${field}`)
      assert.throws(() => CallParameters.provide(Effect.void, parameters), RangeError, `parameters.${field}`)
      assert.throws(() => CallParameters.provideStream(parameters), RangeError, `parameters.${field}`)
      assert.throws(() => OpenAi.target("gpt-5", { parameters }), RangeError, `parameters.${field}`)
    }
  })

  it("of embeddings are checked too", () => {
    for (const parameters of [{ dimensions: 0 }, { user: "" }]) {
      assert.throws(() => OpenAi.embeddingTarget("m", { parameters }), RangeError, "parameters.")
    }
    const unknown: object = { parameters: { dimension: 3 } }
    assert.throws(() => OpenAi.embeddingTarget("m", unknown), RangeError, "`dimension` is none of them")
  })

  it.effect("that the protocol of a layer cannot express fail the layer, before any call", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make()
      const layer = Anthropic.layer({ model: "claude-sonnet-5-5", parameters: { seed: 7 } }).pipe(
        Layer.provide([fake.layer, config({ ANTHROPIC_API_KEY: "sk-ant" })])
      )
      assert.instanceOf(yield* Effect.flip(Effect.scoped(Layer.build(layer))), Protocol.Unsupported)
    }))
})
