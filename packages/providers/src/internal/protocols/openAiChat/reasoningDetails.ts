import type { Json, JsonObject } from "../../../Json.ts"
import * as From from "../../json/json.ts"

/** The field in which OpenRouter and others send thinking in a form that the model needs back. */
export const field = "reasoning_details"

export const detailsOf = (message: JsonObject): ReadonlyArray<JsonObject> =>
  From.array(message[field]).filter(From.isObject)

/** Fields that a stream sends in pieces. */
const inPieces = new Set(["text", "summary"])

/** Whether it continues the one before. Thinking that only its provider can read comes complete. */
const continues = (last: JsonObject, next: JsonObject): boolean =>
  last["type"] === next["type"] && last["index"] === next["index"] && next["type"] !== "reasoning.encrypted"

const isText = (value: Json | undefined): value is string => typeof value === "string"

const joined = (last: JsonObject, next: JsonObject): JsonObject => {
  const fields: Record<string, Json> = { ...last }
  for (const [name, value] of Object.entries(next)) {
    const before = last[name]
    if (value === null) continue
    fields[name] = inPieces.has(name) && isText(value) && isText(before) ? before + value : value
  }
  return fields
}

/** Adds what a chunk of a stream has of them, so that they become those of the whole answer. */
export const addDetails = (found: Array<JsonObject>, more: ReadonlyArray<JsonObject>): void => {
  for (const next of more) {
    const last = found.at(-1)
    if (last !== undefined && continues(last, next)) found[found.length - 1] = joined(last, next)
    else found.push(next)
  }
}
