import type { Extras } from "../../../ChatRequest.ts"
import type { JsonObject } from "../../../Json.ts"
import { Unsupported } from "../../../Protocol.ts"
import * as From from "../../json/json.ts"

/** Under this name, extras and native parts of Anthropic's Messages are kept. */
export const protocol = "anthropic-messages"

/** What is said to this protocol alone. */
export const extrasOf = (part: { readonly extras?: Extras | undefined }): JsonObject => part.extras?.[protocol] ?? {}

const none: ReadonlySet<string> = new Set()

/** Keeps what the model has no place for. By null, this protocol says that there is nothing. */
export const keep = (fields: JsonObject, known = none): { readonly extras?: Extras } => {
  const kept = From.others(fields, known)
  return kept === undefined ? {} : { extras: { [protocol]: kept } }
}

export const unsupported = (detail: string): never => {
  throw new Unsupported({ protocol, detail })
}

/** The fields that the canonical request lacks. Source: Anthropic's API reference, "Create a Message". */
export const parameters: ReadonlySet<string> = new Set([
  "cache_control",
  "container",
  "context_management",
  "inference_geo",
  "mcp_servers",
  "metadata",
  "output_config",
  "output_format",
  "speed",
  "thinking",
  "tool_choice"
])
