import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema, Stream } from "effect"
import { LanguageModel, Prompt, Tool, Toolkit } from "effect/ai"
import * as FakeTransport from "./support/fakeTransport.ts"
import { called, handlers, over, reasonOf, toolkit, weather, weatherOnWire, whole } from "./support/openAiModel.ts"

const sentTools = (toolChoice: LanguageModel.ToolChoice<"weather" | "clock">) =>
  Effect.gen(function*() {
    const fake = FakeTransport.make(whole({ content: "No need." }))
    yield* LanguageModel.generateText({ prompt: "Why?", toolkit, toolChoice }).pipe(
      Effect.provide([over(fake), handlers])
    )
    const { tools, tool_choice } = fake.body(0)
    return { tools: tools.map((tool: typeof weatherOnWire) => tool.function.name), tool_choice }
  })

describe("the choice of tools", () => {
  it.effect.each<readonly [string, LanguageModel.ToolChoice<"weather" | "clock">, object]>([
    ["auto", "auto", { tools: ["weather", "clock"], tool_choice: "auto" }],
    ["none", "none", { tools: ["weather", "clock"], tool_choice: "none" }],
    ["required", "required", { tools: ["weather", "clock"], tool_choice: "required" }],
    ["one tool", { tool: "clock" }, {
      tools: ["weather", "clock"],
      tool_choice: { type: "function", function: { name: "clock" } }
    }],
    ["some tools", { oneOf: ["clock"] }, { tools: ["clock"], tool_choice: "auto" }],
    ["some tools, one of which is required", { mode: "required", oneOf: ["clock"] }, {
      tools: ["clock"],
      tool_choice: "required"
    }]
  ])("%s reaches the provider", ([, choice, expected]) =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* sentTools(choice), expected)
    }))

  it.effect("is sent with the description and the schema of each tool", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(whole({ content: "No need." }))
      yield* LanguageModel.generateText({ prompt: "Why?", toolkit: Toolkit.make(weather) }).pipe(
        Effect.provide([over(fake), handlers])
      )
      assert.deepStrictEqual(fake.body(0).tools, [weatherOnWire])
    }))

  it.effect("is sent with a schema that OpenAI accepts as strict, if a tool is strict", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(whole({ content: "No need." }))
      const strict = Tool.make("forecast", {
        parameters: Schema.Struct({ city: Schema.String, days: Schema.optional(Schema.Finite) }),
        success: Schema.String
      }).annotate(Tool.Strict, true)
      yield* LanguageModel.generateText({ prompt: "Why?", toolkit: Toolkit.make(strict) }).pipe(
        Effect.provide([over(fake), Toolkit.make(strict).toLayer({ forecast: () => Effect.succeed("Rain") })])
      )
      const [tool] = fake.body(0).tools
      assert.isTrue(tool.function.strict)
      assert.isFalse(tool.function.parameters.additionalProperties)
      assert.sameMembers(tool.function.parameters.required, ["city", "days"])
    }))
})

const sentMessages = (prompt: Prompt.RawInput) =>
  Effect.gen(function*() {
    const fake = FakeTransport.make(whole({ content: "Well." }))
    yield* Effect.provide(LanguageModel.generateText({ prompt }), over(fake))
    return fake.body(0).messages
  })

const asked = (prompt: Prompt.Prompt, method: "whole" | "streamed") =>
  method === "whole" ? LanguageModel.generateText({ prompt }) : Stream.runDrain(LanguageModel.streamText({ prompt }))

