/** What clients of one protocol send, at a provider of the other: what a gateway tells them of it. */
import { AnthropicMessages, OpenAiChat, type Protocol } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { httpRequest } from "./support/httpRequest.ts"

const base = { model: "model-1", max_tokens: 100 }
const hello = { role: "user", content: "Hello." }

/** The names of what was dropped, or why the request was refused. */
const sent = (
  from: Protocol.ChatProtocol,
  to: Protocol.ChatProtocol,
  fields: object
): ReadonlyArray<string> | string => {
  const body = JSON.stringify({ ...base, messages: [hello], ...fields })
  const { delivery, request } = Result.getOrThrow(from.decodeRequest(httpRequest(body)))
  const dropped: Array<string> = []
  const encoded = to.encodeRequest(request, delivery, ({ field }) => dropped.push(field))
  return Result.isFailure(encoded) ? encoded.failure.message : dropped
}

const user = (...content: ReadonlyArray<object>) => ({ messages: [{ role: "user", content }] })
const cache_control = { type: "ephemeral" }
const tool = { name: "f", input_schema: { type: "object" } }
const pdf = { type: "base64", media_type: "application/pdf", data: "JVBERi0=" }
const search = { type: "web_search_20250305", name: "web_search" }

type Case = readonly [name: string, fields: object, expected: ReadonlyArray<string> | RegExp]

const assertExpected = (found: ReadonlyArray<string> | string, expected: Case[2]) => {
  if (!(expected instanceof RegExp)) return assert.deepStrictEqual(found, expected)
  assert.isString(found)
  assert.match(String(found), expected)
}

