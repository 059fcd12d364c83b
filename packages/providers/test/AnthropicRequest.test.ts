import { AnthropicMessages, type ChatRequest, Protocol } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { cases } from "./support/anthropicRequests.ts"
import * as Sdk from "./support/anthropicSdk.ts"
import { httpRequest } from "./support/httpRequest.ts"

const { protocol } = AnthropicMessages
const inOnePiece: Protocol.Delivery = { stream: false, includeUsage: true }

const asking: ChatRequest.ChatRequest = {
  model: "claude-sonnet-5-5",
  maxOutputTokens: 1024,
  messages: [{ role: "user", content: "Hello." }]
}

const encode = (request: Partial<ChatRequest.ChatRequest>, delivery = inOnePiece) =>
  protocol.encodeRequest({ ...asking, ...request }, delivery)

/** A body as its bytes would be read: without fields that are undefined. */
const sent = (request: Partial<ChatRequest.ChatRequest>, delivery = inOnePiece) =>
  JSON.parse(JSON.stringify(Result.getOrThrow(encode(request, delivery))))

const decode = (body: unknown) => protocol.decodeRequest(httpRequest(JSON.stringify(body)))

/** Without the fields that are undefined. */
const plain = <A>(value: A): A => JSON.parse(JSON.stringify(value))

describe("a request", () => {
  it("has sixty cases or more", () => assert.isAtLeast(cases.length, 60))

  it.each(cases)("is what the vendor's SDK sends: $name", async ({ parameters, request }) => {
    const sdk = await Sdk.sentBody({
      model: "claude-sonnet-5-5",
      max_tokens: 1024,
      messages: asking.messages,
      ...parameters
    })
    assert.deepStrictEqual(sent(request), sdk)
  })

  it.each(cases)("decodes to the same request: $name", ({ back, request }) => {
    const { delivery, request: read } = Result.getOrThrow(decode(sent(request)))
    assert.deepStrictEqual(plain(read), plain({ ...asking, ...(back === undefined ? request : { ...back }) }))
    assert.deepStrictEqual(delivery, inOnePiece)
  })

  it("decodes what the vendor's SDK sends for a stream", async () => {
    const streamed = { stream: true, includeUsage: true }
    const body = await Sdk.sentBody({
      model: "claude",
      max_tokens: 1,
      messages: [{ role: "user", content: "Hi" }],
      stream: true
    })
    assert.deepStrictEqual(Result.getOrThrow(decode(body)).delivery, streamed)
    assert.deepInclude(sent({}, streamed), { stream: true })
  })

  it("states its own delivery, whatever the extras contain", () => {
    const extras = { extras: { "anthropic-messages": { stream: true, model: "other", max_tokens: 3 } } }
    assert.deepStrictEqual(sent(extras), sent({}))
  })

  it("has the version of the API in its headers", () => {
    assert.deepStrictEqual(protocol.request("claude", inOnePiece).headers, { "anthropic-version": "2023-06-01" })
  })
})

describe("a request that the protocol has no form for", () => {
  const sound = { type: "file", source: { mediaType: "audio/wav", data: "UklGRg==" } } as const

  it.each<[string, Partial<ChatRequest.ChatRequest>, RegExp]>([
    ["several answers", { choices: 2 }, /several answers/],
    ["a sound", { messages: [{ role: "user", content: [sound] }] }, /audio\/wav/],
    ["a sound as a result", { messages: [{ role: "tool", toolCallId: "a", content: [sound] }] }, /audio\/wav/],
    [
      "a plain text that is not base64",
      { messages: [{ role: "user", content: [{ type: "file", source: { mediaType: "text/plain", data: "?" } }] }] },
      /base64/
    ],
    [
      "another protocol's part",
      { messages: [{ role: "user", content: [{ type: "native", protocol: "openai-chat", value: {} }] }] },
      /openai-chat/
    ],
    ["another protocol's tool", { tools: [{ protocol: "openai-chat", definition: {} }] }, /openai-chat/]
  ])("is not sent: %s", (_, request, detail) => {
    const failure = Result.getOrThrow(Result.flip(encode(request)))
    assert.instanceOf(failure, Protocol.Unsupported)
    assert.match(failure.detail, detail)
  })
})

