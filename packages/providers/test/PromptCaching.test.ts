/** An application that has Anthropic cache its prompts: what it sends there, and what it hears at a provider of another protocol. */
import { Attribute } from "@clawback/core/Conventions"
import {
  AnthropicMessages,
  type ChatEvent,
  type ChatRequest,
  ChatResponse,
  type Protocol,
  Provider,
  Target
} from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Result, Schema, Stream, Tracer } from "effect"
import { LanguageModel, Prompt, Tool, Toolkit } from "effect/ai"
import * as Anthropic from "./support/anthropicModel.ts"
import * as Sdk from "./support/anthropicSdk.ts"
import * as Wire from "./support/anthropicWire.ts"
import * as FakeTransport from "./support/fakeTransport.ts"
import { httpRequest } from "./support/httpRequest.ts"
import * as OpenAi from "./support/openAiModel.ts"

const cache_control = { type: "ephemeral" } as const
const cached = { extras: { "anthropic-messages": { cache_control } } }
const inputSchema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] }

/** The same conversation in the words of Anthropic's SDK. */
const parameters = {
  model: "claude-sonnet-5-5",
  max_tokens: 1024,
  system: [
    { type: "text", text: "You answer questions on the weather." },
    { type: "text", text: "A long report on the weather.", cache_control }
  ],
  tools: [
    { name: "clock", description: "The time", input_schema: { type: "object" } },
    { name: "weather", description: "The weather", input_schema: inputSchema, cache_control }
  ],
  messages: [
    { role: "user", content: [{ type: "text", text: "Will it rain?", cache_control }] },
    {
      role: "assistant",
      content: [{ type: "tool_use", id: "toolu_1", name: "weather", input: { city: "Bergen" } }]
    },
    { role: "user", content: [{ type: "tool_result", tool_use_id: "toolu_1", content: "Rain.", cache_control }] }
  ]
}

const request: Target.Request = {
  maxOutputTokens: 1024,
  tools: [
    { name: "clock", description: "The time", parameters: { type: "object" } },
    { name: "weather", description: "The weather", parameters: inputSchema, ...cached }
  ],
  messages: [
    { role: "system", content: "You answer questions on the weather." },
    { role: "system", content: "A long report on the weather.", ...cached },
    { role: "user", content: "Will it rain?", ...cached },
    {
      role: "assistant",
      content: [{ type: "tool-call", id: "toolu_1", name: "weather", arguments: "{\"city\":\"Bergen\"}" }]
    },
    { role: "tool", toolCallId: "toolu_1", content: "Rain.", ...cached }
  ]
}

const fields = ["tools.cache_control", "system.cache_control", "messages.cache_control"]
const names = (dropped: ReadonlyArray<Protocol.Dropped> | undefined) => dropped?.map(({ field }) => field).toSorted()

/** Effect makes the schemas of tools, and states a choice. */
const withoutSchemas = (body: any) => ({
  ...body,
  tools: body.tools.map((tool: object) => ({ ...tool, input_schema: undefined })),
  tool_choice: undefined
})

const whole = () => OpenAi.whole({ content: "Yes." })
const chunks = (finish = "stop") =>
  FakeTransport.events(
    `data: ${
      JSON.stringify({ id: "1", choices: [{ index: 0, delta: { content: "Yes." }, finish_reason: finish }] })
    }\n\ndata: [DONE]\n\n`
  )

