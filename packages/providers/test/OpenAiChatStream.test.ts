import { type ChatEvent, OpenAiChat, type ProviderError } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { ofEvents } from "./support/openAiAnswer.ts"
import { cut, decode, decodeText, peer } from "./support/openAiDecoded.ts"
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

const note = (value: object) => ({ _tag: "Native", protocol: "openai-chat", value, isNote: true })

const legacy = (fields: object) => chunk({ choices: [{ index: 0, delta: { function_call: fields } }] })

const isUsed = ({ events }: ReturnType<typeof decodeText>) => events.some(({ _tag }) => _tag === "Used")

/** A fragment of a tool call whose number is a text. */
const numberedCall = (index: string, fields: object) =>
  chunk({ choices: [{ index: 0, delta: { tool_calls: [{ index, ...fields }] } }] })

describe("the decoder of a stream", () => {
  it("distinguishes tool calls if a server writes their indexes as strings", () => {
    const stream = numberedCall("0", { id: "a", function: { name: "f", arguments: "{" } }) +
      numberedCall("1", { id: "b", function: { name: "g", arguments: "{}" } }) +
      numberedCall("0", { function: { arguments: "}" } }) + finishes("tool_calls") + done
    assert.deepStrictEqual(decodeText(stream).events.filter(({ _tag }) => _tag === "ToolCallDelta"), [
      { _tag: "ToolCallDelta", index: 0, arguments: "{" },
      { _tag: "ToolCallDelta", index: 1, arguments: "{}" },
      { _tag: "ToolCallDelta", index: 0, arguments: "}" }
    ])
  })

  it("emits text as it arrives, and the usage last", () => {
    assert.deepStrictEqual(decodeText(plain), {
      events: [started, text("Hello"), text(", wörld 🌍"), stopped, used(11, 7)],
      isDone: true,
      failure: undefined
    })
  })

  it("distinguishes parallel tool calls whose fragments are mixed", () => {
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

  it("begins a tool call once if a server repeats its id and name", () => {
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
  ])("distinguishes tool calls that arrive %s", (_, deltas, expected) => {
    const { choices } = ofEvents(
      decodeText(
        deltas.map((calls) => chunk({ choices: [{ index: 0, delta: { tool_calls: calls } }] })).join("") +
          finishes("tool_calls")
      ).events
    )
    assert.deepStrictEqual(choices[0]?.calls, expected.map(([id, name, text]) => ({ id, name, arguments: text })))
  })

  it("separates a refusal from text", () => {
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
  ])("reads the finish reason %s as %s and keeps the provider's word", (raw, reason) => {
    assert.deepStrictEqual(decodeText(finishes(raw) + done).events, [
      started,
      { _tag: "Finished", reason, raw } as ChatEvent.Finished
    ])
  })

  it("takes the last usage if every chunk has one", () => {
    const { events } = decodeText(
      says({ content: "a" }, { usage: tokens(9, 1) }) + says({ content: "b" }, { usage: tokens(9, 2) }) +
        finishes("stop", { usage: tokens(9, 3) }) + done
    )
    assert.deepStrictEqual(events, [started, text("a"), text("b"), stopped, used(9, 3)])
  })

  it("keeps the usage if a later chunk has null", () => {
    const { events } = decodeText(
      finishes("stop", { usage: tokens(9, 3) }) + chunk({ usage: null }) + done
    )
    assert.deepStrictEqual(events, [started, stopped, used(9, 3)])
  })

  it("leaves usage unknown if repeated counts end before the final one", () => {
    const counting = says({ content: "Well" }, { usage: tokens(5, 1) }) + finishes("stop")
    assert.isFalse(isUsed(decodeText(counting)))
    assert.isTrue(isUsed(decodeText(counting + done)))
    assert.isTrue(isUsed(decodeText(counting + chunk({ usage: tokens(5, 2) }))))
  })

  it("leaves usage unknown, not zero, if the provider reports none", () => {
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

  it("needs no [DONE] after the finish", () => {
    const { events, failure, isDone } = decodeText(says({ content: "a" }) + finishes("stop"))
    assert.deepStrictEqual({ events, failure, isDone }, {
      events: [started, text("a"), stopped],
      failure: undefined,
      isDone: true
    })
  })

  it("ends the answer at [DONE]", () => {
    const decoder = OpenAiChat.protocol.makeDecoder(peer)
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
    ["[DONE] without any output", says({ role: "assistant", content: "" }) + done, 1],
    ["a finish whose event is not complete", says({ content: "a" }) + finishes("stop").slice(0, -1), 2]
  ])("fails as truncated, with the number of delivered events, after %s", (_, bytes, delivered) => {
    const { events, failure, isDone } = decodeText(bytes)
    assert.isFalse(isDone)
    assert.strictEqual(events.length, delivered)
    assert.deepInclude(failure, { _tag: "StreamTruncated", provider: "openai", delivered })
  })

  it("ignores a byte order mark, comments, pings, retry lines, ids and carriage returns", () => {
    assert.deepStrictEqual(decodeText(noisy), decodeText(plain))
    assert.deepStrictEqual(decodeText(plain.replaceAll("\n", "\r")), decodeText(plain))
  })

  it("reads an event whose data is spread over several lines", () => {
    const pretty = plain.replaceAll("\"choices\":", "\ndata: \"choices\":")
    assert.deepStrictEqual(decodeText(pretty), decodeText(plain))
  })

  it("keeps unknown fields by their place, and once if they are repeated", () => {
    const { events } = decodeText(
      chunk({ service_tier: "flex", choices: [{ index: 0, delta: { content: "a", audio: { id: "x" } } }] }) +
        chunk({
          service_tier: "flex",
          citations: ["u"],
          choices: [{ index: 0, delta: {}, content_filter_results: {} }]
        }) +
        finishes("stop", { citations: ["u"], x_groq: { id: "r" } }) + done
    )
    assert.deepStrictEqual<ReadonlyArray<unknown>>(events, [
      { ...started, extras: { "openai-chat": { created: 1, service_tier: "flex" } } },
      text("a"),
      note({ message: { audio: { id: "x" } } }),
      note({ response: { citations: ["u"] } }),
      note({ choice: { content_filter_results: {} } }),
      note({ response: { x_groq: { id: "r" } } }),
      stopped
    ])
  })

  it("reads a legacy function call as a tool call with its own id", () => {
    const { events } = decodeText(
      legacy({ name: "f", arguments: "" }) + legacy({ arguments: "{" }) + legacy({ arguments: "}" }) +
        finishes("function_call") + done
    )
    assert.deepStrictEqual(events, [
      started,
      {
        _tag: "ToolCallStarted",
        index: 0,
        id: "call_chatcmpl-1_0_0",
        name: "f",
        extras: { "openai-chat": { type: "function_call" } }
      },
      { _tag: "ToolCallDelta", index: 0, arguments: "{" },
      { _tag: "ToolCallDelta", index: 0, arguments: "}" },
      { _tag: "Finished", reason: "tool-calls", raw: "function_call" }
    ])
  })

  it("does not read a property of Object.prototype as a finish reason", () => {
    assert.deepStrictEqual(decodeText(finishes("constructor") + done).events[1], {
      _tag: "Finished",
      reason: "other",
      raw: "constructor"
    })
  })

  it("ignores padding, pings and invalid choices", () => {
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
  ])("fails if the stream turns into %s, after the events before it", (_, error, tag, code) => {
    const { events, failure } = decodeText(says({ content: "a" }) + `data: {"error":${error}}\n\n` + plain)
    assert.deepStrictEqual(events, [started, text("a")])
    assert.deepInclude(failure, { _tag: tag, detail: "Oops", code } as object)
  })

  it("reads the code of a late error as its status", () => {
    const errors = [429, 401, 503, 7].map((code) => `data: {"error":{"message":"Oops","code":${code}}}\n\n`)
    assert.deepStrictEqual(errors.map((error) => decodeText(error).failure?._tag), [
      "RateLimited",
      "AuthenticationFailed",
      "Overloaded",
      "ProviderFailed"
    ])
  })

  it("fails if the arguments of a tool call are neither a string nor an object", () => {
    const { failure } = decodeText(
      chunk({
        choices: [{
          index: 0,
          delta: { tool_calls: [{ index: 0, id: "c", function: { name: "f", arguments: [1] } }] }
        }]
      })
    )
    assert.strictEqual(failure?._tag, "InvalidResponse")
  })

  it("reads the text of content parts", () => {
    const { events } = decodeText(chunk({ choices: [{ index: 0, delta: { content: [{ type: "text", text: "a" }] } }] }))
    assert.deepStrictEqual(events, [started, text("a")])
  })

  it("fails with the provider's error if it is a plain string or an event named error", () => {
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
    ["a tool call without a name", says({ tool_calls: [{ index: 0, id: "call_a", function: { arguments: "{}" } }] })]
  ])("fails on %s, after the events before it", (_, bytes) => {
    const { events, failure, isDone } = decodeText(says({ content: "a" }) + bytes + plain)
    assert.strictEqual(failure?._tag, "InvalidResponse")
    assert.deepStrictEqual(events, [started, text("a")])
    assert.isFalse(isDone)
  })

  it("fails on bytes that are not UTF-8, after the events before them", () => {
    const { events, failure } = decode([notUtf8])
    assert.strictEqual(failure?._tag, "InvalidResponse")
    assert.deepStrictEqual(events, [started, text("Well")])
  })

  it("emits nothing after it has failed", () => {
    const decoder = OpenAiChat.protocol.makeDecoder(peer)
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

    it.each(streams)("two pieces of %s decode to the events of the whole", (_, bytes) => {
      const whole = decode([bytes])
      for (let at = 0; at <= bytes.byteLength; at++) {
        assert.deepStrictEqual(decode(cut(bytes, [at])), whole, `cut at ${at}`)
      }
    })

    it.each(streams)("single bytes of %s decode to the events of the whole", (_, bytes) => {
      assert.deepStrictEqual(decode(Array.from(bytes, (byte) => Uint8Array.of(byte))), decode([bytes]))
    })

    const at = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3000 }))
    it.effect.prop("any pieces of any stream decode to the events of the whole", [
      Schema.Array(at),
      Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: streams.length - 1 }))
    ], ([cuts, which]) =>
      Effect.sync(() => {
        const bytes = streams[which]![1]
        const pieces = cut(bytes, cuts.map((at) => at % (bytes.byteLength + 1)))
        assert.deepStrictEqual(decode(pieces), decode([bytes]))
      }), { arbitrary: { runs: 200 } })
  })
})
