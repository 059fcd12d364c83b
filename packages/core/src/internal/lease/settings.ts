/** The options of a lease, checked and with their defaults. */
import * as Duration from "effect/Duration"
import * as OptionCheck from "../../OptionCheck.ts"

export interface Options {
  /** What the lease is for. All who use the same key in the same store share its limit. It is listed, so it must hold no secret. */
  readonly key: string
  /**
   * How long the store keeps the lease of a holder that does not renew it, at least 10 milliseconds. Default: 30 seconds. A third
   * of it is the pace of renewals. Too low, and a slow store or a pause of the process loses the lease; too high, and what a
   * killed process held is blocked for longer. All who share a key should give the same.
   */
  readonly ttl?: Duration.Input | undefined
  /** How many may hold the key at the same time. Default: 1, a lock. All who share a key should give the same. */
  readonly limit?: number | undefined
  /**
   * How long to wait for a lease. Default: not at all. Too low, and a short overlap fails; too high, and callers wait for a
   * holder that takes long.
   */
  readonly wait?: Duration.Input | undefined
  /** Who holds the lease, for people that look into the store, such as `"worker-7 pid 4211"`. Default: empty. */
  readonly holder?: string | undefined
  /**
   * How long before the end of the lease its holder is interrupted, less than half of `ttl`. Default: a tenth of `ttl`. Work must
   * end within it. Too low, and work that takes time to stop overlaps the next holder; too high, and there is less time to renew.
   */
  readonly margin?: Duration.Input | undefined
  /**
   * How long one step of the store may take. Default: a sixth of `ttl`, and 5 seconds at most. Too low, and a slow store fails;
   * too high, and a store that hangs leaves time for fewer renewals.
   */
  readonly stepTimeout?: Duration.Input | undefined
  /**
   * How long a caller that waits pauses before it asks the store again, less up to a half at random. It asks sooner if the first
   * lease expires, and at once when one is released in this process. Default: 250 milliseconds. Too low, and waiting loads the
   * store; too high, and a place that another process released stays free for longer.
   */
  readonly poll?: Duration.Input | undefined
}

/** In milliseconds. */
export interface Settings {
  readonly key: string
  readonly ttl: number
  readonly limit: number
  readonly wait: number
  readonly holder: string
  readonly margin: number
  readonly stepTimeout: number
  readonly poll: number
}

const fields: Readonly<Record<keyof Options, true>> = {
  key: true,
  ttl: true,
  limit: true,
  wait: true,
  holder: true,
  margin: true,
  stepTimeout: true,
  poll: true
}

const shortest = 10
const longestStep = 5000

export const checked = (options: Options): Settings => {
  OptionCheck.fields("options", options, fields)
  const { holder = "", key, limit = 1, margin, poll = "250 millis", stepTimeout, ttl = "30 seconds", wait = 0 } =
    options
  // Stores count whole milliseconds.
  const millis = Math.ceil(Duration.toMillis(OptionCheck.finite("ttl", ttl)))
  if (millis < shortest) throw OptionCheck.wrong("ttl", ttl, `at least ${shortest} milliseconds`)
  const before = Duration.toMillis(OptionCheck.finite("margin", margin ?? millis / 10))
  if (before >= millis / 2) throw OptionCheck.wrong("margin", margin, "less than half of `ttl`")
  if (key === "") throw OptionCheck.wrong("key", key, "a text that is not empty")
  return {
    key: OptionCheck.text("key", key),
    ttl: millis,
    limit: OptionCheck.count("limit", limit, 1),
    wait: Duration.toMillis(OptionCheck.duration("wait", wait)),
    holder: OptionCheck.text("holder", holder),
    margin: before,
    stepTimeout: Duration.toMillis(
      OptionCheck.finite("stepTimeout", stepTimeout ?? Math.min(longestStep, millis / 6))
    ),
    poll: Duration.toMillis(OptionCheck.interval("poll", poll))
  }
}
