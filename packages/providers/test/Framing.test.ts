import { assert, describe, it } from "@effect/vitest"
import { seeded } from "../../../test/support/random.ts"
import * as Framing from "../src/Framing.ts"
import { Lines } from "../src/internal/framing/jsonLines.ts"

const bytesOf = (text: string) => new TextEncoder().encode(text)

const cut = (bytes: Uint8Array, random: () => number): ReadonlyArray<Uint8Array> => {
  const chunks: Array<Uint8Array> = []
  for (let at = 0; at < bytes.length;) {
    const to = at + 1 + Math.floor(random() * 5)
    chunks.push(bytes.subarray(at, to))
    at = to
  }
  return chunks
}

/** The frames of a body, and what was wrong with it. */
const read = <Frame>(framing: Framing.Framing<Frame>, chunks: ReadonlyArray<Uint8Array>) => {
  const frames: Array<Frame> = []
  const reader = framing.makeReader((frame) => frames.push(frame))
  for (const chunk of chunks) {
    const fault = reader.push(chunk)
    if (fault !== undefined) return { frames, fault }
  }
  return { frames, fault: reader.end() }
}

const always = <Frame>(framing: Framing.Framing<Frame>, body: Uint8Array, expected: object) => {
  const random = seeded(0x5eed)
  for (let run = 0; run < 200; run++) assert.deepStrictEqual(read(framing, cut(body, random)), expected)
  assert.deepStrictEqual(read(framing, [body]), expected)
}

describe("server-sent events", () => {
  it("reads what it writes, however the bytes are cut", () => {
    const frames = [
      { event: "message", data: "{\"text\":\"é 🌍\"}" },
      { event: "content_block_delta", data: "{}" },
      { event: "message", data: "two\nlines" },
      { event: "message", data: "" }
    ]
    always(Framing.sse, bytesOf(frames.map(Framing.sse.write).join("")), { frames, fault: undefined })
  })

  it("drops an event without an empty line after it", () => {
    assert.deepStrictEqual(read(Framing.sse, [bytesOf("data: 1\n\ndata: 2\n")]), {
      frames: [{ event: "message", data: "1" }],
      fault: undefined
    })
  })
})

describe("JSON lines", () => {
  it("reads what it writes, however the bytes are cut", () => {
    const frames = ["{\"text\":\"é 🌍\"}", "1", "[]"]
    always(Framing.jsonLines, bytesOf(frames.map(Framing.jsonLines.write).join("")), { frames, fault: undefined })
  })

  it("reads lines that end in CRLF, skips empty ones, and needs no end of the last one", () => {
    const body = bytesOf("\uFEFF{\"a\":1}\r\n\r\n \t\n{\"b\":\"\u2028\"}\n\n[3]")
    always(Framing.jsonLines, body, { frames: ["{\"a\":1}", "{\"b\":\"\u2028\"}", "[3]"], fault: undefined })
  })

  it("reports bytes that are not UTF-8, after the lines before them", () => {
    const body = Uint8Array.from([...bytesOf("1\n2\n"), 0xff, 10])
    always(Framing.jsonLines, body, { frames: ["1", "2"], fault: "bytes that are not UTF-8" })
  })

  it("reports a character that is not complete when the body ends", () => {
    const body = Uint8Array.from([...bytesOf("1\n\"x"), 0xe2, 0x82])
    always(Framing.jsonLines, body, { frames: ["1"], fault: "bytes that are not UTF-8" })
  })

  it.each<[string, string, boolean]>([
    ["a line that is too long", "x".repeat(101), false],
    ["a line that is too long and ended", "x".repeat(101) + "\n", false],
    ["a line as long as it may be", "x".repeat(99) + "\r\n", true]
  ])("decides about %s, however it is cut", (_, text, isTaken) => {
    for (const pieces of [[text], [...text]]) {
      const lines = new Lines(100, () => {})
      assert.strictEqual(pieces.every((piece) => lines.feed(piece)), isTaken)
    }
  })
})

/** Binary messages behind their length, as AWS's event stream has them, without its headers and checksums. */
const lengthPrefixed: Framing.Framing<Uint8Array> = {
  contentType: "application/vnd.test",
  makeReader: (onFrame) => {
    let rest = new Uint8Array(0)
    return {
      push: (bytes) => {
        rest = Uint8Array.from([...rest, ...bytes])
        for (let size = rest[0]; size !== undefined && rest.length > size; size = rest[0]) {
          onFrame(rest.slice(1, size + 1))
          rest = rest.slice(size + 1)
        }
        return undefined
      },
      end: () => rest.length === 0 ? undefined : "a message that is cut short"
    }
  },
  write: (frame) => Uint8Array.of(frame.length, ...frame)
}

class LengthPrefixed extends Framing.StreamDecoder<Uint8Array> {
  protected override onFrame(frame: Uint8Array): void {
    const text = new TextDecoder().decode(frame)
    if (text === "stop") {
      this.isFinished = true
      this.emit({ _tag: "Finished", reason: "stop", raw: "stop" })
    } else if (text === "wrong") this.fail("a frame that is wrong", text)
    else this.emit({ _tag: "TextDelta", text })
  }
}

const decode = (body: string) => {
  const decoder = new LengthPrefixed({ provider: "test", redact: (text) => text }, lengthPrefixed)
  const events = [...bytesOf(body)].flatMap((byte) => decoder.push(Uint8Array.of(byte))).concat(decoder.end())
  return { tags: events.map(({ _tag }) => _tag), isDone: decoder.isDone, failure: decoder.failure?._tag }
}

const frame = (text: string) => String.fromCharCode(text.length) + text

describe("a custom framing", () => {
  it.each<[string, string, ReturnType<typeof decode>]>([
    ["a whole answer", frame("hello") + frame("stop"), {
      tags: ["TextDelta", "Finished"],
      isDone: true,
      failure: undefined
    }],
    ["an answer without an end", frame("hello"), { tags: ["TextDelta"], isDone: false, failure: "StreamTruncated" }],
    ["a frame that is cut short", frame("hello") + "\u0005hel", {
      tags: ["TextDelta"],
      isDone: false,
      failure: "InvalidResponse"
    }],
    ["a frame that is wrong", frame("wrong") + frame("hello"), { tags: [], isDone: false, failure: "InvalidResponse" }]
  ])("decodes %s", (_, body, expected) => assert.deepStrictEqual(decode(body), expected))
})
