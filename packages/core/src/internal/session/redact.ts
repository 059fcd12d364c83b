import * as Redacted from "effect/Redacted"
import * as Urls from "../transport/urls.ts"

/** Names of what is secret. Numbers of tokens are not. */
const sensitive =
  /auth(?!or)|authori[sz]|api[-_]?key|private[-_]?key|token(?!s)|secret|passw|passphrase|bearer|credential|cookie|signature/i
const isUrl = /^[a-z][a-z\d+.-]*:\/\//i
/** Deeper than this, attributes are shown by their kind only. */
const maxDepth = 4

const show = (name: string, value: unknown, depth: number): unknown => {
  if (Redacted.isRedacted(value) || sensitive.test(name)) return "<redacted>"
  if (typeof value === "string") return isUrl.test(value) ? Urls.shown(value) : value
  // What is shown is kept by whoever reads slowly, and a function keeps what it was made from.
  if (typeof value === "function") return "<function>"
  if (typeof value !== "object" || value === null) return value
  if (value instanceof URL) return Urls.shown(value.href)
  if (depth === 0) return Array.isArray(value) ? "[…]" : "{…}"
  if (Array.isArray(value)) return value.map((item) => show("", item, depth - 1))
  if (value instanceof Map) return shown(value.keys(), (key) => value.get(key), depth - 1)
  return shown(Object.keys(value), (key) => (value as Readonly<Record<string, unknown>>)[key], depth - 1)
}

const unreadable = "<unreadable>"

/** What cannot be read says so: whoever looks at attributes must not fail by them. */
const shown = <K>(keys: Iterable<K>, get: (key: K) => unknown, depth: number): Record<string, unknown> => {
  const all: Record<string, unknown> = {}
  for (const key of keys) {
    const name = String(key)
    try {
      all[name] = show(name, get(key), depth)
    } catch {
      all[name] = unreadable
    }
  }
  return all
}

/**
 * Attributes as they may be shown. Secrets, and values that are named like one, are struck out, at any depth that is shown.
 * URLs are shown without credentials, query and fragment.
 */
export const redact = (attributes: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  try {
    return shown(Object.keys(attributes), (name) => attributes[name], maxDepth)
  } catch {
    return { attributes: unreadable }
  }
}
