import type * as Wire from "@clawback/core/Wire"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import type { HttpResponse } from "../../../Protocol.ts"
import type { RateLimit, RateLimits } from "../../../RateLimit.ts"
import { retryAfter } from "../../http/retryAfter.ts"

/** The headers of one limit. */
interface LimitHeaders {
  readonly dimension: string
  readonly fields: { [field: string]: string }
}

const header = /^anthropic-(?:ratelimit-)?([a-z\d-]+)-(limit|remaining|reset|utilization|status)$/

const single = (value: Wire.Headers[string]): string | undefined => {
  const first = typeof value === "string" ? value : value?.[0]
  return first?.trim() === "" ? undefined : first?.trim()
}

const limitHeaders = (headers: Wire.Headers): ReadonlyArray<LimitHeaders> => {
  const found = new Map<string, LimitHeaders>()
  for (const [name, value] of Object.entries(headers)) {
    const [, dimension, field] = header.exec(name) ?? []
    const text = single(value)
    if (dimension === undefined || field === undefined || text === undefined) continue
    const known = found.get(dimension) ?? { dimension, fields: {} }
    known.fields[field] = text
    found.set(dimension, known)
  }
  return [...found.values()]
}

const amount = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d+(\.\d+)?$/.test(text) ? Number(text) : undefined

/** An instant in RFC 3339. For the windows of a plan: seconds since 1970. */
const instant = (text: string): number => {
  if (/^\d{9,11}$/.test(text)) return Number(text) * 1000
  return /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d/.test(text) ? Date.parse(text) : Number.NaN
}

/** The time until an instant, by the server's clock: the response's `date`. */
const until = (text: string | undefined, headers: Wire.Headers): Duration.Duration | undefined => {
  if (text === undefined) return undefined
  const left = instant(text) - Date.parse(single(headers["date"]) ?? "")
  return Number.isNaN(left) ? undefined : Duration.millis(Math.max(0, left))
}

/** For a plan's window, the server states only the used share. The limit is then 1. */
const share = (utilization: string | undefined) => {
  const used = amount(utilization)
  return used === undefined ? undefined : { limit: 1, remaining: Math.max(0, 1 - used) }
}

/** The time until all exhausted windows of a plan are open again. */
const rejectedFor = (all: ReadonlyArray<LimitHeaders>, headers: Wire.Headers): Duration.Duration | undefined =>
  all.filter(({ dimension, fields }) => dimension.startsWith("unified") && fields["status"] === "rejected")
    .map(({ fields }) => until(fields["reset"], headers))
    .reduce(
      (latest, reset) => latest === undefined || reset === undefined ? latest ?? reset : Duration.max(latest, reset),
      undefined
    )

const rateLimit = ({ dimension, fields }: LimitHeaders, headers: Wire.Headers): RateLimit => ({
  dimension,
  limit: amount(fields["limit"]) ?? share(fields["utilization"])?.limit,
  remaining: amount(fields["remaining"]) ?? share(fields["utilization"])?.remaining,
  resetAfter: until(fields["reset"], headers)
})

/** How long to wait: as the response asks, or until the plan's windows are open again, whichever is later. */
export const waitOf = (headers: Wire.Headers): Duration.Duration | undefined => {
  const asked = retryAfter(headers)
  const rejected = rejectedFor(limitHeaders(headers), headers)
  return asked === undefined || rejected === undefined ? asked ?? rejected : Duration.max(asked, rejected)
}

export const limits = ({ headers }: HttpResponse): RateLimits => ({
  limits: limitHeaders(headers).filter(({ fields }) => Object.keys(fields).some((field) => field !== "status"))
    .map((limit) => rateLimit(limit, headers)),
  retryAfter: waitOf(headers)
})

/** States limits as Anthropic does. It has no windows of plans. */
export const encodeLimits = (
  limits: ReadonlyArray<RateLimit>,
  sentAt: number
): Readonly<Record<string, string>> =>
  Object.fromEntries(limits.flatMap(({ dimension, limit, remaining, resetAfter }) => {
    const reset = resetAfter && DateTime.formatIso(DateTime.makeUnsafe(sentAt + Duration.toMillis(resetAfter)))
    return Object.entries({ limit, remaining, reset }).flatMap(([field, value]) =>
      value === undefined ? [] : [[`anthropic-ratelimit-${dimension}-${field}`, String(value)]]
    )
  }))
