import type { Json, JsonObject } from "../../../Json.ts"
import { isObject } from "../../json/json.ts"

/** Fields of an answer's sound, whose text comes in pieces. */
const inPieces = new Set(["data", "transcript"])

const isText = (value: Json): value is string => typeof value === "string"
const isList = (value: Json): value is ReadonlyArray<Json> => Array.isArray(value)

const merge = (key: string, values: ReadonlyArray<Json>, depth: number): Json => {
  const [first = null] = values
  if (values.length === 1) return first
  if (values.every(isList)) return values.flat()
  if (depth > 0 && values.every(isObject)) return mergeFields(values, depth - 1)
  if (inPieces.has(key) && values.every(isText)) return values.join("")
  return values.at(-1) ?? first
}

/** One object of those that came one after another: lists and objects grow, of other values the last one stands. */
export const mergeFields = (objects: ReadonlyArray<JsonObject>, depth = 1): JsonObject => {
  const found = new Map<string, Array<Json>>()
  for (const object of objects) {
    for (const [key, value] of Object.entries(object)) {
      if (value === null) continue
      const values = found.get(key)
      if (values === undefined) found.set(key, [value])
      else values.push(value)
    }
  }
  return Object.fromEntries([...found].map(([key, values]) => [key, merge(key, values, depth)]))
}
