import { AnthropicMessages, type ChatEvent, type Protocol } from "@clawback/providers"
import { LLMock } from "@copilotkit/aimock"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { seeded } from "../../../test/support/random.ts"
import { ofEvents, ofResponse, ofSdk } from "./support/anthropicAnswer.ts"
import * as Sdk from "./support/anthropicSdk.ts"
import { cases } from "./support/anthropicStreams.ts"
import * as Wire from "./support/anthropicWire.ts"

const peer: Protocol.Peer = { provider: "anthropic", redact: (text) => text.replaceAll("sk-secret", "<redacted>") }
const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)

const decode = (chunks: Iterable<Uint8Array>) => {
  const decoder = AnthropicMessages.protocol.makeDecoder(peer)
  const events: Array<ChatEvent.ChatEvent> = []
  for (const chunk of chunks) events.push(...decoder.push(chunk))
  events.push(...decoder.end())
  return { events, failure: decoder.failure, isDone: decoder.isDone }
}

/** The same text in as few deltas as can be, since how it is cut is not the answer. */
const whole = (text: string) => decode([utf8(text)])

const names = new Map(cases.map((one) => [one.name, one]))

describe("a stream", () => {
  it("has a hundred cases or more together with those of the other server", () => {
    assert.strictEqual(names.size, cases.length)
    assert.isAtLeast(cases.length + 30, 100)
  })

  it.each(cases)("decodes as by the vendor's SDK: $name", async ({ text }) => {
    const { events, failure, isDone } = whole(text)
    assert.isUndefined(failure)
    assert.isTrue(isDone)
    assert.deepStrictEqual(ofEvents(events), ofSdk(await Sdk.decodedStream(text)))
  })

  it.each(cases.filter(({ text }) => utf8(text).length <= 4096))(
    "decodes to the same events cut in two at any byte: $name",
    ({ text }) => {
      const bytes = utf8(text)
      const expected = JSON.stringify(decode([bytes]))
      for (let at = 1; at < bytes.length; at++) {
        if (JSON.stringify(decode([bytes.subarray(0, at), bytes.subarray(at)])) === expected) continue
        assert.fail(`cut at ${at}: ${JSON.stringify(decode([bytes.subarray(0, at), bytes.subarray(at)]))}`)
      }
    }
  )

  it.each(cases)("decodes to the same events however it is cut: $name", ({ text }) => {
    const bytes = utf8(text)
    const expected = decode([bytes])
    assert.deepStrictEqual(decode(Array.from(bytes, (byte) => Uint8Array.of(byte))), expected)
    const random = seeded(bytes.length)
    for (let round = 0; round < 200; round++) {
      const chunks: Array<Uint8Array> = []
      for (let at = 0; at < bytes.length;) {
        const size = 1 + Math.floor(random() * 200)
        chunks.push(bytes.subarray(at, at + size))
        at += size
      }
      assert.deepStrictEqual(decode(chunks), expected)
    }
  })
})

