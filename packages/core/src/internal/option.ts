/** Options are part of the program: a wrong one is a defect, found where it is set and named. */
import * as Duration from "effect/Duration"

const wrong = (name: string, value: unknown, wanted: string) =>
  new RangeError(
    `The option \`${name}\` must be ${wanted}, not ${typeof value === "number" ? value : JSON.stringify(value)}`
  )

/** A whole number from `least` up. */
export const count = (name: string, value: number, least: number): number => {
  if (Number.isSafeInteger(value) && value >= least) return value
  throw wrong(name, value, `a whole number from ${least} up`)
}

/** A part of a whole. */
export const ratio = (name: string, value: number): number => {
  if (value >= 0 && value <= 1) return value
  throw wrong(name, value, "a number from 0 to 1")
}

/** A length of time, zero and infinity included. */
export const duration = (name: string, value: Duration.Input): Duration.Duration => {
  const parsed = Number.isNaN(value) ? undefined : Duration.fromInput(value)
  if (parsed?._tag === "Some" && !Duration.isNegative(parsed.value)) return parsed.value
  throw wrong(name, value, "a duration such as \"10 seconds\", and not negative")
}

/** A number of bytes, or `Infinity` for no limit. */
export const size = (name: string, value: number): number => {
  if (value === Infinity || (Number.isSafeInteger(value) && value >= 0)) return value
  throw wrong(name, value, "a whole number of bytes from 0 up, or Infinity")
}
