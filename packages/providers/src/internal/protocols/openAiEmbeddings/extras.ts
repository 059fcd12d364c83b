import type { Extras } from "../../../ChatRequest.ts"
import type { JsonObject } from "../../../Json.ts"
import * as From from "../../json/json.ts"

/** Under this name, extras of OpenAI's embeddings are kept. */
export const protocol = "openai-embeddings"

/** What is not known, as extras. */
export const extrasOf = (value: JsonObject, known: ReadonlySet<string>): { readonly extras?: Extras } => {
  const unknown = From.others(value, known)
  return unknown === undefined ? {} : { extras: { [protocol]: unknown } }
}
