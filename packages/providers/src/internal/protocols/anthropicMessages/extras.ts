import type { Extras } from "../../../ChatRequest.ts"
import type { JsonObject } from "../../../Json.ts"
import * as From from "../../json/json.ts"
import type * as Model from "../../model/crossing.ts"

/** The key of this protocol's extras and native parts. */
export const protocol = "anthropic-messages"

/** The extras of this protocol. */
export const extrasOf = (part: { readonly extras?: Extras | undefined }): JsonObject => part.extras?.[protocol] ?? {}

const none: ReadonlySet<string> = new Set()

/** The unknown fields, as extras. In this protocol, null means absent. */
export const keep = (fields: JsonObject, known = none): { readonly extras?: Extras } => {
  const kept = From.others(fields, known)
  return kept === undefined ? {} : { extras: { [protocol]: kept } }
}

/** A request on its way to a server of this protocol. */
export type Crossing = Model.Crossing<typeof protocol>

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
