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
export const defaults: Quirks = { version: "2023-06-01", answerTokens: 4_096 }
