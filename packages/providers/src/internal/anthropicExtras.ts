import type { Extras } from "../ChatRequest.ts"
import type { Json, JsonObject } from "../Json.ts"

export const protocol = "anthropic-messages"

/** What is said to this protocol alone. */
export const extrasOf = (part: { readonly extras?: Extras | undefined }): JsonObject => part.extras?.[protocol] ?? {}

const isNull = (value: Json | undefined): boolean => value === undefined || value === null

/** Without nulls, by which this protocol says that there is nothing. */
export const said = (fields: JsonObject): JsonObject =>
  Object.values(fields).some(isNull)
    ? Object.fromEntries(Object.entries(fields).filter(([, value]) => !isNull(value)))
    : fields

/** Keeps what the model has no place for. */
export const keep = (fields: JsonObject): { readonly extras?: Extras } => {
  const kept = said(fields)
  return Object.keys(kept).length === 0 ? {} : { extras: { [protocol]: kept } }
}

export const without = (from: JsonObject, known: ReadonlySet<string>): JsonObject =>
  Object.fromEntries(Object.entries(from).filter(([key]) => !known.has(key)))

/** Only what is there. */
export const present = <A extends { readonly [key: string]: unknown }>(
  fields: A
): { [K in keyof A]?: Exclude<A[K], undefined> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof A]?: Exclude<A[K], undefined>
  }
