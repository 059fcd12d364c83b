import { type ChatRequest, OpenAiChat } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import type OpenAI from "openai"
import * as OpenAiSdk from "./support/openAiSdk.ts"

const request = (fields: Partial<ChatRequest.ChatRequest> = {}): ChatRequest.ChatRequest => ({
  model: "gpt-5",
  messages: [{ role: "user", content: "Hello" }],
  ...fields
})
const hello: { model: string; messages: Array<OpenAI.ChatCompletionMessageParam> } = {
  model: "gpt-5",
  messages: [{ role: "user", content: "Hello" }]
}
const schema = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false
}
const weather: ChatRequest.Tool = { name: "weather", parameters: schema }
const weatherParam: OpenAI.ChatCompletionFunctionTool = {
  type: "function",
  function: { name: "weather", parameters: schema }
}

type Case = readonly [string, ChatRequest.ChatRequest, OpenAI.ChatCompletionCreateParamsNonStreaming]

const cases: ReadonlyArray<Case> = [
  ["a message and nothing else", request(), hello],
  [
    "a conversation with system, answers, tool calls and their results",
    request({
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Rome?" },
        {
          role: "assistant",
          content: [
            { type: "text", text: "Looking." },
            { type: "tool-call", id: "call_a", name: "weather", arguments: "{\"city\":\"Rome\"}" }
          ]
        },
        { role: "tool", toolCallId: "call_a", content: "21°C" },
        { role: "assistant", content: "Warm." },
        { role: "user", content: "Paris?" },
        { role: "assistant", content: [{ type: "tool-call", id: "call_b", name: "weather", arguments: "{oops" }] },
        { role: "tool", toolCallId: "call_b", content: "" }
      ]
    }),
    {
      model: "gpt-5",
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Rome?" },
        {
          role: "assistant",
          content: "Looking.",
          tool_calls: [
            { id: "call_a", type: "function", function: { name: "weather", arguments: "{\"city\":\"Rome\"}" } }
          ]
        },
        { role: "tool", tool_call_id: "call_a", content: "21°C" },
        { role: "assistant", content: "Warm." },
        { role: "user", content: "Paris?" },
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id: "call_b", type: "function", function: { name: "weather", arguments: "{oops" } }]
        },
        { role: "tool", tool_call_id: "call_b", content: "" }
      ]
    }
  ],
  [
    "tools, described and strict or neither",
    request({ tools: [weather, { ...weather, name: "climate", description: "Over the year", strict: true }] }),
    {
      ...hello,
      tools: [
        weatherParam,
        {
          type: "function",
          function: { name: "climate", description: "Over the year", parameters: schema, strict: true }
        }
      ]
    }
  ],
  ...(["auto", "none", "required"] as const).map((choice): Case => [
    `the tool choice ${choice}`,
    request({ tools: [weather], toolChoice: choice }),
    { ...hello, tools: [weatherParam], tool_choice: choice }
  ]),
  [
    "the choice of one tool",
    request({ tools: [weather], toolChoice: { tool: "weather" } }),
    { ...hello, tools: [weatherParam], tool_choice: { type: "function", function: { name: "weather" } } }
  ],
  [
    "no parallel tool calls",
    request({ tools: [weather], parallelToolCalls: false }),
    { ...hello, tools: [weatherParam], parallel_tool_calls: false }
  ],
  [
    "nothing of tools where there are none, since that is refused",
    request({ tools: [], toolChoice: "auto", parallelToolCalls: true }),
    hello
  ],
  [
    "an answer's format",
    request({ format: { type: "json-schema", name: "report", schema, strict: true } }),
    { ...hello, response_format: { type: "json_schema", json_schema: { name: "report", schema, strict: true } } }
  ],
  [
    "every parameter, zeros included",
    request({ maxOutputTokens: 100, temperature: 0, topP: 0.5, stop: ["END", "\n"], seed: 0 }),
    { ...hello, max_completion_tokens: 100, temperature: 0, top_p: 0.5, stop: ["END", "\n"], seed: 0 }
  ],
  [
    "extras as they stand, behind the fields of the request",
    request({ extras: { "openai-chat": { metadata: { a: "b" }, model: "other" }, "other": { cache: true } } }),
    { ...hello, metadata: { a: "b" } }
  ]
]

const encode = (request: ChatRequest.ChatRequest, stream: boolean): unknown =>
  Result.getOrThrow(OpenAiChat.codec.encodeRequest(request, { stream, includeUsage: stream }))

describe("the encoder of a request", () => {
  it.effect.each(cases)("sends %s as OpenAI's SDK does (C1)", ([, request, parameters]) =>
    Effect.gen(function*() {
      const whole = encode(request, false)
      assert.deepStrictEqual(whole, parameters)
      assert.deepStrictEqual(whole, yield* Effect.promise(() => OpenAiSdk.sentBody(parameters)))

      const streamed = { ...parameters, stream: true, stream_options: { include_usage: true } } as const
      const encoded = encode(request, true)
      assert.deepStrictEqual(encoded, streamed)
      assert.deepStrictEqual(encoded, yield* Effect.promise(() => OpenAiSdk.sentBody(streamed)))
    }))
})
