/** Reads JSON of unknown shape. A field of the wrong type counts as absent. */

import type { Json, JsonObject } from "./model.ts"

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const object = (value: unknown): JsonObject | undefined => isObject(value) ? value : undefined

/** A provider's usage. Undefined if it has no field, or only fields that are null. */
export const usage = (value: unknown): JsonObject | undefined => isObject(value) && hasField(value) ? value : undefined

const hasField = (value: JsonObject): boolean => {
  for (const key in value) if (value[key] !== null) return true
  return false
}

export const array = (value: unknown): ReadonlyArray<Json> => Array.isArray(value) ? value : []

/** An empty string counts as absent. */
export const string = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined

/** A count: a whole number, zero or more. */
export const count = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined

/** `JSON.parse` reads any depth, but `JSON.stringify` overflows the stack. Deeper values could never be written again. */
const maxDepth = 500

const byteOrderMark = 0xfeff

const isDeep = (value: Json, left: number): boolean => {
  if (typeof value !== "object" || value === null) return false
  if (left === 0) return true
  if (Array.isArray(value)) {
    for (const item of value) if (isDeep(item, left - 1)) return true
  } else if (isObject(value)) {
    for (const key in value) if (isDeep(value[key] ?? null, left - 1)) return true
  }
  return false
}

/** Undefined if the text is not JSON, or nests deeper than any protocol needs. */
export const parse = (text: string): Json | undefined => {
  try {
    const value: Json = JSON.parse(text.charCodeAt(0) === byteOrderMark ? text.slice(1) : text)
    // A level takes two characters, so that most texts need no check.
    return text.length > 2 * maxDepth && isDeep(value, maxDepth) ? undefined : value
  } catch {
    return undefined
  }
}

/** Sets a field. Assignment to `__proto__` would set the prototype instead. */
const put = (to: { [key: string]: unknown }, key: string, value: unknown): void => {
  if (key !== "__proto__") to[key] = value
  else Object.defineProperty(to, key, { value, configurable: true, enumerable: true, writable: true })
}

/** The fields that are neither null nor among `known`; undefined if there are none. */
export const others = (value: JsonObject, known: ReadonlySet<string>): JsonObject | undefined => {
  let found: { [key: string]: Json } | undefined
  for (const key in value) {
    const field = value[key]
    if (field !== null && field !== undefined && !known.has(key)) put(found ??= {}, key, field)
  }
  return found
}

/** Without the fields that are undefined. */
export const present = <A extends object>(fields: A): A => {
  const found: { [key: string]: unknown } = {}
  for (const key in fields) if (fields[key] !== undefined) put(found, key, fields[key])
  return found as A
}

/** A JSON object of the fields that are not undefined. */
export const fields = (values: { readonly [key: string]: Json | undefined }): JsonObject =>
  present(values) as JsonObject
