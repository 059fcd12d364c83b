/**
 * Checks options where they are set. A wrong option is a bug in the program. The check throws a `RangeError` that names it
 * and says what it must be. Use it for options of your own layers.
 *
 * ```ts
 * import * as OptionCheck from "@clawback/core/OptionCheck"
 *
 * console.log(OptionCheck.duration("grace", "2 seconds"))
 * try {
 *   OptionCheck.count("workers", 1.5, 1)
 * } catch (error) {
 *   console.log(String(error)) // RangeError: The option `workers` must be a whole number from 1 up, not 1.5
 * }
 * ```
 *
 * @experimental
 */

import * as Duration from "effect/Duration"
import * as Formatter from "effect/Formatter"

/** What to throw, for a check of your own. A value that is `Redacted` is not shown. */
export const wrong = (name: string, value: unknown, wanted: string): RangeError =>
  new RangeError(`The option \`${name}\` must be ${wanted}, not ${Formatter.format(value)}`)

/** A whole number from `least` up, and up to `most` if that is given. */
export const count = (name: string, value: number, least: number, most = Infinity): number => {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value
  throw wrong(name, value, `a whole number from ${least} ${most === Infinity ? "up" : `to ${most}`}`)
}

/** A part of a whole. */
export const ratio = (name: string, value: number): number => {
  if (typeof value === "number" && value >= 0 && value <= 1) return value
  throw wrong(name, value, "a number from 0 to 1")
}

const units: ReadonlySet<string> = new Set([
  "weeks",
  "days",
  "hours",
  "minutes",
  "seconds",
  "milliseconds",
  "microseconds",
  "nanoseconds"
])

const isNumber = (part: unknown) => typeof part === "number" && !Number.isNaN(part)

/** Effect reads `NaN`, and an object without a known unit, as zero. */
const isMeasured = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null || Duration.isDuration(value)) return !Number.isNaN(value)
  if (Array.isArray(value)) return value.every(isNumber)
  const parts = Object.entries(value).filter(([, part]) => part !== undefined)
  return parts.length > 0 && parts.every(([unit, part]) => units.has(unit) && isNumber(part))
}

const parse = (value: Duration.Input): Duration.Duration | undefined => {
  if (typeof value === "string") return parseText(value)
  const parsed = isMeasured(value) ? Duration.fromInput(value) : undefined
  return parsed?._tag === "Some" && !Duration.isNegative(parsed.value) ? parsed.value : undefined
}

/** A program writes few durations, and gives the same ones with each call. */
const maxKnown = 64
const known = new Map<string, Duration.Duration>()

const parseText = (text: Duration.Input & string): Duration.Duration | undefined => {
  const found = known.get(text)
  if (found !== undefined) return found
  const parsed = Duration.fromInput(text)
  if (parsed._tag === "None" || Duration.isNegative(parsed.value)) return undefined
  if (known.size < maxKnown) known.set(text, parsed.value)
  return parsed.value
}

/** A length of time, zero and infinity included. */
export const duration = (name: string, value: Duration.Input): Duration.Duration => {
  const parsed = parse(value)
  if (parsed !== undefined) return parsed
  throw wrong(name, value, "a duration such as \"10 seconds\", and not negative")
}

/** A length of time after which something is certain to happen. */
export const finite = (name: string, value: Duration.Input): Duration.Duration => {
  const parsed = parse(value)
  if (parsed !== undefined && Duration.isFinite(parsed)) return parsed
  throw wrong(name, value, "a duration such as \"10 seconds\", neither negative nor infinite")
}

/** The time from one round to the next, infinity included. None at all would keep the process busy with nothing else. */
export const interval = (name: string, value: Duration.Input): Duration.Duration => {
  const parsed = parse(value)
  if (parsed !== undefined && !Duration.isZero(parsed)) return parsed
  throw wrong(name, value, "a duration such as \"10 seconds\", and longer than zero")
}

/** A number of bytes, or `Infinity` for no limit. */
export const size = (name: string, value: number): number => {
  if (value === Infinity || (Number.isSafeInteger(value) && value >= 0)) return value
  throw wrong(name, value, "a whole number of bytes from 0 up, or Infinity")
}

/** Whether a value is a plain object. Lists and class instances are not: they inherit fields. */
const isPlain = (value: unknown): value is object => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

const onlyFields = (known: object): string =>
  `an object with no other fields than ${Object.keys(known).map((field) => `\`${field}\``).join(", ")}`

/**
 * Checks that an object has only known fields: those of `known`, whatever their values. Use it where a misspelt field would do
 * harm: a filter would ignore it and match everything.
 */
export const fields = <A extends object>(name: string, value: A, known: Readonly<Record<keyof A, unknown>>): A => {
  if (!isPlain(value)) throw wrong(name, value, onlyFields(known))
  for (const field of [...Object.getOwnPropertyNames(value), ...Object.getOwnPropertySymbols(value)]) {
    if (!Object.hasOwn(known, field)) {
      throw new RangeError(`The option \`${name}\` must be ${onlyFields(known)}: \`${String(field)}\` is none of them`)
    }
  }
  return value
}

/** Text. */
export const text = (name: string, value: string): string => {
  if (typeof value === "string") return value
  throw wrong(name, value, "a text")
}

/** One of a few words. */
export const choice = <A extends string>(name: string, value: A, choices: ReadonlyArray<A>): A => {
  if (choices.includes(value)) return value
  throw wrong(name, value, `one of ${choices.map((one) => `"${one}"`).join(", ")}`)
}
