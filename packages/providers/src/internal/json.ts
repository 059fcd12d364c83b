/** Reading of JSON whose shape nobody promised: a field is what it should be, or absent. */

export type JsonObject = { readonly [key: string]: unknown }

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

export const object = (value: unknown): JsonObject | undefined => isObject(value) ? value : undefined

export const array = (value: unknown): ReadonlyArray<unknown> => Array.isArray(value) ? value : []

/** Empty strings are absent too. */
export const string = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined

/** A count: a whole number, zero or more. */
export const count = (value: unknown): number | undefined =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined

/** Undefined where the text is not JSON, which no JSON is. */
export const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
