import { assert, describe, it } from "@effect/vitest"
import { createParser } from "eventsource-parser"
import { seeded } from "../../../../test/support/random.ts"
import { EventStream } from "../../src/internal/framing/sse.ts"
import { Utf8 } from "../../src/internal/framing/utf8.ts"

type Event = readonly [name: string, data: string]

const ours = (pieces: ReadonlyArray<string>): ReadonlyArray<Event> => {
  const events: Array<Event> = []
  const stream = new EventStream(1_000_000, ({ data, event }) => events.push([event, data]))
  for (const piece of pieces) assert.isTrue(stream.feed(piece))
  return events
}

/** By another decoder, which nobody here wrote. */
const theirs = (pieces: ReadonlyArray<string>): ReadonlyArray<Event> => {
  const events: Array<Event> = []
  const parser = createParser({ onEvent: ({ data, event }) => events.push([event ?? "message", data]) })
  for (const piece of pieces) parser.feed(piece)
  return events
}

const lineEnds = ["\n", "\r", "\r\n"]
const lines = [
  "",
  "",
  "",
  "",
  "",
  "",
  "",
  "",
  "data: a",
  "data:b",
  "data",
  "data:",
  "data:  x",
  "data: {\"a\":1}",
  "data: 🌍é",
  "data: ﻿",
  ": c",
  ":",
  "event: e",
  "event:",
  "event",
  "event: ü",
  "id: 1",
  "id",
  "id: a\0b",
  "retry: 3",
  "retry: x",
  "foo: bar",
  "datax: 1",
  "data : q",
  " data: y",
  "Data: y",
  "ünïcode: 🌍",
  "﻿data: z",
  "data: data: 	"
]

/** A stream with fields of all kinds, lines that end in any way, and mostly an event that is not complete. */
const streamOf = (random: () => number): string => {
  const any = <A>(values: ReadonlyArray<A>): A => values[Math.floor(random() * values.length)] as A
  const lineEnd = random() < 0.7 ? any(lineEnds) : undefined
  let text = random() < 0.2 ? "\uFEFF" : ""
  for (let left = Math.floor(random() * 24); left > 0; left--) text += any(lines) + (lineEnd ?? any(lineEnds))
  return random() < 0.3 ? text + any(lines) : text
}

const cut = <A extends { slice: (from: number, to: number) => A; readonly length: number }>(
  all: A,
  random: () => number
): ReadonlyArray<A> => {
  const pieces: Array<A> = []
  const most = random() < 0.5 ? 3 : 30
  for (let at = 0; at < all.length;) {
    const to = at + 1 + Math.floor(random() * most)
    pieces.push(all.slice(at, to))
    at = to
  }
  return pieces
}

const isTaken = (pieces: ReadonlyArray<string>) => {
  const stream = new EventStream(100, () => {})
  return pieces.every((piece) => stream.feed(piece))
}

describe("the framing of event streams (I10)", () => {
  it("finds the events that another decoder finds, in ten thousand streams however they are cut", () => {
    const random = seeded(0x5eed)
    let events = 0
    for (let run = 0; run < 10_000; run++) {
      const pieces = cut(streamOf(random), random)
      const found = ours(pieces)
      if (JSON.stringify(found) !== JSON.stringify(theirs(pieces))) assert.deepStrictEqual(found, theirs(pieces))
      events += found.length
    }
    assert.isAbove(events, 10_000)
  }, 20_000)

  it.each<[string, string]>([
    ["a line", "data: " + "x".repeat(100)],
    ["a line that ended", "data: " + "x".repeat(100) + "\n"],
    ["a comment", ": " + "x".repeat(100) + "\n"],
    ["the data of an event", "data: xxxxxxxxx\n".repeat(11)]
  ])("rejects %s that is too long, however it is cut", (_, text) => {
    assert.isFalse(isTaken([text]))
    assert.isFalse(isTaken([...text]))
  })
})

const decoded = (pieces: ReadonlyArray<Uint8Array>) => {
  const utf8 = new Utf8()
  let text = ""
  const isValid = pieces.every((piece) =>
    utf8.feed(piece, (more) => {
      text += more
      return true
    })
  )
  return { text, isValid }
}

describe("UTF-8 in pieces", () => {
  it("is decoded however it is cut", () => {
    const random = seeded(0x5eed)
    const text = "\uFEFFa é あ 🌍 👩‍👩‍👧 \u0000 \uFFFD \uFEFF z"
    const bytes = new TextEncoder().encode(text)
    for (let run = 0; run < 1_000; run++) {
      assert.deepStrictEqual(decoded(cut(bytes, random)), { text, isValid: true })
    }
  })

  it.each<[string, ReadonlyArray<number>]>([
    ["a byte that begins nothing", [0xff]],
    ["a byte that continues nothing", [0x80]],
    ["a character that is not continued", [0xe2, 0x82, 0x41]],
    ["a character that is longer than it need be", [0xc0, 0xaf]],
    ["half of a pair", [0xed, 0xa0, 0x80]],
    ["what is beyond Unicode", [0xf4, 0x90, 0x80, 0x80]]
  ])("emits the lines before %s, and no more", (_, wrong) => {
    for (const end of ["\n", "\r"]) {
      const before = new TextEncoder().encode(`a${end}é${end}`)
      const bytes = Uint8Array.from([...before, ...wrong, 10, 98, 10])
      const { isValid, text } = decoded([bytes])
      assert.isFalse(isValid)
      assert.strictEqual(text, `a${end}é${end}`)
      assert.isFalse(decoded(Array.from(bytes, (byte) => Uint8Array.of(byte))).isValid)
    }
  })
})
