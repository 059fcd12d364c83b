import type * as Response from "effect/ai/Response"
import type { Extras, ReasoningPart } from "../../ChatRequest.ts"
import * as From from "../json/json.ts"

/** Fields for which Effect's parts have no place. An answer carries them as metadata, and a prompt as options. */
type Unseen = Pick<ReasoningPart, "details" | "extras" | "redacted" | "signature">

/** Our own key, beside those of the protocols. */
export const key = "clawback"

export const metadataOf = ({ details, extras, redacted, signature }: Unseen): Response.ProviderMetadata | undefined => {
  if (redacted !== undefined || signature !== undefined || details !== undefined) {
    return { ...extras, [key]: From.fields({ redacted, signature, details }) }
  }
  return extras && { ...extras }
}

type Options = { readonly [key: string]: unknown }

const extrasOf = (options: Options): Extras | undefined => {
  let found: Array<readonly [string, Extras[string]]> | undefined
  for (const name in options) {
    const value = options[name]
    if (name !== key && From.isObject(value)) (found ??= []).push([name, value])
  }
  return found && Object.fromEntries(found)
}

/** As fields of a message or a part: none where there are no extras. */
export const extrasField = (options: Options): { readonly extras?: Extras } => {
  const extras = extrasOf(options)
  return extras === undefined ? {} : { extras }
}

export const unseenOf = (options: Options): Unseen => {
  const { details, redacted, signature } = From.object(options[key]) ?? {}
  return {
    ...extrasField(options),
    ...(typeof redacted === "string" && { redacted }),
    ...(typeof signature === "string" && { signature }),
    ...(Array.isArray(details) && { details: details.filter(From.isObject) })
  }
}