describe("a client of Anthropic's at a provider of OpenAI's protocol", () => {
  const cases: ReadonlyArray<Case> = [
    ["nothing of its own", { temperature: 1, top_p: 0.9, stop_sequences: ["x"], metadata: { user_id: "u" } }, []],
    ["a cached system", { system: [{ type: "text", text: "Hi.", cache_control }] }, ["system.cache_control"]],
    ["a cached text", user({ type: "text", text: "Hi.", cache_control }), ["messages.content.cache_control"]],
    ["a cached tool", { tools: [{ ...tool, cache_control }] }, ["tools.cache_control"]],
    ["automatic caching", { cache_control }, ["cache_control"]],
    ["a deferred tool", { tools: [{ ...tool, defer_loading: true }] }, ["tools.defer_loading"]],
    ["citations", user({ type: "document", source: pdf, citations: { enabled: true } }), [
      "messages.content.citations"
    ]],
    ["citations that are off", user({ type: "document", source: pdf, citations: { enabled: false } }), []],
    ["a managed context", { context_management: { edits: [] } }, ["context_management"]],
    ["thinking as it likes", { thinking: { type: "adaptive" } }, ["thinking"]],
    [
      "thinking that is shown, with an effort",
      { thinking: { type: "adaptive", display: "summarized" }, output_config: { effort: "low" } },
      ["thinking.display"]
    ],
    ["a budget", { thinking: { type: "enabled", budget_tokens: 2048 } }, []],
    [
      "signed thinking of an earlier answer",
      {
        messages: [hello, {
          role: "assistant",
          content: [{ type: "thinking", thinking: "Hm.", signature: "c2ln" }, { type: "text", text: "Hi." }]
        }, hello]
      },
      ["messages.content.reasoning"]
    ],
    [
      "a tool that failed",
      user({ type: "tool_result", tool_use_id: "a", content: "No.", is_error: true }),
      ["messages.isError"]
    ],
    ["a container", { container: "container_1" }, /container \(its files/],
    ["MCP servers", { mcp_servers: [{ type: "url", name: "x", url: "https://example.test" }] }, /mcp_servers \(/],
    ["a region", { inference_geo: "eu" }, /inference_geo \(the answer must be made there\)/],
    ["a search of the provider's", { tools: [search] }, /a tool that only anthropic-messages has/],
    [
      "what a search found",
      {
        messages: [hello, { role: "assistant", content: [{ type: "server_tool_use", id: "s", name: "x", input: {} }] }]
      },
      /server_tool_use/
    ],
    ["a document by its URL", user({ type: "document", source: { type: "url", url: "https://a.test" } }), /by its URL/],
    ["a document by its id", user({ type: "document", source: { type: "file", file_id: "file_1" } }), /uploaded/],
    ["an image by its id", user({ type: "image", source: { type: "file", file_id: "file_1" } }), /uploaded image/],
    [
      "a tool that is added later",
      { messages: [hello, { role: "system", content: [{ type: "tool_addition", tool: {} }] }] },
      /tool_addition/
    ]
  ]

  it.each(cases)("hears of %s", (_, fields, expected) => {
    assertExpected(sent(AnthropicMessages.protocol, OpenAiChat.protocol, fields), expected)
  })
})

describe("a client of OpenAI's at a provider of Anthropic's protocol", () => {
  const pixel = { url: "https://example.test/a.png", detail: "high" }
  const docx = "data:application/vnd.openxmlformats-officedocument.wordprocessingml.document;base64,UEsDBA=="
  const cases: ReadonlyArray<Case> = [
    ["nothing of its own", { temperature: 1, stop: "x", user: "u", n: 1, store: false, logprobs: false }, []],
    ["JSON without a schema", { response_format: { type: "json_object" } }, ["format"]],
    ["a seed", { seed: 7 }, ["seed"]],
    ["penalties", { presence_penalty: 1, frequency_penalty: -1 }, ["presencePenalty", "frequencyPenalty"]],
    ["probabilities", { logprobs: true, top_logprobs: 2 }, ["logprobs", "top_logprobs"]],
    ["biases", { logit_bias: { 1: 2 } }, ["logit_bias"]],
    ["storing", { store: true, metadata: { a: "b" } }, ["store", "metadata"]],
    ["verbosity", { verbosity: "low" }, ["verbosity"]],
    ["a cache key", { prompt_cache_key: "k" }, ["prompt_cache_key"]],
    ["a participant", { messages: [{ ...hello, name: "Ann" }] }, ["messages.name"]],
    ["a developer", { messages: [{ role: "developer", content: "Be kind." }, hello] }, []],
    [
      "a call in its old form",
      { messages: [hello, { role: "assistant", content: null, function_call: { name: "f", arguments: "{}" } }] },
      []
    ],
    [
      "one thought under two names",
      { messages: [hello, { role: "assistant", content: "Hi.", reasoning: "Hm.", reasoning_content: "Hm." }] },
      ["messages.content.reasoning"]
    ],
    ["OpenRouter's reasoning", { reasoning: { effort: "low", exclude: true } }, ["reasoning"]],
    ["DeepSeek's thinking", { thinking: { type: "enabled" } }, ["thinking.type"]],
    ["no thinking", { thinking: { type: "disabled" } }, []],
    ["a high temperature", { temperature: 1.7 }, ["temperature"]],
    ["a cheaper tier", { service_tier: "flex" }, ["serviceTier"]],
    ["an image's resolution", user({ type: "image_url", image_url: pixel }), ["messages.content.detail"]],
    ["a field of another server", { repetition_penalty: 1.1 }, ["repetition_penalty"]],
    [
      "thinking of an earlier answer",
      { messages: [hello, { role: "assistant", content: "Hi.", reasoning_content: "Hm." }, hello] },
      ["messages.content.reasoning"]
    ],
    ["several answers", { n: 2 }, /several answers/],
    ["a spoken answer", { modalities: ["text", "audio"], audio: { voice: "a" } }, /modalities|audio/],
    ["a sound", user({ type: "input_audio", input_audio: { data: "UklGRg==", format: "wav" } }), /audio\/wav/],
    ["a search of the provider's", { web_search_options: {} }, /web_search_options/],
    ["a tool without a schema", { tools: [{ type: "custom", custom: { name: "x" } }] }, /a tool that only openai-chat/],
    ["a choice of some tools", { tool_choice: { type: "allowed_tools" }, tools: [] }, /tool_choice/],
    ["a document by its id", user({ type: "file", file: { file_id: "file-1" } }), /uploaded/],
    ["a document of Word", user({ type: "file", file: { file_data: docx, filename: "a.docx" } }), /wordprocessingml/]
  ]

  it.each(cases)("hears of %s", (_, fields, expected) => {
    assertExpected(sent(OpenAiChat.protocol, AnthropicMessages.protocol, fields), expected)
  })
})
