import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { type Path, RepeatedText, valueAt } from "../../src/internal/json/repeatedText.ts"
import type { Json } from "../../src/Json.ts"

const path: Path = ["choices", 0, "delta", "content"]

const chunkOf = (content: string, fields: object = {}) => ({
  id: "1",
  choices: [{ index: 0, delta: { content } }],
  ...fields
})

const padded = (content: string, obfuscation: string) => chunkOf(content, { obfuscation })

const numbered = (id: number, content: string): string => JSON.stringify(chunkOf(content, { id }))

const spaced = (content: string): string =>
  `{"id": "1", "choices": [{"index": 0, "delta": {"content": ${JSON.stringify(content)}}}]}`

const learnt = (text: string, padding?: string) => {
  const repeated = new RepeatedText(padding === undefined ? [] : ["p", padding])
  repeated.learn(text, JSON.parse(text), path)
  return repeated
}

const read = (first: object, second: object, padding?: string) =>
  learnt(JSON.stringify(first), padding).read(JSON.stringify(second))

const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string(),
  fc.constantFrom("", "\"", "\\", "\\\"", "},{", "x", "content")
)

/** A value with another string at a path. */
const withText = (value: Json, [key, ...rest]: Path, text: string): Json =>
  key === undefined
    ? text
    : Array.isArray(value)
    ? value.map((item, index) => index === key ? withText(item, rest, text) : item)
    : Object.fromEntries(
      Object.entries(value as object).map(([name, field]) => [name, name === key ? withText(field, rest, text) : field])
    )

describe("the reader of repeated JSON texts", () => {
  it.each<[string, string]>([
    ["nothing but letters", "Grüße 🌍"],
    ["escapes", "\"a\\b\"\n\u0000\u2028"],
    ["half of a pair", "\ud800"],
    ["what looks like the rest of the text", "\"}}],\"usage\":null}"],
    ["many letters", "x".repeat(1_000)],
    ["nothing", ""]
  ])("reads a string of %s", (_, text) => assert.strictEqual(read(chunkOf("a"), chunkOf(text)), text))

  it("reads the string beside padding of any length", () => {
    assert.strictEqual(read(padded("a", "xyz"), padded("b", ""), "obfuscation"), "b")
    assert.strictEqual(read(padded("a", ""), padded("\"obfuscation\":\"", "xyz"), "obfuscation"), "\"obfuscation\":\"")
    assert.isUndefined(read(padded("a", "xyz"), padded("b", "\""), "obfuscation"))
    assert.isUndefined(read(padded("a", "xyz"), padded("b", "xy")))
  })

  it.each<[string, object]>([
    ["another field", chunkOf("b", { id: "2" })],
    ["one field more", chunkOf("b", { usage: null })],
    ["no string", { id: "1", choices: [{ index: 0, delta: { content: 1 } }] }],
    ["nothing", {}]
  ])("does not read a text with %s", (_, chunk) => assert.isUndefined(read(chunkOf("a"), chunk)))

  it.each<[string, string]>([
    ["stands twice, once with an escape", "{\"choices\":[{\"delta\":{\"content\":\"a\",\"cont\\u0065nt\":\"a\"}}]}"],
    ["stands twice, the last one counts", "{\"choices\":[{\"delta\":{\"content\":\"a\",\"content\":\"a\"}}]}"],
    ["stands elsewhere first", "{\"content\":\"a\",\"choices\":[{\"delta\":{\"content\":\"a\"}}]}"],
    ["stands in a string", "{\"a\":\"\\\"content\\\":\\\"\",\"choices\":[{\"delta\":{\"cont\\u0065nt\":\"a\"}}]}"],
    ["is no string", "{\"choices\":[{\"delta\":{\"content\":null}}]}"],
    ["is missing", "{\"content\":\"a\"}"]
  ])("reads nothing wrong after a text whose field %s", (_, text) => {
    const repeated = learnt(text)
    for (const other of [text, text.replaceAll("\"a\"", "\"b\"")]) {
      const found = repeated.read(other)
      if (found !== undefined) assert.strictEqual(found, valueAt(JSON.parse(other), path))
    }
  })

  it("reads texts with spaces, as Python writes them", () => {
    assert.strictEqual(learnt(spaced("a")).read(spaced("b")), "b")
  })

  it("finds one text in thirty-two worth learning, after four texts that nothing repeats", () => {
    const repeated = new RepeatedText([])
    const due = Array.from({ length: 70 }, () => repeated.isDue())
    assert.deepStrictEqual(due.flatMap((isDue, index) => isDue ? [index + 1] : []), [1, 2, 3, 4, 32, 64])
    // Once a text was read, texts are worth learning again.
    repeated.learn(numbered(1, "a"), chunkOf("a", { id: 1 }), path)
    assert.strictEqual(repeated.read(numbered(1, "b")), "b")
    assert.isTrue(repeated.isDue())
  })

  it("reads what parsing reads, in any JSON", () => {
    let given = 0
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.dictionary(fc.constantFrom("content", "delta", "role", "__proto__"), fc.jsonValue()),
        anyText,
        anyText,
        fc.string(),
        (outer, inner, before, after, padding) => {
          const value = {
            ...outer,
            choices: [{ delta: { ...inner, content: before } }],
            obfuscation: padding
          } as unknown as Json
          const text = JSON.stringify(value)
          const other = JSON.stringify(withText(withText(value, ["obfuscation"], `${padding}x`), path, after))
          const found = learnt(text, "obfuscation").read(other)
          if (found === undefined) return
          given++
          assert.strictEqual(found, after)
        }
      ),
      { numRuns: 2_000, seed: 0x5eed }
    )
    assert.isAbove(given, 1_000)
  })

  it("reads only texts that are valid JSON and differ in the two strings, whatever characters were changed", () => {
    let given = 0
    const text = JSON.stringify(chunkOf("abc", { usage: null, obfuscation: "xyz" }))
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(
            fc.nat(text.length),
            fc.nat(3),
            fc.oneof(fc.constantFrom("\"", "\\", "\\\"", "\n", "{", "}", ",", ":", "x", "\u0000", "é", ""), fc.string())
          ),
          { minLength: 1, maxLength: 3 }
        ),
        (changes) => {
          let other = text
          for (const [at, length, by] of changes) other = other.slice(0, at) + by + other.slice(at + length)
          const found = learnt(text, "obfuscation").read(other)
          if (found === undefined) return
          given++
          const parsed: Json = JSON.parse(other)
          assert.strictEqual(valueAt(parsed, path), found)
          assert.deepStrictEqual(withText(withText(parsed, path, "abc"), ["obfuscation"], "xyz"), JSON.parse(text))
        }
      ),
      { numRuns: 5_000, seed: 0x5eed }
    )
    assert.isAbove(given, 100)
  })
})