describe("the conversation so far", () => {
  it.effect("is sent with its system messages, answers, tool calls and tool results in order", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* sentMessages([
          { role: "system", content: "Be brief." },
          { role: "user", content: [{ type: "text", text: "Rome?" }, { type: "text", text: "Now?" }] },
          {
            role: "assistant",
            content: [
              { type: "reasoning", text: "Let me look." },
              { type: "text", text: "Looking." },
              { type: "tool-call", id: "call_a", name: "weather", params: { city: "Rome" } },
              { type: "tool-call", id: "call_b", name: "clock", params: {} }
            ]
          },
          {
            role: "tool",
            content: [
              { type: "tool-result", id: "call_a", name: "weather", result: { celsius: 21 }, isFailure: false },
              { type: "tool-result", id: "call_b", name: "clock", result: "noon", isFailure: false }
            ]
          },
          { role: "assistant", content: "Warm." },
          { role: "system", content: "Be kind." },
          { role: "user", content: "Thanks" }
        ]),
        [
          { role: "system", content: "Be brief." },
          { role: "user", content: "Rome?\nNow?" },
          {
            role: "assistant",
            content: "Looking.",
            tool_calls: [called("call_a", "weather", "{\"city\":\"Rome\"}"), called("call_b", "clock", "{}")]
          },
          { role: "tool", tool_call_id: "call_a", content: "{\"celsius\":21}" },
          { role: "tool", tool_call_id: "call_b", content: "noon" },
          { role: "assistant", content: "Warm." },
          { role: "system", content: "Be kind." },
          { role: "user", content: "Thanks" }
        ]
      )
    }))

  it.effect("includes an earlier answer and the results of its tools", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(
        whole({ tool_calls: [called("call_a", "weather", "{\"city\":\"Rome\"}")] }, {}, "tool_calls"),
        whole({ content: "4 degrees." })
      )
      yield* Effect.gen(function*() {
        const first = yield* LanguageModel.generateText({ prompt: "Rome?", toolkit })
        const prompt = Prompt.concat(Prompt.make("Rome?"), Prompt.fromResponseParts(first.content))
        assert.strictEqual((yield* LanguageModel.generateText({ prompt, toolkit })).text, "4 degrees.")
      }).pipe(Effect.provide([over(fake), handlers]))
      assert.deepStrictEqual(fake.body(1).messages, [
        { role: "user", content: "Rome?" },
        { role: "assistant", content: null, tool_calls: [called("call_a", "weather", "{\"city\":\"Rome\"}")] },
        { role: "tool", tool_call_id: "call_a", content: "{\"celsius\":4}" }
      ])
    }))

  it.effect("includes a tool's output for the model, if it differs from its result", () =>
    Effect.gen(function*() {
      const result = { type: "tool-result", id: "call_a", name: "weather", isFailure: false } as const
      assert.deepStrictEqual(
        yield* sentMessages([
          { role: "user", content: "Rome?" },
          { role: "assistant", content: [{ type: "tool-call", id: "call_a", name: "weather", params: {} }] },
          {
            role: "tool",
            content: [{ ...result, result: { raw: "large" }, modelOutput: [{ type: "text", text: "Warm." }] }]
          }
        ]).pipe(Effect.map((messages) => messages.at(-1))),
        { role: "tool", tool_call_id: "call_a", content: "Warm." }
      )
    }))

  it.effect("leaves out an empty answer, which the provider would reject", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* sentMessages([
          { role: "user", content: "Why?" },
          { role: "assistant", content: [{ type: "reasoning", text: "Hm, let me think ab" }] },
          { role: "user", content: "Go on." }
        ]),
        [{ role: "user", content: "Why?" }, { role: "user", content: "Go on." }]
      )
    }))

  const file = { type: "file", mediaType: "image/png", data: "iVBORw0KGgo=" } as const

  it.effect("is sent with the images and files that it holds", () =>
    Effect.gen(function*() {
      const bytes = new Uint8Array([1, 2, 3])
      assert.deepStrictEqual(
        yield* sentMessages([{
          role: "user",
          content: [
            { type: "text", text: "Look" },
            file,
            { type: "file", mediaType: "image/*", data: new URL("http://images.test/a.png") },
            { type: "file", mediaType: "application/pdf", fileName: "a.pdf", data: bytes },
            { type: "file", mediaType: "audio/mpeg", data: bytes }
          ]
        }]),
        [{
          role: "user",
          content: [
            { type: "text", text: "Look" },
            { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } },
            { type: "image_url", image_url: { url: "http://images.test/a.png" } },
            { type: "file", file: { file_data: "data:application/pdf;base64,AQID", filename: "a.pdf" } },
            { type: "input_audio", input_audio: { data: "AQID", format: "mp3" } }
          ]
        }]
      )
    }))

  it.effect.each<readonly [string, Prompt.MessageEncoded]>([
    ["a file of the model's", { role: "assistant", content: [{ type: "text", text: "Look" }, file] }],
    [
      "a file by a URL, which OpenAI does not take",
      {
        role: "user",
        content: [{ type: "file", mediaType: "application/pdf", data: new URL("http://files.test/a.pdf") }]
      }
    ]
  ])("is rejected before anything is sent if it has %s", ([, message]) =>
    Effect.gen(function*() {
      for (const method of ["whole", "streamed"] as const) {
        const fake = FakeTransport.make()
        const reason = yield* reasonOf(Effect.provide(asked(Prompt.make([message]), method), over(fake)))
        assert.strictEqual(reason._tag, "InvalidUserInputError")
        assert.isEmpty(fake.requests)
      }
    }))

  it.effect("is sent with the thinking of a server of this kind, under the server's own field name", () =>
    Effect.gen(function*() {
      for (const name of ["reasoning_content", "reasoning"]) {
        const fake = FakeTransport.make(whole({ [name]: "Hm.", content: "Well." }), whole({ content: "Warm." }))
        yield* Effect.gen(function*() {
          const first = yield* LanguageModel.generateText({ prompt: "Rome?" })
          const prompt = Prompt.concat(Prompt.fromResponseParts(first.content), Prompt.make("And?"))
          yield* LanguageModel.generateText({ prompt })
        }).pipe(Effect.provide(over(fake)))
        assert.deepStrictEqual(fake.body(1).messages[0], { role: "assistant", content: "Well.", [name]: "Hm." })
      }
    }))
})