describe("a body that is not a request", () => {
  const hello = { role: "user", content: "Hello." }
  const body = { model: "claude", max_tokens: 1, messages: [hello] }
  const block = (block: unknown, role = "user") => ({ ...body, messages: [hello, { role, content: [block] }] })

  it.each<[string, unknown, string]>([
    ["not an object", [], ""],
    ["without a model", { ...body, model: undefined }, "model"],
    ["with an empty model", { ...body, model: "" }, "model"],
    ["without a limit", { ...body, max_tokens: undefined }, "max_tokens"],
    ["with a limit that is no count", { ...body, max_tokens: -1 }, "max_tokens"],
    ["without messages", { ...body, messages: undefined }, "messages"],
    ["with a message that is none", { ...body, messages: [hello, 7] }, "messages[1]"],
    ["with a role that is none", { ...body, messages: [{ ...hello, role: "tool" }] }, "messages[0].role"],
    ["without content", { ...body, messages: [{ role: "user" }] }, "messages[0].content"],
    ["with a block that is none", block("Hi"), "messages[1].content[0]"],
    ["with a block without a type", block({ text: "Hi" }), "messages[1].content[0].type"],
    ["with a text without text", block({ type: "text" }), "messages[1].content[0].text"],
    ["with a result for nothing", block({ type: "tool_result", content: "1" }), "messages[1].content[0].tool_use_id"],
    [
      "with a result's part that is none",
      block({ type: "tool_result", tool_use_id: "a", content: [{ type: "text" }] }),
      "messages[1].content[0].content[0].text"
    ],
    [
      "with a call without a name",
      block({ type: "tool_use", id: "a", input: {} }, "assistant"),
      "messages[1].content[0].name"
    ],
    [
      "with a call's input that is none",
      block({ type: "tool_use", id: "a", name: "f", input: "{}" }, "assistant"),
      "messages[1].content[0].input"
    ],
    [
      "with thinking without thought",
      block({ type: "thinking", signature: "s" }, "assistant"),
      "messages[1].content[0].thinking"
    ],
    ["with a system that shows an image", { ...body, system: [{ type: "image" }] }, "system[0].type"],
    [
      "with a system that changes the tools",
      { ...body, system: [{ type: "tool_addition", tool: {} }] },
      "system[0].type"
    ],
    [
      "with a system message that shows an image",
      { ...body, messages: [hello, { role: "system", content: [{ type: "image" }] }] },
      "messages[1].content[0].type"
    ],
    ["with a tool without a schema", { ...body, tools: [{ name: "f" }] }, "tools[0].input_schema"],
    ["with a choice that is none", { ...body, tool_choice: { type: "some" } }, "tool_choice.type"],
    [
      "with a choice that is a word of JavaScript's",
      { ...body, tool_choice: { type: "constructor" } },
      "tool_choice.type"
    ],
    ["with a temperature that is none", { ...body, temperature: "hot" }, "temperature"],
    ["with a stop that is none", { ...body, stop_sequences: ["a", 1] }, "stop_sequences[1]"],
    ["with thinking without a budget", { ...body, thinking: { type: "enabled" } }, "thinking.budget_tokens"],
    ["with a stream that is neither", { ...body, stream: "yes" }, "stream"]
  ])("is rejected with the path of the mistake: %s", (_, body, path) => {
    const failure = Result.getOrThrow(Result.flip(decode(body)))
    assert.instanceOf(failure, Protocol.RequestInvalid)
    assert.deepInclude(failure, { protocol: "anthropic-messages", path } as object)
  })

  it.each(["", "{", "nonsense", "[".repeat(100_000), `{"a":${"[".repeat(9999)}${"]".repeat(9999)}}`])(
    "is rejected if it is not JSON or nests too deep",
    (text) => {
      assert.instanceOf(
        Result.getOrThrow(Result.flip(protocol.decodeRequest(httpRequest(text)))),
        Protocol.RequestInvalid
      )
    }
  )
})
