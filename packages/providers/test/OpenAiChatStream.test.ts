import { type ChatEvent, type Codec, OpenAiChat, type ProviderError } from "@clawback/providers"
import { LLMock } from "@copilotkit/aimock"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { seeded } from "../../../test/support/random.ts"
import { ofChunks, ofCompletion, ofEvents } from "./support/openAiAnswer.ts"
import * as OpenAiSdk from "./support/openAiSdk.ts"
import { cases } from "./support/openAiStreams.ts"
import {
  chunk,
  concat,
  done,
  finishes,
  says,
  started,
  stopped,
  text,
  thought,
  tokens,
  used,
  utf8
} from "./support/openAiWire.ts"

/** What another server says: `@copilotkit/aimock`, which nobody here wrote. */
const others = ["", "It rains.", "Grüße aus Bergen 🌧️", "line\nbreak and \"quotes\""].flatMap((content) =>
  [1, 7, 100].flatMap((chunkSize) => [0, 1, 3].map((calls) => ({ content, chunkSize, calls })))
)

const peer: Codec.Peer = { provider: "openai", redact: (text) => text }

/** The bytes from each cut to the next. */
const cut = (bytes: Uint8Array, cuts: ReadonlyArray<number>): ReadonlyArray<Uint8Array> =>
  [...cuts.toSorted((a, b) => a - b), bytes.byteLength].map((end, i, ends) => bytes.subarray(ends[i - 1] ?? 0, end))

interface Decoded {
  readonly events: ReadonlyArray<ChatEvent.ChatEvent>
  readonly isDone: boolean
  readonly failure: ProviderError.ProviderError | undefined
}

const decode = (chunks: ReadonlyArray<Uint8Array>): Decoded => {
  const decoder = OpenAiChat.codec.makeDecoder(peer)
  const events = [...chunks.flatMap((chunk) => decoder.push(chunk)), ...decoder.end()]
  return { events, isDone: decoder.isDone, failure: decoder.failure }
}

const decodeText = (text: string): Decoded => decode([utf8(text)])

const plain = says({ role: "assistant", content: "" }) + says({ content: "Hello" }) + says({ content: ", wörld 🌍" }) +
  finishes("stop") + chunk({ usage: tokens(11, 7) }) + done

const tools = says({ role: "assistant", content: null, reasoning_content: "Two cities." }) +
  says({ tool_calls: [{ index: 0, id: "call_a", type: "function", function: { name: "weather", arguments: "" } }] }) +
  says({ tool_calls: [{ index: 0, function: { arguments: "{\"city\":" } }] }) +
  says({ tool_calls: [{ index: 1, id: "call_b", type: "function", function: { name: "time", arguments: "{" } }] }) +
  says({
    tool_calls: [{ index: 1, function: { arguments: "\"zone\"" } }, { index: 0, function: { arguments: "\"Łódź\"" } }]
  }) +
  says({ tool_calls: [{ index: 0, function: { arguments: "}" } }] }) +
  says({ tool_calls: [{ index: 1, function: { arguments: ":\"CET\"}" } }] }) +
  finishes("tool_calls") + chunk({ usage: tokens(20, 30) }) + done

const refused = says({ role: "assistant", refusal: "" }) + says({ refusal: "I'm sorry, " }) +
  says({ refusal: "no." }) + finishes("stop", { usage: tokens(5, 6) }) + done

const noisy = "\uFEFF: welcome\r\n\r\nretry: 3000\r\n\r\n: ping\r\n\r\nevent: message\r\nid: 7\r\n" +
  plain.replaceAll("\n", "\r\n") + ": bye\r\n\r\n"

const cutOff = says({ content: "Half of it" }) + says({ content: " and" }) + "data: {\"choi"

const failing = says({ content: "Well" }) +
  `data: {"error":{"message":"Too busy","type":"server_error","code":"slow_down"}}\n\n` + says({ content: "lost" })

