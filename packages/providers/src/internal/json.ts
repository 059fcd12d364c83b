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

/** JSON is read without recursion but written with it: what nests deeper could be read and then never be written again. */
const maxDepth = 500

const isDeep = (value: unknown): boolean => {
  let level: Array<unknown> = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > maxDepth) return true
    level = level.flatMap((value) => typeof value === "object" && value !== null ? Object.values(value) : [])
  }
  return false
}

/** Undefined where the text is not JSON, which no JSON is, or nests deeper than any protocol has a use for. */
export const parse = (text: string): unknown => {
  try {
    const value: unknown = JSON.parse(text)
    // Two characters make one level, so that most texts need not be looked through.
    return text.length > 2 * maxDepth && isDeep(value) ? undefined : value
  } catch {
    return undefined
  }
}
