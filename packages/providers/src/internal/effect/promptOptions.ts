import type * as Response from "effect/ai/Response"
import type { Extras, ReasoningPart } from "../../ChatRequest.ts"
import * as From from "../json/json.ts"

/** What of a part Effect has no field for: it travels as the metadata of an answer, and comes back as a prompt's options. */
type Unseen = Pick<ReasoningPart, "extras" | "redacted" | "signature">

/** Our own key, beside those of the protocols. */
const key = "clawback"

export const metadataOf = (
  { extras, redacted, signature }: Unseen
): { readonly metadata?: Response.ProviderMetadata } => {
  if (extras === undefined && redacted === undefined && signature === undefined) return {}
  const signed = From.fields({ redacted, signature })
  return { metadata: { ...extras, ...(Object.keys(signed).length > 0 && { [key]: signed }) } }
}

export const extrasOf = (options: { readonly [key: string]: unknown }): { readonly extras?: Extras } => {
  const found = Object.entries(options).flatMap(([name, value]) =>
    name !== key && From.isObject(value) ? [[name, value] as const] : []
  )
  return found.length === 0 ? {} : { extras: Object.fromEntries(found) }
}

export const unseenOf = (options: { readonly [key: string]: unknown }): Unseen => {
  const { redacted, signature } = From.object(options[key]) ?? {}
  return {
    ...extrasOf(options),
    ...(typeof redacted === "string" && { redacted }),
    ...(typeof signature === "string" && { signature })
  }
}
