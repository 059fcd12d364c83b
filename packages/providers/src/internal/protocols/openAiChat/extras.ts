import type { Extras } from "../../../ChatRequest.ts"
import type { JsonObject } from "../../../Json.ts"
import { others } from "../../json/json.ts"
import type * as Model from "../../model/crossing.ts"

/** The key of this protocol's extras and native parts. */
export const protocol = "openai-chat"

/** The extras of this protocol. */
export const own = (extras: Extras | undefined): JsonObject => extras?.[protocol] ?? {}

/** The unknown fields, as extras. */
export const extrasOf = (value: JsonObject, known: ReadonlySet<string>): { readonly extras?: Extras } => {
  const unknown = others(value, known)
  return unknown === undefined ? {} : { extras: { [protocol]: unknown } }
}

/** A request on its way to a server of this protocol, or an answer on its way to a client. */
export type Crossing = Model.Crossing<typeof protocol>

/** The fields in which compatible servers send the model's thinking. OpenAI's own reference has none. */
export const reasoningNames = ["reasoning_content", "reasoning"] as const

/** Mistral sends the model's thinking as parts of the content, of this type and with a field of this name. */
export const thinkingName = "thinking"

/** The extras of a thought: where it stood. `copy` is a second field that had the same text. */
export type Thought = JsonObject & { readonly name: string; readonly copy?: string }

/** The fields that the canonical request lacks. Source: OpenAI's API reference, "Create chat completion". */
export const parameters: ReadonlySet<string> = new Set([
  "audio",
  "function_call",
  "functions",
  "logit_bias",
  "logprobs",
  "max_tokens",
  "metadata",
  "modalities",
  "moderation",
  "prediction",
  "prompt_cache_key",
  "prompt_cache_retention",
  "response_format",
  "safety_identifier",
  "store",
  "stream_options",
  "tool_choice",
  "top_logprobs",
  "verbosity",
  "web_search_options"
])
