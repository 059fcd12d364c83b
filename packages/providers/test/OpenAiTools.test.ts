import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { LanguageModel, Tool, Toolkit } from "effect/ai"
import * as FakeTransport from "./support/fakeTransport.ts"
import { called, over, reasonOf, whole } from "./support/openAiModel.ts"
import { done, finishes, says } from "./support/openAiWire.ts"

const parameters = Schema.Struct({
  city: Schema.String,
  days: Schema.optional(Schema.Finite),
  hour: Schema.optionalKey(Schema.FiniteFromString),
  area: Schema.optional(
    Schema.Struct({ zip: Schema.optional(Schema.String), radius: Schema.optionalKey(Schema.Finite) })
  )
})
type Parameters = typeof parameters.Type

const plain = Tool.make("forecast", { parameters, success: Schema.String })
const tools = { unset: plain, true: plain.annotate(Tool.Strict, true), false: plain.annotate(Tool.Strict, false) }
type Strict = keyof typeof tools

const inOnePiece = (text: string) => whole({ tool_calls: [called("call_a", "forecast", text)] }, {}, "tool_calls")
const streamed = (text: string) =>
  FakeTransport.events(
    says({ tool_calls: [{ index: 0, id: "call_a", function: { name: "forecast", arguments: text } }] }),
    finishes("tool_calls") + done
  )

/** What the tool's handler gets when the model writes this, in one piece and streamed. */
const handled = Effect.fnUntraced(function*(strict: Strict, written: object) {
  const toolkit = Toolkit.make(tools[strict])
  const got: Array<Parameters> = []
  const handlers = toolkit.toLayer({
    forecast: (params) => Effect.sync(() => (got.push(params), "Rain"))
  })
  const text = JSON.stringify(written)
  yield* LanguageModel.generateText({ prompt: "Why?", toolkit }).pipe(
    Effect.provide([over(FakeTransport.make(inOnePiece(text))), handlers])
  )
  yield* Stream.runDrain(LanguageModel.streamText({ prompt: "Why?", toolkit })).pipe(
    Effect.provide([over(FakeTransport.make(streamed(text))), handlers])
  )
  assert.lengthOf(got, 2)
  assert.deepStrictEqual(got[0], got[1])
  // Effect tells an absent field from an undefined one; a handler need not.
  return JSON.parse(JSON.stringify(got[0]))
})

const stricts: ReadonlyArray<Strict> = ["unset", "true", "false"]

