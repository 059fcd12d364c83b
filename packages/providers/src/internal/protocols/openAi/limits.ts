import type * as Wire from "@clawback/core/Wire"
import * as Duration from "effect/Duration"
import type { Json, JsonObject } from "../../../Json.ts"
import type { HttpResponse } from "../../../Protocol.ts"
import type { RateLimit, RateLimits } from "../../../RateLimit.ts"
import * as RetryAfter from "../../http/retryAfter.ts"
import * as From from "../../json/json.ts"
import { errorOf, messageOf } from "./errorBody.ts"

const unitMillis: ReadonlyMap<string, number> = new Map([
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1_000],
  ["ms", 1],
  ["us", 1e-3],
  ["µs", 1e-3],
  ["ns", 1e-6]
])

/** A duration as Go writes it: `1h2m3.5s`, `120ms`. A number without a unit, as some servers send it, means seconds. */
const goDuration = (text: string): Duration.Duration | undefined => {
  if (!/^(?:\d+(?:\.\d+)?(?:h|ms|m|s|us|µs|ns))+$/.test(text)) {
    return /^\d+(?:\.\d+)?$/.test(text) ? Duration.millis(Number(text) * 1_000) : undefined
  }
  let millis = 0
  for (const [, number, unit = ""] of text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)/g)) {
    millis += Number(number) * (unitMillis.get(unit) ?? NaN)
  }
  return Number.isFinite(millis) ? Duration.millis(millis) : undefined
}

/** Some servers state the wait only in the error's message. */
const inWords = (message: string | undefined): Duration.Duration | undefined => {
  const found = /(?:try again|retry) in ([\d.]+(?:h|ms|m|s)(?:[\d.hms]*))/i.exec(message ?? "")?.[1]
  return found === undefined ? undefined : goDuration(found.replace(/\.+$/, ""))
}

/** Google's `RetryInfo`, one of the details of an error. */
const inDetails = (details: Json | undefined): Duration.Duration | undefined => {
  for (const detail of From.array(details)) {
    const delay = From.string(From.object(detail)?.["retryDelay"])
    if (delay !== undefined) return goDuration(delay)
  }
  return undefined
}

/** How long to wait: from the headers, else from the error's message or details. */
export const retryAfter = (headers: Wire.Headers, error: JsonObject | undefined): Duration.Duration | undefined =>
  RetryAfter.retryAfter(headers) ?? inWords(messageOf(error)) ?? inDetails(error?.["details"])

const header = /^x-ratelimit-(limit|remaining|reset)-([a-z][a-z0-9-]*)$/

/** Reads the limits. Each comes in three headers, whose names end with the dimension. */
export const limits = ({ body, headers, status }: HttpResponse): RateLimits => {
  const found = new Map<string, { limit?: string; remaining?: string; reset?: string }>()
  for (const [name, value] of Object.entries(headers)) {
    const [, field, dimension] = header.exec(name.toLowerCase()) ?? []
    const text = typeof value === "string" ? value : value?.[0]
    if (dimension === undefined || text === undefined) continue
    found.set(dimension, { ...found.get(dimension), [field as "limit"]: text.trim() })
  }
  const error = status >= 400 ? errorOf(From.parse(body)) : undefined
  return {
    limits: [...found].map(([dimension, { limit, remaining, reset }]): RateLimit => ({
      dimension,
      limit: limit === undefined ? undefined : wholeNumber(limit),
      remaining: remaining === undefined ? undefined : wholeNumber(remaining),
      resetAfter: reset === undefined ? undefined : goDuration(reset)
    })),
    retryAfter: retryAfter(headers, error)
  }
}

const wholeNumber = (text: string): number | undefined => /^\d+$/.test(text) ? From.count(Number(text)) : undefined
