import type * as Wire from "@clawback/core/Wire"

const single = (value: Wire.Headers[string]): string | undefined => typeof value === "string" ? value : value?.[0]

const isLower = (name: string): boolean => name === name.toLowerCase()

/** The same headers under their names in lower case. Of two names that differ only in case, the later one applies. */
export const lowered = (headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.keys(headers).every(isLower)
    ? headers
    : Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))

/** A header's value. Undefined if it is missing or blank. */
export const header = (headers: Wire.Headers, name: string): string | undefined =>
  single(headers[name])?.trim() || undefined

/** The token of `Authorization: Bearer`. The scheme is case-insensitive (RFC 9110 §11.1, RFC 6750 §2.1). */
export const bearer = (headers: Wire.Headers): string | undefined =>
  /^bearer +(\S+)$/i.exec(header(headers, "authorization") ?? "")?.[1]
