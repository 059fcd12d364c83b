/** One request for each rule of the table of crossings. */
import type { ChatRequest } from "@clawback/providers"
import type { Json } from "@clawback/providers"
import type { Lacking, Place } from "../../src/internal/model/crossings.ts"

type Request = ChatRequest.ChatRequest

const hello: ChatRequest.Message = { role: "user", content: "Hello." }
const asking: Request = { model: "model-1", maxOutputTokens: 100, messages: [hello] }

/** Values of fields that not any value asks for something. */
const values: Readonly<Record<string, Json.Json>> = {
  allowed_callers: ["code_execution_20250825"],
  citations: { enabled: true },
  modalities: ["text", "audio"],
  "thinking.type": "enabled",
  type: "custom"
}

/** Values that ask for nothing that others do not do anyway. */
export const off: Readonly<Record<string, Json.Json>> = {
  allowed_callers: ["direct"],
  citations: { enabled: false },
  clear_at: "never",
  defer_loading: false,
  eager_input_streaming: false,
  logprobs: false,
  modalities: ["text"],
  speed: "standard",
  store: false,
  "thinking.type": "disabled",
  top_logprobs: 0,
  type: "function_call"
}

export const valueOf = (name: string): Json.Json => values[name] ?? true

const nested = (name: string, value: Json.Json): Json.JsonObject => {
  const [outer = "", inner] = name.split(".")
  return { [outer]: inner === undefined ? value : { [inner]: value } }
}

/** A request with a field of one protocol in its place. */
export const withForeign = (protocol: string, place: Place, name: string, value = valueOf(name)): Request => {
  const extras = { [protocol]: nested(name, value) }
  switch (place) {
    case "request":
      return { ...asking, extras }
    case "system":
      return { ...asking, messages: [{ role: "system", content: "Be kind.", extras }, hello] }
    case "messages":
      return { ...asking, messages: [{ ...hello, extras }] }
    case "content":
      return {
        ...asking,
        messages: [
          { role: "user", content: [{ type: "text", text: "Hello.", ...(name !== "type" && { extras }) }] },
          {
            role: "assistant",
            content: [{ type: "tool-call", id: "a", name: "f", arguments: "{}", ...(name === "type" && { extras }) }]
          },
          { role: "tool", toolCallId: "a", content: "1" }
        ]
      }
    case "tools":
      return { ...asking, tools: [{ name: "f", parameters: { type: "object" }, extras }] }
  }
}

/** A request with a native part, of a type or with a first field of this name. */
export const withPart = (protocol: string, name: string): Request => ({
  ...asking,
  messages: [
    hello,
    {
      role: "assistant",
      content: [
        { type: "text", text: "Hi." },
        { type: "native", protocol, value: name.includes("_") ? { type: name } : { [name]: {} } }
      ]
    },
    hello
  ]
})

const part = (part: ChatRequest.UserPart): Request => ({ ...asking, messages: [{ role: "user", content: [part] }] })
const file = (mediaType: string, data = "R3LDvMOfZQ=="): Request => part({ type: "file", source: { mediaType, data } })
const thought = (part: Omit<ChatRequest.ReasoningPart, "type" | "text">): Request => ({
  ...asking,
  messages: [hello, {
    role: "assistant",
    content: [{ type: "reasoning", text: "Hm.", ...part }, { type: "text", text: "Hi." }]
  }, hello]
})
const called = (id: string, result: Partial<ChatRequest.ToolMessage> = {}): Request => ({
  ...asking,
  messages: [
    hello,
    { role: "assistant", content: [{ type: "tool-call", id, name: "f", arguments: "{}" }] },
    { role: "tool", toolCallId: id, content: "1", ...result }
  ]
})
const uploaded = (protocol: string) => part({ type: "file", source: { fileId: "file_1", protocol } })

/** A request with something that a protocol lacks. Each rule has one. */
export const withLacking: {
  readonly [Name in keyof Lacking]: {
    readonly [Rule in keyof Lacking[Name]]: Request & { readonly dimensions?: number }
  }
} = {
  "anthropic-messages": {
    choices: { ...asking, choices: 2 },
    detail: part({ type: "image", source: { url: "https://example.test/a.png" }, detail: "low" }),
    effort: { ...asking, reasoning: { effort: "minimal" } },
    fileName: part({ type: "file", name: "a.png", source: { mediaType: "image/png", data: "AAAA" } }),
    fileType: file("application/msword"),
    formatDescription: { ...asking, format: { type: "json-schema", name: "a", description: "A", schema: {} } },
    formatStrict: { ...asking, format: { type: "json-schema", name: "a", schema: {}, strict: false } },
    frequencyPenalty: { ...asking, frequencyPenalty: 1 },
    json: { ...asking, format: { type: "json" } },
    plainText: file("text/csv"),
    presencePenalty: { ...asking, presencePenalty: -1 },
    reasoning: thought({}),
    seed: { ...asking, seed: 7 },
    temperature: { ...asking, temperature: 1.5 },
    tier: { ...asking, serviceTier: "flex" },
    tierName: { ...asking, serviceTier: "default" },
    toolCallId: called("functions.add:0"),
    toolChoice: { ...asking, toolChoice: "required" },
    uploaded: uploaded("openai-chat")
  },
  "openai-chat": {
    budget: { ...asking, reasoning: { budgetTokens: 1024 } },
    choices: { ...asking, choices: 2 },
    effort: { ...asking, reasoning: { effort: "low" } },
    fileName: part({ type: "file", name: "a.mp3", source: { mediaType: "audio/mpeg", data: "AAAA" } }),
    fileUrl: part({ type: "file", source: { url: "https://example.test/a.pdf" } }),
    formatDescription: { ...asking, format: { type: "json-schema", name: "a", description: "A", schema: {} } },
    frequencyPenalty: { ...asking, frequencyPenalty: 1 },
    imageId: part({ type: "image", source: { fileId: "file-1" } }),
    isError: called("a", { isError: true }),
    json: { ...asking, format: { type: "json" } },
    namedTool: {
      ...asking,
      tools: [{ name: "f", parameters: { type: "object" } }],
      toolChoice: { tool: "f" }
    },
    parallelToolCalls: { ...asking, parallelToolCalls: false },
    plainText: file("text/plain"),
    prefill: { ...asking, messages: [...asking.messages, { role: "assistant", content: "Because" }] },
    presencePenalty: { ...asking, presencePenalty: -1 },
    reasoning: thought({ signature: "c2ln" }),
    results: called("a", { content: [{ type: "image", source: { url: "https://example.test/a.png" } }] }),
    seed: { ...asking, seed: 7 },
    serviceTier: { ...asking, serviceTier: "priority" },
    tierName: { ...asking, serviceTier: "standard_only" },
    toolChoice: { ...asking, toolChoice: { tool: "f" } },
    topK: { ...asking, topK: 7 },
    uploaded: uploaded("anthropic-messages"),
    user: { ...asking, user: "u-1" }
  },
  "openai-embeddings": {
    dimensions: { ...asking, dimensions: 8 },
    user: { ...asking, user: "u-1" }
  }
}