describe("the parameters of a tool call reach the tool in the form of its own schema", () => {
  it.effect.each(stricts)("if optional ones are null, strict %s", (strict) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* handled(strict, { city: "Rome", days: null, hour: null, area: null }),
        { city: "Rome" }
      )
      assert.deepStrictEqual(
        yield* handled(strict, { city: "Rome", area: { zip: null, radius: null } }),
        { city: "Rome", area: {} }
      )
    }))

  it.effect.each(stricts)("if optional ones are left out, strict %s", (strict) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* handled(strict, { city: "Rome" }), { city: "Rome" })
      assert.deepStrictEqual(yield* handled(strict, { city: "Rome", area: {} }), { city: "Rome", area: {} })
    }))

  it.effect.each(stricts)("if optional ones are present, strict %s", (strict) =>
    Effect.gen(function*() {
      const given = { city: "Rome", days: 2, area: { zip: "00100", radius: 3 } }
      assert.deepStrictEqual(yield* handled(strict, { ...given, hour: "7" }), { ...given, hour: 7 })
    }))

  // Groq writes `null` where a model gives no parameters.
  it.effect("if there are none, and the model writes null", () =>
    Effect.gen(function*() {
      const nothing = Toolkit.make(Tool.make("forecast", { success: Schema.String }))
      let calls = 0
      const handlers = nothing.toLayer({ forecast: () => Effect.sync(() => (calls++, "Rain")) })
      yield* LanguageModel.generateText({ prompt: "Why?", toolkit: nothing }).pipe(
        Effect.provide([over(FakeTransport.make(inOnePiece("null"))), handlers])
      )
      yield* Stream.runDrain(LanguageModel.streamText({ prompt: "Why?", toolkit: nothing })).pipe(
        Effect.provide([over(FakeTransport.make(streamed("null"))), handlers])
      )
      assert.strictEqual(calls, 2)
    }))

  it.effect.each<readonly [boolean, object]>([
    [false, { span: [1, 2], labels: { a: "b" } }],
    // Strict schemas know neither tuples nor records, so they are sent as these.
    [true, { span: { 0: 1, 1: 2 }, labels: [{ 0: "a", 1: "b" }] }]
  ])("if they have the form of the schema that was sent, strict %s", ([strict, written]) =>
    Effect.gen(function*() {
      const shaped = Tool.make("forecast", {
        parameters: Schema.Struct({
          span: Schema.Tuple([Schema.Finite, Schema.Finite]),
          labels: Schema.Record(Schema.String, Schema.String)
        }),
        success: Schema.String
      }).annotate(Tool.Strict, strict)
      const toolkit = Toolkit.make(shaped)
      const got: Array<unknown> = []
      yield* LanguageModel.generateText({ prompt: "Why?", toolkit }).pipe(
        Effect.provide([
          over(FakeTransport.make(inOnePiece(JSON.stringify(written)))),
          toolkit.toLayer({ forecast: (params) => Effect.sync(() => (got.push(params), "Rain")) })
        ])
      )
      assert.deepStrictEqual(got, [{ span: [1, 2], labels: { a: "b" } }])
    }))

  it.effect.each(stricts)("or Effect rejects them, strict %s", (strict) =>
    Effect.gen(function*() {
      const toolkit = Toolkit.make(tools[strict])
      const reason = yield* reasonOf(
        LanguageModel.generateText({ prompt: "Why?", toolkit }).pipe(
          Effect.provide([
            over(FakeTransport.make(inOnePiece("{\"city\":7}"))),
            toolkit.toLayer({ forecast: () => Effect.succeed("Rain") })
          ])
        )
      )
      assert.strictEqual(reason._tag, "ToolParameterValidationError")
    }))

  it.effect("or unchanged, if the tool has its own JSON Schema", () =>
    Effect.gen(function*() {
      const jsonSchema = { type: "object", properties: { days: { type: ["number", "null"] } } } as const
      const toolkit = Toolkit.make(Tool.dynamic("forecast", { parameters: jsonSchema, success: Schema.String }))
      const got: Array<unknown> = []
      const fake = FakeTransport.make(inOnePiece("{\"days\":null,\"more\":1}"))
      yield* LanguageModel.generateText({ prompt: "Why?", toolkit }).pipe(
        Effect.provide([
          over(fake),
          toolkit.toLayer({ forecast: (params) => Effect.sync(() => (got.push(params), "Rain")) })
        ])
      )
      assert.deepStrictEqual(got, [{ days: null, more: 1 }])
      assert.deepStrictEqual(fake.body(0).tools[0].function.parameters, jsonSchema)
    }))

  it.effect("also if the caller runs the tools", () =>
    Effect.gen(function*() {
      const toolkit = Toolkit.make(tools.true)
      const { toolCalls } = yield* LanguageModel.generateText({
        prompt: "Why?",
        toolkit,
        disableToolCallResolution: true
      }).pipe(Effect.provide([
        over(FakeTransport.make(inOnePiece("{\"city\":\"Rome\",\"days\":null,\"hour\":\"7\"}"))),
        toolkit.toLayer({ forecast: () => Effect.succeed("Rain") })
      ]))
      assert.deepStrictEqual(toolCalls.map(({ params }) => params), [{ city: "Rome", hour: "7" }])
    }))
})

describe("a tool whose parameters have no schema that OpenAI accepts", () => {
  it.effect("fails before anything is sent", () =>
    Effect.gen(function*() {
      const either = Tool.make("either", {
        parameters: Schema.Union([Schema.Struct({ a: Schema.String }), Schema.Struct({ b: Schema.String })]),
        success: Schema.String
      }).annotate(Tool.Strict, true)
      const toolkit = Toolkit.make(either)
      const fake = FakeTransport.make()
      const reason = yield* reasonOf(
        LanguageModel.generateText({ prompt: "Why?", toolkit }).pipe(
          Effect.provide([over(fake), toolkit.toLayer({ either: () => Effect.succeed("Rain") })])
        )
      )
      assert.strictEqual(reason._tag, "UnsupportedSchemaError")
      assert.isEmpty(fake.requests)
    }))
})
