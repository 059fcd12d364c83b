/** Reading of JSON whose shape nobody promised: a field is what it should be, or absent. */

import type { Json, JsonObject } from "../../Json.ts"

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const object = (value: unknown): JsonObject | undefined => isObject(value) ? value : undefined

/** A provider's count of what was used. Undefined where it says nothing: no field of it is there and not null. */
export const usage = (value: unknown): JsonObject | undefined => isObject(value) && hasField(value) ? value : undefined

const hasField = (value: JsonObject): boolean => {
  for (const key in value) if (value[key] !== null) return true
  return false
}

export const array = (value: unknown): ReadonlyArray<Json> => Array.isArray(value) ? value : []

/** Empty strings are absent too. */
export const string = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined

/** A count: a whole number, zero or more. */
export const count = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined

/** JSON is read without recursion but written with it: what nests deeper could be read and then never be written again. */
const maxDepth = 500

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

/** Undefined where the text is not JSON, which no JSON is, or nests deeper than any protocol has a use for. */
export const parse = (text: string): Json | undefined => {
  try {
    const value: Json = JSON.parse(text)
    // Two characters make one level, so that most texts need not be looked through.
    return text.length > 2 * maxDepth && isDeep(value, maxDepth) ? undefined : value
  } catch {
    return undefined
  }
}

/** Sets a field, also the one whose name assignment takes for the prototype's. */
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
