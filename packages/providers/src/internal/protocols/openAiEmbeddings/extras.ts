import type { Extras } from "../../../ChatRequest.ts"
import type { JsonObject } from "../../../Json.ts"
import * as From from "../../json/json.ts"

/** The key of this protocol's extras. */
export const protocol = "openai-embeddings"

/** The unknown fields, as extras. */
export const extrasOf = (value: JsonObject, known: ReadonlySet<string>): { readonly extras?: Extras } => {
  const unknown = From.others(value, known)
  return unknown === undefined ? {} : { extras: { [protocol]: unknown } }
}