describe("an answer that is an object", () => {
  const Report = Schema.Struct({ city: Schema.String, celsius: Schema.optional(Schema.Finite) })
  const report = LanguageModel.generateObject({ prompt: "Rome?", schema: Report, objectName: "report" })

  it.effect("is requested with its schema and decoded by it", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(whole({ content: "{\"city\":\"Rome\",\"celsius\":21}" }))
      const { value } = yield* Effect.provide(report, over(fake))
      assert.deepStrictEqual(value, { city: "Rome", celsius: 21 })
      const { json_schema, type } = fake.body(0).response_format
      assert.strictEqual(type, "json_schema")
      assert.strictEqual(json_schema.name, "report")
      assert.isTrue(json_schema.strict)
      // What OpenAI's strict mode demands of a schema.
      assert.isFalse(json_schema.schema.additionalProperties)
      assert.sameMembers(json_schema.schema.required, ["city", "celsius"])
    }))

  it.effect.each([
    ["Report-1_a", "Report-1_a"],
    ["weather/Report of Zürich 🌍", "weather_Report_of_Z_rich__"],
    ["r".repeat(65), "r".repeat(64)]
  ])(
    "is requested under a name that OpenAI accepts, if it is called %s",
    ([objectName, expected]) =>
      Effect.gen(function*() {
        const fake = FakeTransport.make(whole({ content: "{\"city\":\"Rome\",\"celsius\":21}" }))
        yield* Effect.provide(LanguageModel.generateObject({ prompt: "Rome?", schema: Report, objectName }), over(fake))
        assert.strictEqual(fake.body(0).response_format.json_schema.name, expected)
      })
  )

  it.effect.each([
    ["is not JSON", "Sure! Rome is"],
    ["is not of the schema", "{\"town\":\"Rome\"}"],
    ["is empty", ""]
  ])("fails if the answer %s", ([, content]) =>
    Effect.gen(function*() {
      const reason = yield* reasonOf(Effect.provide(report, over(FakeTransport.make(whole({ content })))))
      assert.strictEqual(reason._tag, "StructuredOutputError")
    }))
})

describe("a value that is no JSON", () => {
  const circular: Record<string, unknown> = {}
  circular["self"] = circular

  it.effect.each<readonly [string, unknown, unknown]>([
    ["a bigint among the parameters of a call", { a: 1n }, 1],
    ["parameters that hold themselves", circular, 1],
    ["a result that holds itself", {}, circular]
  ])("fails the call with InvalidUserInputError: %s", ([, params, result]) =>
    Effect.gen(function*() {
      const prompt = [
        { role: "assistant", content: [{ type: "tool-call", id: "t", name: "f", params }] },
        { role: "tool", content: [{ type: "tool-result", id: "t", name: "f", isFailure: false, result }] }
      ] as const
      const fake = FakeTransport.make()
      for (
        const call of [LanguageModel.generateText({ prompt }), Stream.runDrain(LanguageModel.streamText({ prompt }))]
      ) {
        const error = yield* Effect.flip(Effect.provide(call as typeof call & Effect.Effect<unknown>, over(fake)))
        const { description, _tag } = (error as unknown as { reason: { _tag: string; description: string } }).reason
        assert.strictEqual(_tag, "InvalidUserInputError")
        assert.include(description, "of the call t of the tool f cannot be written as JSON")
      }
    }))
})
