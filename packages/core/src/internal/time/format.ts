import * as Duration from "effect/Duration"

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

/** A length of time for a reader: its two largest units, rounded, and nothing below milliseconds. `1m 3s`, `812ms`. */
export const format = (duration: Duration.Duration): string => {
  const millis = Duration.toMillis(duration)
  if (millis < 1) return millis === 0 ? "0ms" : "<1ms"
  const least = millis < minute ? 1 : millis < hour ? second : millis < day ? minute : hour
  return Duration.format(Duration.millis(Math.round(millis / least) * least))
}
