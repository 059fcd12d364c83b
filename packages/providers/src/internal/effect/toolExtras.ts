import * as Context from "effect/Context"
import type { Extras } from "../../ChatRequest.ts"

/**
 * The annotation of one of Effect's tools with fields of single protocols, by the protocol's name. A prompt's messages and parts
 * have `options` for that: `weather.annotate(Provider.ToolExtras, { "anthropic-messages": { cache_control: { type: "ephemeral" } } })`.
 *
 * Default: none. A provider of another protocol does not get them, and the answer reports that.
 */
export const ToolExtras: Context.Reference<Extras | undefined> = Context.Reference<Extras | undefined>(
  "@clawback/providers/Provider/ToolExtras",
  { defaultValue: () => undefined }
)