describe("a stream of another server", () => {
  const mock = new LLMock({ port: 0, logLevel: "silent" })
  const thoughts = ["", "Hm.", "Let me think about the weather in Bergen, which is wet."]
  const texts = ["", "It rains.", "Grüße aus Bergen 🌧️", "line\nbreak and \"quotes\""]
  const answers = thoughts.flatMap((reasoning) =>
    [
      texts.flatMap((content) => [1, 7].map((chunkSize) => ({ content, reasoning, chunkSize, calls: 0 }))),
      [1, 3].flatMap((calls) => texts.slice(0, 2).map((content) => ({ content, reasoning, chunkSize: 5, calls })))
    ].flat()
  )

  beforeAll(async () => {
    for (const [index, { calls, chunkSize, content, reasoning }] of answers.entries()) {
      const toolCalls = Array.from({ length: calls }, (_, n) => ({
        id: `toolu_${n}`,
        name: "weather",
        arguments: JSON.stringify({ city: "Bergen", n })
      }))
      mock.addFixtures([{
        match: { userMessage: `case ${index}.` },
        chunkSize,
        response: {
          ...((content !== "" || calls === 0) && { content }),
          ...(calls > 0 && { toolCalls }),
          ...(reasoning !== "" && { reasoning, redactedThinking: index % 2 === 0 ? ["b3BhcXVl"] : [] }),
          usage: { input_tokens: 10 + index, output_tokens: 3 + index }
        }
      }])
    }
    await mock.start()
  })
  afterAll(() => mock.stop())

  const ask = async (index: number, stream: boolean) => {
    const response = await fetch(`${mock.url}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": "sk-nobody", "anthropic-version": "2023-06-01" },
      body: JSON.stringify({
        model: "claude-sonnet-5-5",
        max_tokens: 100,
        stream,
        messages: [{ role: "user", content: `case ${index}.` }]
      })
    })
    const text = await response.text()
    assert.strictEqual(response.status, 200, text)
    return text
  }

  it.each(Array.from(answers.entries(), ([index, answer]) => Object.assign(answer, { index })))(
    "decodes as by the vendor's SDK, whole and streamed: $calls calls, $reasoning, $content, by $chunkSize",
    async ({ calls, content, index, reasoning }) => {
      const text = await ask(index, true)
      const { events, failure } = whole(text)
      assert.isUndefined(failure)
      const answer = ofEvents(events)
      assert.deepStrictEqual(answer, ofSdk(await Sdk.decodedStream(text)))
      assert.strictEqual(answer.pieces.filter((piece) => "call" in piece).length, calls)
      assert.strictEqual(answer.pieces.map((piece) => "text" in piece ? piece.text : "").join(""), content)
      assert.strictEqual(answer.pieces.map((piece) => "thinking" in piece ? piece.thinking : "").join(""), reasoning)
      assert.deepInclude(answer.usage, { input: 10 + index, output: 3 + index })

      const body = await ask(index, false)
      const response = AnthropicMessages.protocol.decodeResponse(peer, { status: 200, headers: {}, body })
      const inOnePiece = ofResponse(Result.getOrThrow(response))
      assert.deepStrictEqual(inOnePiece, ofSdk(await Sdk.decodedBody(JSON.parse(body))))
      assert.deepStrictEqual({ ...inOnePiece, id: "" }, { ...answer, id: "" })
    }
  )
})

const before = Wire.starts() + Wire.text(0, "It ", "rains")
const delivered = whole(before).events

describe("a stream that is not whole", () => {
  it("fails as truncated wherever it ends before its message stops", () => {
    const bytes = utf8(before + Wire.call(1, "toolu_1", "weather", "{}") + Wire.stops("tool_use") + Wire.stop)
    const last = bytes.length - 1
    for (let at = 0; at < last; at++) {
      const { events, failure, isDone } = decode([bytes.subarray(0, at)])
      assert.isFalse(isDone)
      assert.deepInclude(failure, { _tag: "StreamTruncated", provider: "anthropic", delivered: events.length })
      assert.isFalse(events.some(({ _tag }) => _tag === "Finished" || _tag === "Used"))
    }
  })

  it("keeps the events that were delivered", () => {
    assert.deepStrictEqual(delivered.map(({ _tag }) => _tag), ["Started", "TextDelta", "TextDelta"])
  })

  it.each([
    ["overloaded_error", "Overloaded", 529],
    ["api_error", "ProviderFailed", 500],
    ["timeout_error", "ProviderFailed", 504],
    ["rate_limit_error", "RateLimited", 429],
    ["invalid_request_error", "RequestRejected", 400],
    ["authentication_error", "AuthenticationFailed", 401],
    ["billing_error", "QuotaExhausted", 402],
    ["some_new_error", "ProviderFailed", 500]
  ])("fails with an error that arrives after its head: %s", (type, tag, status) => {
    const { events, failure, isDone } = whole(before + Wire.errors(type, "sk-secret is tired") + Wire.stop)
    assert.isFalse(isDone)
    assert.deepStrictEqual(events, delivered)
    assert.strictEqual(failure?._tag, tag)
    assert.deepInclude(failure, { status, detail: "<redacted> is tired", code: type, requestId: "req_1" } as object)
  })

  it.each<[string, string]>([
    ["text that is not JSON", "event: content_block_delta\ndata: {\"type\":\n\n"],
    ["JSON that is no object", "event: content_block_delta\ndata: 7\n\n"],
    ["JSON that nests without end", `event: content_block_delta\ndata: ${"[".repeat(9999)}${"]".repeat(9999)}\n\n`],
    ["a second start", Wire.starts()],
    ["a block without a number", Wire.event({ type: "content_block_stop" })],
    ["a block without a type", Wire.begins(1, {})],
    ["a block that has begun already", Wire.begins(1, { type: "text", text: "" }).repeat(2)],
    ["a piece of no block", Wire.delta(7, { type: "text_delta", text: "." })],
    ["a tool call without a name", Wire.begins(1, { type: "tool_use", id: "toolu_1", input: {} })],
    ["redacted thinking without data", Wire.begins(1, { type: "redacted_thinking" })],
    [
      "input that is no text",
      Wire.begins(1, { type: "tool_use", id: "toolu_1", name: "a", input: {} }) +
      Wire.delta(1, { type: "input_json_delta", partial_json: {} })
    ]
  ])("fails if the provider violates its own format: %s", (_, text) => {
    const { events, failure } = whole(before + text + Wire.stops("end_turn") + Wire.stop)
    assert.strictEqual(failure?._tag, "InvalidResponse")
    assert.deepStrictEqual(events.slice(0, delivered.length), delivered)
    assert.isFalse(events.some(({ _tag }) => _tag === "Finished"))
  })

  it("fails if a message continues that has not begun", () => {
    assert.strictEqual(whole(Wire.text(0, "It rains") + Wire.stop).failure?._tag, "InvalidResponse")
  })
})

const used = (text: string) => whole(text).events.find(({ _tag }) => _tag === "Used")

describe("the events of a stream", () => {
  it("are emitted with the bytes that complete them, thinking and calls piece by piece", () => {
    const decoder = AnthropicMessages.protocol.makeDecoder(peer)
    const push = (text: string) => decoder.push(utf8(text)).map(({ _tag }) => _tag)
    assert.deepStrictEqual(push(Wire.starts()), ["Started"])
    assert.deepStrictEqual(push(Wire.ping), [])
    assert.deepStrictEqual(push(": keep-alive\n\n"), [])
    assert.deepStrictEqual(push(Wire.begins(0, { type: "thinking", thinking: "", signature: "" })), [])
    assert.deepStrictEqual(push(Wire.delta(0, { type: "thinking_delta", thinking: "Hm." })), ["ReasoningDelta"])
    assert.deepStrictEqual(push(Wire.delta(0, { type: "signature_delta", signature: "c2ln" })), [])
    assert.deepStrictEqual(push(Wire.ends(0)), ["ReasoningSigned"])
    assert.deepStrictEqual(push(Wire.begins(1, { type: "tool_use", id: "t", name: "a", input: {} })), [
      "ToolCallStarted"
    ])
    assert.deepStrictEqual(push(Wire.delta(1, { type: "input_json_delta", partial_json: "{" })), ["ToolCallDelta"])
    assert.deepStrictEqual(push(Wire.delta(1, { type: "input_json_delta", partial_json: "}" })), ["ToolCallDelta"])
    assert.deepStrictEqual(push(Wire.ends(1)), [])
    assert.deepStrictEqual(push(Wire.stops("tool_use")), [])
    assert.isFalse(decoder.isFinished)
    assert.deepStrictEqual(push(Wire.stop), ["Finished", "Used"])
    assert.isTrue(decoder.isFinished)
    assert.isTrue(decoder.isDone)
    assert.deepStrictEqual(push(Wire.starts()), [])
  })

  it.each<[string, string, ChatEvent.FinishReason]>([
    ["end_turn", "end_turn", "stop"],
    ["stop_sequence", "stop_sequence", "stop"],
    ["max_tokens", "max_tokens", "length"],
    ["model_context_window_exceeded", "model_context_window_exceeded", "length"],
    ["tool_use", "tool_use", "tool-calls"],
    ["refusal", "refusal", "content-filter"],
    ["pause_turn", "pause_turn", "other"],
    ["a new one", "hologram", "other"],
    ["one that is a word of JavaScript's", "constructor", "other"]
  ])("state why it stopped: %s", (_, raw, reason) => {
    const finished = whole(before + Wire.stops(raw) + Wire.stop).events.find(({ _tag }) => _tag === "Finished")
    assert.deepInclude(finished, { reason, raw } as object)
  })

  it("leave counts undefined that were not reported", () => {
    assert.isUndefined(used(Wire.starts({}) + Wire.stops("end_turn", {}) + Wire.stop))
    assert.deepStrictEqual(used(Wire.starts({}) + Wire.stops("end_turn", { output_tokens: 0 }) + Wire.stop), {
      _tag: "Used",
      inputTokens: undefined,
      cachedInputTokens: undefined,
      cacheWriteTokens: undefined,
      outputTokens: 0,
      reasoningTokens: undefined,
      raw: { output_tokens: 0 }
    })
  })

  it("do not count the output by the number at the start", () => {
    const { events } = whole(
      Wire.starts({ input_tokens: 25, output_tokens: 1 }) + Wire.stops("end_turn", {}) + Wire.stop
    )
    assert.deepInclude(
      events.find(({ _tag }) => _tag === "Used"),
      { inputTokens: 25, outputTokens: undefined } as object
    )
  })

  it("keep the caller of a tool if it is not the model, and the reason of a refusal", () => {
    const caller = { type: "code_execution_20250825", tool_id: "srvtoolu_1" }
    const stop_details = { type: "refusal", category: "cyber", explanation: "No." }
    const { events } = whole(
      Wire.starts() + Wire.whole(0, { type: "tool_use", id: "t", name: "a", input: {}, caller }) +
        Wire.stops("refusal", undefined, { stop_details }) + Wire.stop
    )
    const extras = events.map((event) => "extras" in event ? event.extras?.["anthropic-messages"] : undefined)
    assert.deepStrictEqual(extras.filter((extra) => extra !== undefined), [{ caller }, { stop_details }])
  })
})