const malformed = says({ content: "Well" }) + "data: {not json}\n\n" + says({ content: "lost" })

const notUtf8 = concat(utf8(says({ content: "Well" })), Uint8Array.of(0xff, 0xfe, 10, 10), utf8(plain))

const weatherCall = (text: string) => ({ index: 0, id: "call_a", function: { name: "weather", arguments: text } })

describe("the decoder of a stream", () => {
  it("gives text as it comes, and the usage last", () => {
    assert.deepStrictEqual(decodeText(plain), {
      events: [started, text("Hello"), text(", wörld 🌍"), stopped, used(11, 7)],
      isDone: true,
      failure: undefined
    })
  })

  it("tells parallel tool calls apart whose fragments come mixed", () => {
    assert.deepStrictEqual(decodeText(tools).events, [
      started,
      thought("Two cities."),
      { _tag: "ToolCallStarted", index: 0, id: "call_a", name: "weather" },
      { _tag: "ToolCallDelta", index: 0, arguments: "{\"city\":" },
      { _tag: "ToolCallStarted", index: 1, id: "call_b", name: "time" },
      { _tag: "ToolCallDelta", index: 1, arguments: "{" },
      { _tag: "ToolCallDelta", index: 1, arguments: "\"zone\"" },
      { _tag: "ToolCallDelta", index: 0, arguments: "\"Łódź\"" },
      { _tag: "ToolCallDelta", index: 0, arguments: "}" },
      { _tag: "ToolCallDelta", index: 1, arguments: ":\"CET\"}" },
      { _tag: "Finished", reason: "tool-calls", raw: "tool_calls" },
      used(20, 30)
    ])
  })

  it("begins a tool call once where a server repeats its id and name", () => {
    assert.deepStrictEqual(
      decodeText(
        says({ tool_calls: [weatherCall("{")] }) + says({ tool_calls: [weatherCall("}")] }) + finishes("tool_calls")
      ).events,
      [
        started,
        { _tag: "ToolCallStarted", index: 0, id: "call_a", name: "weather" },
        { _tag: "ToolCallDelta", index: 0, arguments: "{" },
        { _tag: "ToolCallDelta", index: 0, arguments: "}" },
        { _tag: "Finished", reason: "tool-calls", raw: "tool_calls" }
      ]
    )
  })

  // As compatible servers send them.
  it.each<[string, ReadonlyArray<ReadonlyArray<object>>, ReadonlyArray<readonly [string, string, string]>]>([
    [
      "without an index, each whole",
      [[{ id: "a", function: { name: "f", arguments: "{}" } }], [{
        id: "b",
        function: { name: "f", arguments: "[]" }
      }]],
      [["a", "f", "{}"], ["b", "f", "[]"]]
    ],
    [
      "without an index, both in one chunk",
      [[{ id: "a", function: { name: "f", arguments: "{}" } }, { id: "b", function: { name: "g", arguments: "[]" } }]],
      [["a", "f", "{}"], ["b", "g", "[]"]]
    ],
    [
      "without an index, in fragments of which only the first has an id",
      [
        [{ id: "a", function: { name: "f", arguments: "{" } }],
        [{ function: { arguments: "}" } }],
        [{ id: "b", function: { name: "f" } }],
        [{ id: "", function: { arguments: "[]" } }]
      ],
      [["a", "f", "{}"], ["b", "f", "[]"]]
    ],
    [
      "without an index, in fragments that come mixed",
      [
        [{ id: "a", function: { name: "f", arguments: "{" } }, { id: "b", function: { name: "f", arguments: "[" } }],
        [{ id: "a", function: { arguments: "}" } }, { id: "b", function: { arguments: "]" } }]
      ],
      [["a", "f", "{}"], ["b", "f", "[]"]]
    ],
    [
      "all at index 0",
      [
        [{ index: 0, id: "a", function: { name: "f", arguments: "{}" } }],
        [{ index: 0, id: "b", function: { name: "f", arguments: "[" } }],
        [{ index: 0, function: { arguments: "]" } }]
      ],
      [["a", "f", "{}"], ["b", "f", "[]"]]
    ],
    [
      "numbered from 1",
      [
        [{ index: 1, id: "a", function: { name: "f", arguments: "{" } }],
        [{ index: 2, id: "b", function: { name: "f", arguments: "[]" } }],
        [{ index: 1, function: { arguments: "}" } }]
      ],
      [["a", "f", "{}"], ["b", "f", "[]"]]
    ],
    [
      "with an id that changes within a call",
      [
        [{ index: 0, id: "a", function: { name: "f", arguments: "{" } }],
        [{ index: 0, id: "x", function: { arguments: "}" } }]
      ],
      [["a", "f", "{}"]]
    ]
  ])("tells tool calls apart that come %s", (_, deltas, expected) => {
    const { choices } = ofEvents(
      decodeText(
        deltas.map((calls) => chunk({ choices: [{ index: 0, delta: { tool_calls: calls } }] })).join("") +
          finishes("tool_calls")
      ).events
    )
    assert.deepStrictEqual(choices[0]?.calls, expected.map(([id, name, text]) => ({ id, name, arguments: text })))
  })

  it("keeps a refusal apart from text", () => {
    assert.deepStrictEqual(decodeText(refused).events, [
      started,
      { _tag: "RefusalDelta", text: "I'm sorry, " },
      { _tag: "RefusalDelta", text: "no." },
      stopped,
      used(5, 6)
    ])
  })

  it.each([
    ["stop", "stop"],
    ["length", "length"],
    ["tool_calls", "tool-calls"],
    ["function_call", "tool-calls"],
    ["content_filter", "content-filter"],
    ["something_new", "other"]
  ])("knows the finish reason %s as %s and keeps the provider's word", (raw, reason) => {
    assert.deepStrictEqual(decodeText(finishes(raw) + done).events, [
      started,
      { _tag: "Finished", reason, raw } as ChatEvent.Finished
    ])
  })

  it("takes the last usage where every chunk carries one", () => {
    const { events } = decodeText(
      says({ content: "a" }, { usage: tokens(9, 1) }) + says({ content: "b" }, { usage: tokens(9, 2) }) +
        finishes("stop", { usage: tokens(9, 3) }) + done
    )
    assert.deepStrictEqual(events, [started, text("a"), text("b"), stopped, used(9, 3)])
  })

  it("does not forget a usage for the null of a later chunk", () => {
    const { events } = decodeText(
      finishes("stop", { usage: tokens(9, 3) }) + chunk({ usage: null }) + done
    )
    assert.deepStrictEqual(events, [started, stopped, used(9, 3)])
  })

  it("leaves usage unknown where the provider did not count, which is not zero", () => {
    assert.deepStrictEqual(decodeText(says({ content: "a" }) + finishes("stop") + done).events, [
      started,
      text("a"),
      stopped
    ])
    assert.deepStrictEqual(
      decodeText(finishes("stop", { usage: { prompt_tokens: 4, completion_tokens: 0 } }) + done).events.at(-1),
      {
        _tag: "Used",
        inputTokens: 4,
        cachedInputTokens: undefined,
        cacheWriteTokens: undefined,
        outputTokens: 0,
        reasoningTokens: undefined,
        raw: { prompt_tokens: 4, completion_tokens: 0 }
      }
    )
  })

  it("needs no [DONE] once the answer has finished", () => {
    const { events, failure, isDone } = decodeText(says({ content: "a" }) + finishes("stop"))
    assert.deepStrictEqual({ events, failure, isDone }, {
      events: [started, text("a"), stopped],
      failure: undefined,
      isDone: true
    })
  })

  it("knows that the answer is whole as soon as [DONE] has come", () => {
    const decoder = OpenAiChat.codec.makeDecoder(peer)
    decoder.push(utf8(plain.slice(0, -done.length)))
    assert.isFalse(decoder.isDone)
    decoder.push(utf8(done))
    assert.isTrue(decoder.isDone)
    assert.deepStrictEqual(decoder.push(utf8(plain)), [])
    assert.deepStrictEqual(decoder.end(), [])
  })

  it.each([
    ["nothing at all", "", 0],
    ["its first event", says({ content: "a" }), 2],
    ["half an event", cutOff, 3],
    ["[DONE] without a finish", says({ content: "a" }) + done, 2],
    ["a finish whose event is not complete", says({ content: "a" }) + finishes("stop").slice(0, -1), 2]
  ])("fails as truncated, with the count of what it delivered, after %s", (_, bytes, delivered) => {
    const { events, failure, isDone } = decodeText(bytes)
    assert.isFalse(isDone)
    assert.strictEqual(events.length, delivered)
    assert.deepInclude(failure, { _tag: "StreamTruncated", provider: "openai", delivered })
  })

  it("passes over a byte order mark, comments, pings, retry lines, ids and carriage returns", () => {
    assert.deepStrictEqual(decodeText(noisy), decodeText(plain))
    assert.deepStrictEqual(decodeText(plain.replaceAll("\n", "\r")), decodeText(plain))
  })

  it("reads an event whose data is spread over several lines", () => {
    const pretty = plain.replaceAll("\"choices\":", "\ndata: \"choices\":")
    assert.deepStrictEqual(decodeText(pretty), decodeText(plain))
  })

  it("passes over padding, pings and what is no choice", () => {
    const { events } = decodeText(
      "event: ping\ndata: {}\n\n" + chunk({ obfuscation: "x" }) + says({ content: "a" }) + "event: ping\ndata: {}\n\n" +
        chunk({ choices: [null, 3] }) + finishes("stop") + done
    )
    assert.deepStrictEqual(events, [started, text("a"), stopped])
  })

  it.each<[string, string, ProviderError.ProviderError["_tag"], string | undefined]>([
    [
      "a server error",
      "{\"message\":\"Oops\",\"type\":\"server_error\",\"code\":null}",
      "ProviderFailed",
      "server_error"
    ],
    [
      "a rate limit",
      "{\"message\":\"Oops\",\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\"}",
      "RateLimited",
      "rate_limit_exceeded"
    ],
    [
      "a used up quota",
      "{\"message\":\"Oops\",\"type\":\"insufficient_quota\",\"code\":null}",
      "QuotaExhausted",
      "insufficient_quota"
    ],
    [
      "a bad request",
      "{\"message\":\"Oops\",\"type\":\"invalid_request_error\",\"code\":\"context_length_exceeded\"}",
      "ContextTooLong",
      "context_length_exceeded"
    ],
    ["an error of no known kind", "{\"message\":\"Oops\"}", "ProviderFailed", undefined]
  ])("fails typed when the stream turns into %s, and keeps what came before", (_, error, tag, code) => {
    const { events, failure } = decodeText(says({ content: "a" }) + `data: {"error":${error}}\n\n` + plain)
    assert.deepStrictEqual(events, [started, text("a")])
    assert.deepInclude(failure, { _tag: tag, detail: "Oops", code } as object)
  })

  it("takes a status that comes late, as the error's code, for the status", () => {
    const errors = [429, 401, 503, 7].map((code) => `data: {"error":{"message":"Oops","code":${code}}}\n\n`)
    assert.deepStrictEqual(errors.map((error) => decodeText(error).failure?._tag), [
      "RateLimited",
      "AuthenticationFailed",
      "Overloaded",
      "ProviderFailed"
    ])
  })

  it("does not run a tool without the arguments that came as something else than a text", () => {
    const { failure } = decodeText(
      chunk({
        choices: [{
          index: 0,
          delta: { tool_calls: [{ index: 0, id: "c", function: { name: "f", arguments: { a: 1 } } }] }
        }]
      })
    )
    assert.strictEqual(failure?._tag, "InvalidResponse")
  })

  it("reads the text of content that comes in parts", () => {
    const { events } = decodeText(chunk({ choices: [{ index: 0, delta: { content: [{ type: "text", text: "a" }] } }] }))
    assert.deepStrictEqual(events, [started, text("a")])
  })

  it("fails as the provider's error where that is a mere string or an event named error", () => {
    for (const event of [`data: {"error":"Oops"}\n\n`, `event: error\ndata: {"message":"Oops"}\n\n`]) {
      const { events, failure } = decodeText(says({ content: "a" }) + event + plain)
      assert.deepStrictEqual(events, [started, text("a")])
      assert.strictEqual(failure?._tag, "ProviderFailed")
      assert.include(failure?.message, "Oops")
    }
  })

  it.each([
    ["what is not JSON", "data: {not json}\n\n"],
    ["JSON that is no object", "data: 7\n\n"],
    [
      "a tool call without an id",
      says({ tool_calls: [{ index: 0, function: { name: "weather", arguments: "{}" } }] })
    ],
    [
      "a tool call without index and id",
      chunk({ choices: [{ delta: { tool_calls: [{ function: { name: "g", arguments: "{}" } }] } }] })
    ],
    ["a tool call without a name", says({ tool_calls: [{ index: 0, id: "call_a", function: { arguments: "{}" } }] })]
  ])("fails on %s, and keeps what came before", (_, bytes) => {
    const { events, failure, isDone } = decodeText(says({ content: "a" }) + bytes + plain)
    assert.strictEqual(failure?._tag, "InvalidResponse")
    assert.deepStrictEqual(events, [started, text("a")])
    assert.isFalse(isDone)
  })

  it("fails on bytes that are not UTF-8, and keeps what came before", () => {
    const { events, failure } = decode([notUtf8])
    assert.strictEqual(failure?._tag, "InvalidResponse")
    assert.deepStrictEqual(events, [started, text("Well")])
  })

  it("says nothing more once it has failed", () => {
    const decoder = OpenAiChat.codec.makeDecoder(peer)
    decoder.push(utf8(malformed))
    const { failure } = decoder
    assert.deepStrictEqual(decoder.push(utf8(plain)), [])
    assert.deepStrictEqual(decoder.end(), [])
    assert.strictEqual(decoder.failure, failure)
  })

  describe("however the bytes are cut", () => {
    const streams: ReadonlyArray<readonly [string, Uint8Array]> = [
      ["text", utf8(plain)],
      ["tool calls", utf8(tools)],
      ["a refusal", utf8(refused)],
      ["noise", utf8(noisy)],
      ["carriage returns only", utf8(plain.replaceAll("\n", "\r"))],
      ["a truncated answer", utf8(cutOff)],
      ["an error", utf8(failing)],
      ["malformed data", utf8(malformed)],
      ["bytes that are not UTF-8", notUtf8]
    ]

    it.each(streams)("two pieces of %s say what the whole says", (_, bytes) => {
      const whole = decode([bytes])
      for (let at = 0; at <= bytes.byteLength; at++) {
        assert.deepStrictEqual(decode(cut(bytes, [at])), whole, `cut at ${at}`)
      }
    })

    it.each(streams)("single bytes of %s say what the whole says", (_, bytes) => {
      assert.deepStrictEqual(decode(Array.from(bytes, (byte) => Uint8Array.of(byte))), decode([bytes]))
    })

    const at = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3000 }))
    it.effect.prop("any pieces of any stream say what the whole says", [
      Schema.Array(at),
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: streams.length - 1 }))
    ], ([cuts, which]) =>
      Effect.sync(() => {
        const bytes = streams[which]![1]
        const pieces = cut(bytes, cuts.map((at) => at % (bytes.byteLength + 1)))
        assert.deepStrictEqual(decode(pieces), decode([bytes]))
      }), { arbitrary: { runs: 200 } })
  })

  // C1, C8: what OpenAI's own SDK reads out of the same bytes.
  describe("understands as OpenAI's SDK does", () => {
    it("a hundred streams or more, with those of another server", () => {
      assert.strictEqual(new Set(cases.map(({ name }) => name)).size, cases.length)
      assert.isAtLeast(cases.length + others.length, 100)
    })

    it.effect.each(cases)("$name", ({ text }) =>
      Effect.gen(function*() {
        const { events, failure, isDone } = decodeText(text)
        assert.isUndefined(failure)
        assert.isTrue(isDone)
        const chunks = yield* Effect.promise(() => OpenAiSdk.chunks(utf8(text)))
        const answer = ofEvents(events)
        assert.deepStrictEqual(answer, ofChunks(chunks))
        // As the SDK itself puts an answer together, which it does only where a server says whose it is, as OpenAI's does.
        if (!text.includes("\"role\":")) return
        const whole = yield* Effect.promise(() => OpenAiSdk.completion(utf8(text)))
        assert.deepStrictEqual({ ...ofCompletion(whole), usage: answer.usage }, answer)
      }))
  })

  describe("however the bytes of those are cut", () => {
    it.each(cases.filter(({ text }) => utf8(text).byteLength <= 4096))("in two: $name", ({ text }) => {
      const bytes = utf8(text)
      const whole = JSON.stringify(decode([bytes]))
      for (let at = 1; at < bytes.byteLength; at++) {
        const same = JSON.stringify(decode(cut(bytes, [at]))) === whole
        if (!same) assert.fail(`cut at ${at}`)
      }
    })

    it.each(cases.filter(({ text }) => text.length <= 65_536))("byte by byte, and at random: $name", ({ text }) => {
      const bytes = utf8(text)
      const whole = decode([bytes])
      assert.deepStrictEqual(decode(Array.from(bytes, (byte) => Uint8Array.of(byte))), whole)
      const random = seeded(bytes.byteLength)
      const wholeText = JSON.stringify(whole)
      for (let round = 0; round < 200; round++) {
        const cuts = Array.from(
          { length: 1 + Math.floor(random() * 20) },
          () => Math.floor(random() * bytes.byteLength)
        )
        if (JSON.stringify(decode(cut(bytes, cuts))) !== wholeText) assert.fail(`cut at ${cuts}`)
      }
    })
  })
})

