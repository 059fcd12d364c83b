/** Looks for a secret in everything that may be printed. */
import { assert } from "@effect/vitest"
import { inspect } from "node:util"

/** Every usual way to print a value. */
const printed = (value: unknown) =>
  [
    String(value),
    JSON.stringify(value),
    inspect(value, { depth: null, showHidden: true, getters: true, maxStringLength: null, maxArrayLength: null }),
    ...(value instanceof Error ? [value.message, value.stack, value.toString()] : [])
  ].join("\n")

/** Finds nothing of a key in a value, however it is printed. */
export const assertKept = (value: unknown, key: string) => {
  const text = printed(value)
  assert.notInclude(text, key)
  // Nor a part of it, which would be left if it were cut off or quoted.
  assert.notInclude(text, key.slice(0, 8))
  assert.notInclude(text, key.slice(-8))
}
