/** Values of all kinds, with the exceptional among them. */
import type { ChatRequest } from "@clawback/providers"
import * as fc from "fast-check"

export const optional = <A>(arbitrary: fc.Arbitrary<A>) => fc.option(arbitrary, { nil: undefined })

/** The first, and once in so many times the second. */
export const mostly = <A, B>(often: fc.Arbitrary<A>, rarely: fc.Arbitrary<B>, weight: number): fc.Arbitrary<A | B> =>
  fc.oneof({ weight, arbitrary: often }, { weight: 1, arbitrary: rarely })

export const text = fc.oneof(fc.constant(""), fc.string({ unit: "grapheme", maxLength: 12 }))
export const word = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/)
export const json = fc.jsonValue({ maxDepth: 2 })

/** `JSON.parse` gives Infinity for a large number, which Effect's schema refuses. */
export const parsed = mostly(fc.dictionary(word, json, { maxKeys: 3 }), fc.constant({ size: Infinity }), 8)

export const extras = fc.dictionary(fc.constantFrom("openai-chat", "anthropic-messages", "other"), parsed, {
  maxKeys: 2
}) as fc.Arbitrary<ChatRequest.Extras>
