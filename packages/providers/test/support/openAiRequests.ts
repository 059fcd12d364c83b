/** Requests, and the parameters by which OpenAI's SDK is asked for the same. */
import { type ChatRequest, OpenAiChat } from "@clawback/providers"
import { Result } from "effect"
import type OpenAI from "openai"

export const request = (fields: Partial<ChatRequest.ChatRequest> = {}): ChatRequest.ChatRequest => ({
  model: "gpt-5",
  messages: [{ role: "user", content: "Hello" }],
  ...fields
})
export const hello: { model: string; messages: Array<OpenAI.ChatCompletionMessageParam> } = {
  model: "gpt-5",
  messages: [{ role: "user", content: "Hello" }]
}
export const schema = {
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

const png = { mediaType: "image/png", data: "iVBORw0KGgo=" }

export type Case = readonly [string, ChatRequest.ChatRequest, OpenAI.ChatCompletionCreateParamsNonStreaming]

export const cases: ReadonlyArray<Case> = [
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
  ...([
    ["presencePenalty", -2, { presence_penalty: -2 }],
    ["frequencyPenalty", 1.5, { frequency_penalty: 1.5 }],
    ["choices", 3, { n: 3 }],
    ["serviceTier", "flex", { service_tier: "flex" }],
    ["user", "u-1", { user: "u-1" }],
    ["temperature", 2, { temperature: 2 }],
    ["topP", 0, { top_p: 0 }],
    ["seed", -7, { seed: -7 }],
    ["maxOutputTokens", 1, { max_completion_tokens: 1 }],
    ["stop", ["END"], { stop: ["END"] }],
    ["reasoning", { effort: "minimal" }, { reasoning_effort: "minimal" }],
    ["reasoning", { effort: "xhigh", budgetTokens: 1 }, { reasoning_effort: "xhigh" }],
    ["reasoning", { budgetTokens: 0 }, { reasoning_effort: "none" }],
    ["reasoning", { budgetTokens: 2_048 }, { reasoning_effort: "low" }],
    ["reasoning", { budgetTokens: 8_192 }, { reasoning_effort: "medium" }],
    ["reasoning", { budgetTokens: 8_193 }, { reasoning_effort: "high" }]
  ] as ReadonlyArray<readonly [string, unknown, object]>).map(([name, value, wire]): Case => [
    `the parameter ${name} of ${JSON.stringify(value)}`,
    request({ [name]: value }),
    { ...hello, ...wire }
  ]),
  ["any JSON for an answer", request({ format: { type: "json" } }), {
    ...hello,
    response_format: { type: "json_object" }
  }],
  [
    "an answer's format with a description, not strict",
    request({ format: { type: "json-schema", name: "r", description: "A report", schema, strict: false } }),
    {
      ...hello,
      response_format: {
        type: "json_schema",
        json_schema: { name: "r", description: "A report", schema, strict: false }
      }
    }
  ],
  ...([
    ["an image by its URL", { type: "image", source: { url: "https://a.test/b.png" } }, {
      type: "image_url",
      image_url: { url: "https://a.test/b.png" }
    }],
    ["an image in the request, looked at closely", { type: "image", source: png, detail: "high" }, {
      type: "image_url",
      image_url: { url: "data:image/png;base64,iVBORw0KGgo=", detail: "high" }
    }],
    ["a sound as WAV", { type: "file", source: { mediaType: "audio/wav", data: "UklG" } }, {
      type: "input_audio",
      input_audio: { data: "UklG", format: "wav" }
    }],
    ["a sound as MP3", { type: "file", source: { mediaType: "audio/mpeg", data: "SUQz" } }, {
      type: "input_audio",
      input_audio: { data: "SUQz", format: "mp3" }
    }],
    ["a document", { type: "file", source: { mediaType: "application/pdf", data: "JVBE" }, name: "a.pdf" }, {
      type: "file",
      file: { file_data: "data:application/pdf;base64,JVBE", filename: "a.pdf" }
    }],
    ["a file that was uploaded before", { type: "file", source: { fileId: "file-1" } }, {
      type: "file",
      file: { file_id: "file-1" }
    }],
    ["a text with what only OpenAI knows", {
      type: "text",
      text: "Look",
      extras: { "openai-chat": { prompt_cache_breakpoint: { mode: "explicit" } }, "anthropic-messages": { x: 1 } }
    }, { type: "text", text: "Look", prompt_cache_breakpoint: { mode: "explicit" } }],
    ["a part that only OpenAI knows", {
      type: "native",
      protocol: "openai-chat",
      value: { type: "video_url", video_url: { url: "https://a.test/b.mp4" } }
    }, { type: "video_url", video_url: { url: "https://a.test/b.mp4" } }]
  ] as ReadonlyArray<readonly [string, ChatRequest.UserPart, OpenAI.ChatCompletionContentPart]>).map(
    ([name, part, wire]): Case => [
      name,
      request({ messages: [{ role: "user", content: [{ type: "text", text: "See" }, part] }] }),
      { model: "gpt-5", messages: [{ role: "user", content: [{ type: "text", text: "See" }, wire] }] }
    ]
  ),
  ...([
    ["system text in parts", { role: "system", content: [{ type: "text", text: "a" }, { type: "text", text: "b" }] }, {
      role: "system",
      content: [{ type: "text", text: "a" }, { type: "text", text: "b" }]
    }],
    ["a developer's message", { role: "system", content: "a", extras: { "openai-chat": { role: "developer" } } }, {
      role: "developer",
      content: "a"
    }],
    ["a user with a name", { role: "user", content: "a", extras: { "openai-chat": { name: "Ann" } } }, {
      role: "user",
      content: "a",
      name: "Ann"
    }],
    ["an answer in one text", { role: "assistant", content: "a" }, { role: "assistant", content: "a" }],
    ["an empty answer", { role: "assistant", content: "" }, { role: "assistant", content: "" }],
    ["texts in a row as one", {
      role: "assistant",
      content: [{ type: "text", text: "a" }, { type: "text", text: "b" }]
    }, { role: "assistant", content: "ab" }],
    ["a refusal", { role: "assistant", content: [{ type: "refusal", text: "No." }] }, {
      role: "assistant",
      content: null,
      refusal: "No."
    }],
    ["thinking that came from elsewhere not at all", {
      role: "assistant",
      content: [{ type: "reasoning", text: "Hm.", signature: "c2ln" }, { type: "text", text: "a" }]
    }, { role: "assistant", content: "a" }],
    ["an answer that was a sound", {
      role: "assistant",
      content: [{ type: "native", protocol: "openai-chat", value: { message: { audio: { id: "audio_1" } } } }]
    }, { role: "assistant", content: null, audio: { id: "audio_1" } }],
    ["an answer without its probabilities", {
      role: "assistant",
      content: [
        { type: "text", text: "a" },
        { type: "native", protocol: "openai-chat", value: { choice: { logprobs: { content: [] } } } }
      ]
    }, { role: "assistant", content: "a" }],
    ["a call of a tool without a schema", {
      role: "assistant",
      content: [{
        type: "tool-call",
        id: "c",
        name: "run",
        arguments: "ls -l",
        extras: { "openai-chat": { type: "custom" } }
      }]
    }, {
      role: "assistant",
      content: null,
      tool_calls: [{ id: "c", type: "custom", custom: { name: "run", input: "ls -l" } }]
    }],
    ["a tool's result in parts", {
      role: "tool",
      toolCallId: "c",
      content: [{ type: "text", text: "a" }, { type: "text", text: "b" }],
      isError: true
    }, { role: "tool", tool_call_id: "c", content: [{ type: "text", text: "a" }, { type: "text", text: "b" }] }],
    ["a tool's result of nothing", { role: "tool", toolCallId: "c", content: [] }, {
      role: "tool",
      tool_call_id: "c",
      content: ""
    }]
  ] as ReadonlyArray<readonly [string, ChatRequest.Message, OpenAI.ChatCompletionMessageParam]>).map(
    ([name, message, wire]): Case => [
      name,
      request({ messages: [message] }),
      { model: "gpt-5", messages: [wire] }
    ]
  ),
  [
    "thinking under the name under which it came",
    request({
      messages: [{
        role: "assistant",
        content: [
          { type: "reasoning", text: "Hm.", extras: { "openai-chat": { name: "reasoning_content" } } },
          { type: "text", text: "a" }
        ]
      }]
    }),
    {
      model: "gpt-5",
      messages: [{ role: "assistant", content: "a", reasoning_content: "Hm." } as OpenAI.ChatCompletionMessageParam]
    }
  ],
  [
    "the image of a tool's result behind the results of its turn",
    request({
      messages: [
        { role: "tool", toolCallId: "a", content: [{ type: "text", text: "Here" }, { type: "image", source: png }] },
        { role: "tool", toolCallId: "b", content: "noon" },
        { role: "user", content: "And?" }
      ]
    }),
    {
      model: "gpt-5",
      messages: [
        { role: "tool", tool_call_id: "a", content: [{ type: "text", text: "Here" }] },
        { role: "tool", tool_call_id: "b", content: "noon" },
        {
          role: "user",
          content: [
            { type: "text", text: "From the tool call a:" },
            { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } }
          ]
        },
        { role: "user", content: "And?" }
      ]
    }
  ],
  [
    "nothing for an answer of which nothing can be said, since that is refused",
    request({
      messages: [
        { role: "user", content: "a" },
        { role: "assistant", content: [{ type: "reasoning", text: "Hm.", signature: "c2ln" }] }
      ]
    }),
    { model: "gpt-5", messages: [{ role: "user", content: "a" }] }
  ],
  [
    "a tool without a schema, as only OpenAI knows it",
    request({ tools: [{ protocol: "openai-chat", definition: { type: "custom", custom: { name: "run" } } }] }),
    { ...hello, tools: [{ type: "custom", custom: { name: "run" } }] }
  ],
  [
    "a tool with what only OpenAI knows",
    request({ tools: [{ ...weather, extras: { "openai-chat": { function: { examples: [] }, cache: true } } }] }),
    {
      ...hello,
      tools: [
        { cache: true, type: "function", function: { examples: [], name: "weather", parameters: schema } }
      ] as unknown as Array<OpenAI.ChatCompletionTool>
    }
  ],
  ...([
    { logprobs: true, top_logprobs: 5 },
    { logit_bias: { "50256": -100 } },
    { metadata: { a: "b" } },
    { store: true },
    { modalities: ["text", "audio"], audio: { format: "wav", voice: "alloy" } },
    { prediction: { type: "content", content: "a" } },
    { verbosity: "low" },
    { prompt_cache_key: "k", safety_identifier: "s" },
    { web_search_options: {} },
    { tool_choice: { type: "allowed_tools", allowed_tools: { mode: "auto", tools: [] } } },
    { max_tokens: 7 }
  ] as ReadonlyArray<Partial<OpenAI.ChatCompletionCreateParamsNonStreaming>>).map((fields): Case => [
    `what only OpenAI knows: ${Object.keys(fields)}`,
    request({ extras: { "openai-chat": fields as ChatRequest.JsonObject } }),
    { ...hello, ...fields }
  ]),
  [
    "extras as they stand, behind the fields of the request",
    request({ extras: { "openai-chat": { metadata: { a: "b" }, model: "other" }, "other": { cache: true } } }),
    { ...hello, metadata: { a: "b" } }
  ]
]

export const encode = (request: ChatRequest.ChatRequest, stream: boolean): unknown =>
  Result.getOrThrow(OpenAiChat.protocol.encodeRequest(request, { stream, includeUsage: stream }))
