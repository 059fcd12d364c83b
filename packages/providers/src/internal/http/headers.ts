import type * as Wire from "@clawback/core/Wire"

const single = (value: Wire.Headers[string]): string | undefined => typeof value === "string" ? value : value?.[0]

/** A header's value, where it is there and says something. */
export const header = (headers: Wire.Headers, name: string): string | undefined =>
  single(headers[name])?.trim() || undefined

/** The token of `Authorization: Bearer`, whose scheme is of any case (RFC 9110 §11.1, RFC 6750 §2.1). */
export const bearer = (headers: Wire.Headers): string | undefined =>
  /^bearer +(\S+)$/i.exec(header(headers, "authorization") ?? "")?.[1]
