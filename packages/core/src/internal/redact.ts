import * as Redacted from "effect/Redacted"

/** Names of what is secret. Numbers of tokens are not. */
const sensitive =
  /auth(?!or)|api[-_]?key|private[-_]?key|token(?!s)|secret|passw|passphrase|bearer|credential|cookie|signature/i
/** Deeper than this, attributes are shown by their kind only. */
const maxDepth = 4

const show = (name: string, value: unknown, depth: number): unknown => {
  if (Redacted.isRedacted(value) || sensitive.test(name)) return "<redacted>"
  if (typeof value !== "object" || value === null) return value
  if (depth === 0) return Array.isArray(value) ? "[…]" : "{…}"
  if (Array.isArray(value)) return value.map((item) => show("", item, depth - 1))
  const entries = value instanceof Map ? [...value] : Object.entries(value)
  return Object.fromEntries(entries.map(([key, item]) => [key, show(String(key), item, depth - 1)]))
}

/** Attributes as they may be shown: secrets, and what is named like one, are struck out, at any depth that is shown. */
export const redact = (attributes: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  const shown: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(attributes)) shown[name] = show(name, value, maxDepth)
  return shown
}