describe("an application that caches system, tools and messages at Anthropic", () => {
  it.effect("sends what Anthropic's SDK sends", () =>
    Effect.gen(function*() {
      const theirs = yield* Effect.promise(() => Sdk.sentBody(parameters))
      const streamed = yield* Effect.promise(() => Sdk.sentBody({ ...parameters, stream: true }))
      const fake = FakeTransport.make(
        Anthropic.whole([{ type: "text", text: "Yes." }]),
        FakeTransport.events(Wire.starts() + Wire.text(0, "Yes.") + Wire.stops("end_turn") + Wire.stop)
      )
      yield* Effect.gen(function*() {
        const answer = yield* Target.generate(request)
        assert.notProperty(answer, "dropped")
        const events = yield* Stream.runCollect(Target.stream(request))
        assert.isTrue(events.every((event) => !("dropped" in event)))
      }).pipe(Effect.provide(Anthropic.over(fake)))
      assert.deepStrictEqual(fake.body(0), theirs)
      assert.deepStrictEqual(fake.body(1), streamed)
    }))

  it.each([{}, { stream: true }])("sends the same through a gateway that decodes and encodes it: %j", async (how) => {
    const { protocol } = AnthropicMessages
    const theirs = await Sdk.sentBody({ ...parameters, ...how })
    const decoded = Result.getOrThrow(protocol.decodeRequest(httpRequest(JSON.stringify(theirs))))
    const dropped: Array<Protocol.Dropped> = []
    const body = protocol.encodeRequest(decoded.request, decoded.delivery, (field) => dropped.push(field))
    assert.deepStrictEqual(JSON.parse(JSON.stringify(Result.getOrThrow(body))), theirs)
    assert.deepStrictEqual(dropped, [])
  })

  it.effect("sends the same by Effect's LanguageModel", () =>
    Effect.gen(function*() {
      const options = cached.extras
      const clock = Tool.make("clock", { description: "The time", success: Schema.String })
      const weather = Tool.make("weather", {
        description: "The weather",
        parameters: Schema.Struct({ city: Schema.String }),
        success: Schema.String
      }).annotate(Provider.ToolExtras, options)
      const toolkit = Toolkit.make(clock, weather)
      const prompt = Prompt.fromMessages([
        Prompt.makeMessage("system", { content: "You answer questions on the weather." }),
        Prompt.makeMessage("system", { content: "A long report on the weather.", options }),
        Prompt.makeMessage("user", { content: [Prompt.makePart("text", { text: "Will it rain?", options })] }),
        Prompt.makeMessage("assistant", {
          content: [
            Prompt.makePart("tool-call", {
              id: "toolu_1",
              name: "weather",
              params: { city: "Bergen" },
              providerExecuted: false
            })
          ]
        }),
        Prompt.makeMessage("tool", {
          content: [
            Prompt.makePart("tool-result", {
              id: "toolu_1",
              name: "weather",
              isFailure: false,
              result: "Rain.",
              options,
              providerExecuted: false
            })
          ]
        })
      ])
      const fake = FakeTransport.make(Anthropic.whole([{ type: "text", text: "Yes." }]))
      yield* LanguageModel.generateText({ prompt, toolkit, disableToolCallResolution: true }).pipe(
        Effect.provide([
          Anthropic.over(fake, { parameters: { maxOutputTokens: 1024 } }),
          toolkit.toLayer({ clock: () => Effect.succeed("noon"), weather: () => Effect.succeed("Rain.") })
        ])
      )
      const theirs = yield* Effect.promise(() => Sdk.sentBody(parameters))
      assert.deepStrictEqual(withoutSchemas(fake.body(0)), withoutSchemas(theirs))
    }))
})

