/** Where two JSON values differ. */

export interface JsonDifference {
  /** The field, with `[]` for any item: `messages[].content`. */
  readonly field: string
  readonly kind: "lost" | "added" | "changed"
  readonly before: unknown
  readonly after: unknown
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const below = (path: string, key: string): string => path === "" ? key : `${path}.${key}`

export const differences = (before: unknown, after: unknown, path = ""): ReadonlyArray<JsonDifference> => {
  if (isObject(before) && isObject(after)) {
    return [...new Set([...Object.keys(before), ...Object.keys(after)])].flatMap((key) =>
      !(key in after)
        ? [{ field: below(path, key), kind: "lost" as const, before: before[key], after: undefined }]
        : !(key in before)
        ? [{ field: below(path, key), kind: "added" as const, before: undefined, after: after[key] }]
        : differences(before[key], after[key], below(path, key))
    )
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    return before.flatMap((item, index) => differences(item, after[index], `${path}[]`))
  }
  return Object.is(before, after) || (isObject(before) && JSON.stringify(before) === JSON.stringify(after))
    ? []
    : [{ field: path, kind: "changed", before, after }]
}