describe("the streams of another server", () => {
  const mock = new LLMock({ port: 0, logLevel: "silent" })
  beforeAll(async () => {
    for (const [index, { calls, chunkSize, content }] of others.entries()) {
      const toolCalls = Array.from({ length: calls }, (_, n) => ({
        id: `call_${index}_${n}`,
        name: "weather",
        arguments: JSON.stringify({ city: "Bergen", days: n, note: content })
      }))
      mock.on(
        { userMessage: `Say number ${index}.` },
        {
          ...(content !== "" || calls === 0 ? { content } : {}),
          ...(calls > 0 && { toolCalls })
        } as Parameters<typeof mock.on>[1],
        { chunkSize }
      )
    }
    await mock.start()
  })
  afterAll(() => mock.stop())

  it.each(others.map((_, index) => ({ index })))(
    "number $index is what OpenAI's SDK makes of it",
    async ({ index }) => {
      const response = await fetch(`${mock.url}/v1/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          model: "gpt-5",
          stream: true,
          stream_options: { include_usage: true },
          messages: [{ role: "user", content: `Say number ${index}.` }]
        })
      })
      const bytes = new Uint8Array(await response.arrayBuffer())
      const { events, failure, isDone } = decode([bytes])
      assert.isUndefined(failure)
      assert.isTrue(isDone)
      assert.deepStrictEqual(ofEvents(events), ofChunks(await OpenAiSdk.chunks(bytes)))
    }
  )
})
