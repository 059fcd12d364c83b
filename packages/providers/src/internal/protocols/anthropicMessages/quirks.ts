import * as OptionCheck from "@clawback/core/OptionCheck"

/** The differences between servers of this protocol. A provider declares its own. */
export interface Quirks {
  /**
   * The value of the header `anthropic-version`.
   *
   * `2026-10-21`, which Anthropic's SDK sends, accepts neither `temperature` nor `top_p` nor `top_k`. Compatible servers
   * need not know it. Anthropic's page on versions.
   */
  readonly version: string
  /**
   * `max_tokens` of a request without `maxOutputTokens`, since the protocol demands one. Thinking comes on top.
   *
   * Too low, and answers end with the reason `length`. Higher than a model allows, and the server rejects the request.
   * Anthropic's old models allow 4,096.
   */
  readonly answerTokens: number
}

/** Anthropic's own server, and what most servers accept. */
const defaults: Quirks = { version: "2023-06-01", answerTokens: 4_096 }

/** All quirks: an undefined one is its default. Throws a `RangeError` at an unknown quirk or value. */
export const complete = (quirks: Partial<Quirks>): Quirks => {
  const { answerTokens, version } = OptionCheck.fields("quirks", quirks, defaults)
  return {
    version: OptionCheck.text("quirks.version", version ?? defaults.version),
    answerTokens: OptionCheck.count("quirks.answerTokens", answerTokens ?? defaults.answerTokens, 1)
  }
}
