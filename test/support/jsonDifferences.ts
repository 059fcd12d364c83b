/** Where two JSON values differ. */

/** The names of fields and the numbers of items, outermost first. */
export type JsonPath = ReadonlyArray<string | number>

export interface JsonDifference {
  /** The field, with `[]` for any item: `messages[].content`. */
  readonly field: string
  readonly path: JsonPath
  readonly kind: "lost" | "added" | "changed"
  readonly before: unknown
  readonly after: unknown
}

type Fields = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The same JSON, whatever the order of its fields. */
export const isSame = (before: unknown, after: unknown): boolean => differences(before, after).length === 0

const fieldOf = (path: JsonPath): string =>
  path.map((key, index) => typeof key === "number" ? "[]" : index === 0 ? key : `.${key}`).join("")

/** The value at a path. Undefined if there is none. */
export const valueAt = (value: unknown, path: JsonPath): unknown =>
  path.reduce<unknown>((found, key) => (found as Fields | null | undefined)?.[key], value)

export const differences = (before: unknown, after: unknown, path: JsonPath = []): ReadonlyArray<JsonDifference> => {
  const found = (kind: JsonDifference["kind"], path: JsonPath, before: unknown, after: unknown) => [
    { field: fieldOf(path), path, kind, before, after }
  ]
  if (isObject(before) && isObject(after)) {
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
      !(key in after)
        ? found("lost", [...path, key], before[key], undefined)
        : !(key in before)
        ? found("added", [...path, key], undefined, after[key])
        : differences(before[key], after[key], [...path, key])
    )
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    return before.flatMap((item, index) => differences(item, after[index], [...path, index]))
  }
  return Object.is(before, after) ? [] : found("changed", path, before, after)
}
