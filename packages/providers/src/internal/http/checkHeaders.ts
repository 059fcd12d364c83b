import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Redacted from "effect/Redacted"

/** A token of RFC 9110 §5.6.2. */
const name = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** The characters of a field value (RFC 9110 §5.5), as bytes. */
const value = /^[\t\x20-\x7e\x80-\xff]*$/

/** Headers that the transport sets or cannot send, and why an option may not. */
export const ofTransport: ReadonlyMap<string, string> = new Map([
  ...["host", "content-length", "transfer-encoding", "connection"]
    .map((name) => [name, "the transport sets this header"] as const),
  ...["expect", "keep-alive", "upgrade"].map((name) => [name, "the transport cannot send this header"] as const),
  ["content-encoding", "bodies are not compressed"]
])

/**
 * Throws a `RangeError` that names a header that cannot be sent, or that something else sets. It shows no value, which may
 * be secret.
 */
export const checkHeaders = (
  headers: Readonly<Record<string, string | Redacted.Redacted<string>>>,
  reserved: ReadonlyMap<string, string>
): void => {
  for (const [key, given] of Object.entries(headers)) {
    const option = `headers.${key}`
    const text = Redacted.isRedacted(given) ? Redacted.value(given) : given
    if (typeof text !== "string") throw OptionCheck.wrong(option, text, "a text")
    const setBy = reserved.get(key.toLowerCase())
    if (setBy !== undefined) throw new RangeError(`The option \`${option}\` must be left out: ${setBy}`)
    if (!name.test(key)) throw new RangeError(`The option \`${option}\` is not the name of a header`)
    if (!value.test(text)) {
      throw OptionCheck.wrong(option, Redacted.make(text), "a text that a header can have, without line breaks")
    }
  }
}
