import * as OptionCheck from "@clawback/core/OptionCheck"
import type * as Wire from "@clawback/core/Wire"
import * as Duration from "effect/Duration"
import type { Json, JsonObject } from "../../../Json.ts"
import type { HttpResponse } from "../../../Protocol.ts"
import type { RateLimit, RateLimits } from "../../../RateLimit.ts"
import { header } from "../../http/headers.ts"
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

/** In seconds: 31 years. A larger number is an instant, not a duration. */
const longest = 1e9

/** A duration as Go writes it: `1h2m3.5s`, `120ms`. A number without a unit, as some servers send it, means seconds. */
const goDuration = (text: string): Duration.Duration | undefined => {
  if (!/^(?:\d+(?:\.\d+)?(?:h|ms|m|s|us|µs|ns))+$/.test(text)) {
    return /^\d+(?:\.\d+)?$/.test(text) && Number(text) < longest ? Duration.millis(Number(text) * 1_000) : undefined
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

type Field = "limit" | "remaining" | "reset"

/** The headers of one limit, in lower case. */
export interface LimitNames {
  readonly limit?: string | undefined
  readonly remaining?: string | undefined
  readonly reset?: string | undefined
  /** A reset is a time from now, in seconds or as Go writes it (`6m0s`), or an instant since 1970. Default: `duration`. */
  readonly resetAs?: "duration" | "epoch seconds" | "epoch milliseconds" | undefined
}

/** The headers of limits by what they limit: `requests`, `tokens`. Those that follow OpenAI's pattern are read undeclared. */
export type LimitHeaders = Readonly<Record<string, LimitNames>>

const patterned = (dimension: string): LimitNames => ({
  limit: `x-ratelimit-limit-${dimension}`,
  remaining: `x-ratelimit-remaining-${dimension}`,
  reset: `x-ratelimit-reset-${dimension}`
})

/** OpenAI's: https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers */
export const standard: LimitHeaders = { requests: patterned("requests"), tokens: patterned("tokens") }

const namesFields: Readonly<Record<keyof LimitNames, true>> = {
  limit: true,
  remaining: true,
  reset: true,
  resetAs: true
}

const resets = ["duration", "epoch seconds", "epoch milliseconds"] as const

const fields = ["limit", "remaining", "reset"] as const

export const checkedLimitHeaders = (option: string, headers: LimitHeaders): LimitHeaders => {
  for (const [dimension, given] of Object.entries(headers)) {
    const names = OptionCheck.fields<LimitNames>(`${option}.${dimension}`, given, namesFields)
    for (const field of fields) {
      if (names[field] !== undefined) OptionCheck.text(`${option}.${dimension}.${field}`, names[field])
    }
    if (names.resetAs !== undefined) OptionCheck.choice(`${option}.${dimension}.resetAs`, names.resetAs, resets)
  }
  return headers
}

const epochMillis = { "epoch seconds": 1_000, "epoch milliseconds": 1 } as const

/** The time until a reset. An instant is compared with the response's own `date`, so that only the server's clock counts. */
const untilReset = (
  { resetAs = "duration" }: LimitNames,
  text: string,
  headers: Wire.Headers
): Duration.Duration | undefined => {
  if (resetAs === "duration") return goDuration(text)
  const left = Number(text) * epochMillis[resetAs] - Date.parse(header(headers, "date") ?? "")
  return Number.isNaN(left) ? undefined : Duration.millis(Math.max(0, left))
}

const pattern = /^x-ratelimit-(limit|remaining|reset)-([a-z][a-z0-9-]*)$/

/** Reads the limits. Each comes in up to three headers. */
export const limits = (form: LimitHeaders): (response: HttpResponse) => RateLimits => {
  const places = new Map(
    Object.entries(form).flatMap(([dimension, names]) =>
      fields.flatMap((field) => names[field] === undefined ? [] : [[names[field], [field, dimension]] as const])
    )
  )
  return ({ body, headers, status }) => {
    const found = new Map<string, { limit?: string; remaining?: string; reset?: string }>()
    for (const [name, value] of Object.entries(headers)) {
      const key = name.toLowerCase()
      const [field, dimension] = places.get(key) ?? pattern.exec(key)?.slice(1) ?? []
      const text = typeof value === "string" ? value : value?.[0]
      if (dimension === undefined || text === undefined) continue
      found.set(dimension, { ...found.get(dimension), [field as Field]: text.trim() })
    }
    const error = status >= 400 ? errorOf(From.parse(body)) : undefined
    return {
      limits: [...found].map(([dimension, { limit, remaining, reset }]): RateLimit => ({
        dimension,
        limit: limit === undefined ? undefined : wholeNumber(limit),
        remaining: remaining === undefined ? undefined : wholeNumber(remaining),
        resetAfter: reset === undefined ? undefined : untilReset(form[dimension] ?? {}, reset, headers)
      })),
      retryAfter: retryAfter(headers, error)
    }
  }
}

const resetText = ({ resetAs = "duration" }: LimitNames, resetAfter: Duration.Duration, sentAt: number): string => {
  const left = Duration.toMillis(resetAfter)
  return resetAs === "duration" ? `${left / 1_000}s` : String(Math.ceil((sentAt + left) / epochMillis[resetAs]))
}

/** States the limits that the server has headers for, at this instant. */
export const encodeLimits =
  (form: LimitHeaders) => (limits: ReadonlyArray<RateLimit>, sentAt: number): Readonly<Record<string, string>> => {
    const headers: { [name: string]: string } = {}
    for (const { dimension, limit, remaining, resetAfter } of limits) {
      const names = form[dimension] ?? {}
      const reset = resetAfter && resetText(names, resetAfter, sentAt)
      for (const [field, value] of Object.entries({ limit, remaining, reset })) {
        const name = names[field as Field]
        if (name !== undefined && value !== undefined) headers[name] = String(value)
      }
    }
    return headers
  }

const wholeNumber = (text: string): number | undefined => /^\d+$/.test(text) ? From.count(Number(text)) : undefined
