import type * as Wire from "@clawback/core/Wire"
import * as Duration from "effect/Duration"
import { header } from "./headers.ts"

const positive = (millis: number): Duration.Duration | undefined =>
  Number.isFinite(millis) && millis >= 0 ? Duration.millis(millis) : undefined

/**
 * How long a response asks to wait: `retry-after-ms`, else `retry-after` in seconds or as a date (RFC 9110 §10.2.3). A date
 * is compared with the response's own `date`, so that only the server's clock counts.
 */
export const retryAfter = (headers: Wire.Headers): Duration.Duration | undefined => {
  const inMillis = positive(Number(header(headers, "retry-after-ms")?.trim() || NaN))
  if (inMillis !== undefined) return inMillis
  const value = header(headers, "retry-after")?.trim()
  if (value === undefined || value === "") return undefined
  if (/^[\d.]+$/.test(value)) return positive(Number(value) * 1000)
  // Each HTTP date begins with a weekday. `Date.parse` would also read plain numbers as dates.
  if (!/^[A-Za-z]/.test(value)) return undefined
  const sentAt = Date.parse(header(headers, "date") ?? "")
  return positive(Math.max(0, Date.parse(value) - sentAt))
}
