/** What OpenAI's own SDK, and another server, say to what our decoder reads. */
import { LLMock } from "@copilotkit/aimock"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { seeded } from "../../../test/support/random.ts"
import { ofChunks, ofCompletion, ofEvents } from "./support/openAiAnswer.ts"
import { cut, decode, decodeText } from "./support/openAiDecoded.ts"
import * as OpenAiSdk from "./support/openAiSdk.ts"
import { cases } from "./support/openAiStreams.ts"
import { utf8 } from "./support/openAiWire.ts"

/** What another server says: `@copilotkit/aimock`, which nobody here wrote. */
const others = ["", "It rains.", "Grüße aus Bergen 🌧️", "line\nbreak and \"quotes\""].flatMap((content) =>
  [1, 7, 100].flatMap((chunkSize) => [0, 1, 3].map((calls) => ({ content, chunkSize, calls })))
)

describe("the decoder of a stream", () => {
  // What OpenAI's own SDK reads out of the same bytes.
  describe("decodes as OpenAI's SDK does", () => {
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

  describe("however the bytes of these streams are cut", { timeout: 60_000 }, () => {
    it.each(cases.filter(({ text }) => utf8(text).byteLength <= 4096))("in two: $name", ({ text }) => {
      const bytes = utf8(text)
      const whole = JSON.stringify(decode([bytes]))
      for (let at = 1; at < bytes.byteLength; at++) {
        const same = JSON.stringify(decode(cut(bytes, [at]))) === whole
        if (!same) assert.fail(`cut at ${at}`)
      }
    })

    it.each(cases.filter(({ text }) => utf8(text).byteLength <= 4096))("cut off: $name", ({ text }) => {
      const bytes = utf8(text)
      for (let at = 0; at < bytes.byteLength; at++) {
        const { events, failure, isDone } = decode([bytes.subarray(0, at)])
        const { choices } = ofEvents(events)
        // An answer is whole if it has begun, and every one that has begun has its finish.
        const isWhole = choices.length > 0 && choices.every(({ finish }) => finish !== undefined)
        if (isWhole !== isDone) assert.fail(`cut off at ${at}`)
        if (!isWhole) assert.deepInclude(failure, { _tag: "StreamTruncated", delivered: events.length })
        else if (failure !== undefined) assert.fail(`cut off at ${at}`)
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
    "number $index decodes as by OpenAI's SDK",
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
