/** What statements are given. */
import type { SQLInputValue } from "node:sqlite"

/**
 * A parameter as SQLite takes it. `node:sqlite` would bind dates and other objects as NULL, or as names of parameters.
 *
 * Throws a `TypeError` for values that SQLite has no type for.
 */
const bound = (value: unknown, index: number): SQLInputValue => {
  switch (typeof value) {
    case "string":
    case "number":
    case "bigint":
      return value
    case "undefined":
      return null
    case "boolean":
      return value ? 1 : 0
    default:
      if (value === null || value instanceof Uint8Array) return value
      if (value instanceof Date) return value.toISOString()
      throw new TypeError(
        `The parameter ${
          index + 1
        } is of a type that SQLite does not have. Give a text, a number, a BigInt, a boolean, a ` +
          "Date, bytes or null: encode objects as JSON."
      )
  }
}

export const bind = (values: ReadonlyArray<unknown>): Array<SQLInputValue> => values.map(bound)