describe("the same application at a provider of another protocol", () => {
  it.effect("hears in the answer what was dropped", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(whole(), chunks())
      yield* Effect.gen(function*() {
        const answer = yield* Target.generate(request)
        assert.deepStrictEqual(names(answer.dropped), fields.toSorted())
        assert.isTrue(answer.dropped?.every(({ reason }) => reason === "the provider caches as it likes"))
        const events = yield* Stream.runCollect(Target.stream(request))
        assert.deepStrictEqual(events.map(({ _tag }) => _tag), ["Started", "TextDelta", "Finished"])
        const response = Option.getOrThrow(ChatResponse.fromEvents(events))
        assert.deepStrictEqual(names(response.dropped), fields.toSorted())
        assert.deepStrictEqual(ChatResponse.fromEvents(ChatResponse.toEvents(response)), Option.some(response))
      }).pipe(Effect.provide(OpenAi.over(fake)))
      assert.notInclude(String(fake.requests[0]?.body), "cache_control")
    }))

  it.effect("hears it in the metadata of Effect's parts", () =>
    Effect.gen(function*() {
      const options = cached.extras
      const prompt = Prompt.fromMessages([
        Prompt.makeMessage("system", { content: "Be kind.", options }),
        Prompt.makeMessage("user", { content: [Prompt.makePart("text", { text: "Why?" })] })
      ])
      const fake = FakeTransport.make(whole(), chunks(), whole())
      yield* Effect.gen(function*() {
        const { content } = yield* LanguageModel.generateText({ prompt })
        const parts = yield* Stream.runCollect(LanguageModel.streamText({ prompt }))
        for (const [first] of [content, parts]) {
          assert.deepInclude(first, {
            type: "response-metadata",
            metadata: {
              clawback: { dropped: [{ field: "system.cache_control", reason: "the provider caches as it likes" }] }
            }
          } as object)
        }
        const plain = yield* LanguageModel.generateText({ prompt: "Why?" })
        assert.deepStrictEqual(plain.content[0]?.metadata, {})
      }).pipe(Effect.provide(OpenAi.over(fake)))
    }))

  it.effect("has it on the span of the call, without names that only the request knows", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(whole(), chunks(), whole())
      const unknown: Target.Request = { ...request, extras: { own: { "sk-secret": 1, another: 2 } } }
      const spans: Array<Tracer.Span> = []
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      yield* Effect.gen(function*() {
        yield* Target.generate(request)
        yield* Stream.runDrain(Target.stream(unknown))
        yield* Target.generate({ messages: [{ role: "user", content: "Why?" }] })
      }).pipe(Effect.withTracer(tracer), Effect.provide(OpenAi.over(fake)))
      const said = spans.filter(({ name }) => name === "chat gpt-5").map(({ attributes }) =>
        attributes.get(Attribute.requestDropped)
      )
      assert.deepStrictEqual(said.map((names) => Array.isArray(names) ? names.toSorted() : names), [
        fields.toSorted(),
        [...fields, "other"].toSorted(),
        undefined
      ])
    }))

  it.effect("hears it also from a protocol whose streams have no start", () =>
    Effect.gen(function*() {
      const dropped = { field: "seed", reason: "no dice" }
      const base = AnthropicMessages.protocol
      const finished: ReadonlyArray<ChatEvent.ChatEvent> = [
        { _tag: "TextDelta", text: "Yes." },
        { _tag: "Finished", reason: "stop", raw: "stop" }
      ]
      const chat: Protocol.ChatProtocol = {
        ...base,
        encodeRequest: (request: ChatRequest.ChatRequest, delivery, onDropped) => {
          if (request.seed !== undefined) onDropped?.(dropped)
          return base.encodeRequest({ ...request, seed: undefined }, delivery, onDropped)
        },
        makeDecoder: () => {
          let isFinished = false
          return {
            push: () => {
              isFinished = true
              return finished
            },
            end: () => [],
            failure: undefined,
            get isFinished() {
              return isFinished
            },
            get isDone() {
              return isFinished
            }
          }
        }
      }
      const fake = FakeTransport.make(FakeTransport.events("data: {}\n\n"))
      const row = Provider.make({ name: "anthropic", baseUrl: "http://provider.test", chat, sources: {} })
      const events = yield* Stream.runCollect(Target.stream({ seed: 7, messages: [{ role: "user", content: "Why?" }] }))
        .pipe(
          Effect.provide(
            Target.layer(row.target("claude")).pipe(
              Layer.provide([fake.layer, OpenAi.config({ ANTHROPIC_API_KEY: "sk-nobody" })])
            )
          )
        )
      assert.deepStrictEqual(events, [
        { _tag: "Started", id: undefined, model: undefined, dropped: [dropped] },
        ...finished
      ])
    }))
})

describe("a layer", () => {
  it.effect("does not build with parameters that each call would drop", () =>
    Effect.gen(function*() {
      for (const parameters of [{ seed: 7 }, { temperature: 1.5 }, { presencePenalty: 1 }, { serviceTier: "flex" }]) {
        const layer = Anthropic.over(FakeTransport.make(), { parameters })
        const error = yield* Effect.flip(Effect.provide(Target.ChatModel, layer))
        assert.strictEqual(error._tag, "Unsupported")
        assert.include(error.message, Object.keys(parameters).join())
      }
    }))

  it.effect("builds with extras of other protocols, which are meant for other layers", () =>
    Effect.gen(function*() {
      const parameters = { extras: { "openai-chat": { verbosity: "low" }, "anthropic-messages": { speed: "fast" } } }
      const fake = FakeTransport.make(Anthropic.whole([{ type: "text", text: "Yes." }]))
      const { dropped } = yield* Target.generate({ messages: [{ role: "user", content: "Why?" }] }).pipe(
        Effect.provide(Anthropic.over(fake, { parameters }))
      )
      assert.deepStrictEqual(names(dropped), ["verbosity"])
      assert.strictEqual(fake.body(0).speed, "fast")
    }))
})
