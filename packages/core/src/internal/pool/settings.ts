/** The options of a pool, checked and with their defaults. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as OptionCheck from "../../OptionCheck.ts"
import * as Time from "../time/format.ts"
import type { Options } from "./model.ts"
import type { Limits } from "./rules.ts"

export interface Settings<A, E> {
  readonly name: string
  readonly limits: Limits
  readonly acquire: Effect.Effect<A, E>
  readonly validate: ((item: A) => Effect.Effect<unknown, unknown>) | undefined
  readonly reset: ((item: A) => Effect.Effect<unknown, unknown>) | undefined
  /** In milliseconds. */
  readonly validateTimeout: number
  readonly resetTimeout: number
  readonly acquireTimeout: number
  readonly connectTimeout: number
  readonly closeTimeout: number
  readonly drainTimeout: number
}

/** Timers and clocks are no finer than this: what is due after less would be due all the time. */
const least = 1

const interval = (name: string, value: Duration.Input) => {
  const millis = Duration.toMillis(OptionCheck.interval(name, value))
  if (millis < least) throw OptionCheck.wrong(name, value, "at least 1 millisecond")
  return millis
}

const countOrAny = (name: string, value: number, least: number) =>
  value === Infinity ? value : OptionCheck.count(name, value, least)

const fields: Readonly<Record<keyof Options<never, never, never>, true>> = {
  acquire: true,
  name: true,
  max: true,
  min: true,
  validate: true,
  validateBypass: true,
  validateTimeout: true,
  reset: true,
  resetTimeout: true,
  idleTimeToLive: true,
  maxLifetime: true,
  maxUses: true,
  keepAlive: true,
  acquireTimeout: true,
  connectTimeout: true,
  closeTimeout: true,
  maxWaiters: true,
  leakThreshold: true,
  drainTimeout: true,
  backoff: true
}

const backoffFields = { base: true, max: true }

/** Needs the context that the effects of the options need, whatever that is. */
export const checked = <A, E, R, R2, R3>(options: Options<A, E, R, R2, R3>): Settings<A, E> => {
  type Name = keyof typeof options
  const millis = (name: Name, fallback: Duration.Input) =>
    Duration.toMillis(OptionCheck.duration(name, options[name] as Duration.Input | undefined ?? fallback))
  const finite = (name: Name, fallback: Duration.Input) =>
    Duration.toMillis(OptionCheck.finite(name, options[name] as Duration.Input | undefined ?? fallback))

  OptionCheck.fields<Options<A, E, R, R2, R3>>("options", options, fields)
  const { acquire, backoff = {}, maxUses = Infinity, maxWaiters = 1024, min = 0, reset, validate } = options
  OptionCheck.fields("backoff", backoff, backoffFields)
  if (!Effect.isEffect(acquire)) throw OptionCheck.wrong("acquire", acquire, "an effect")
  for (const [name, f] of Object.entries({ validate, reset })) {
    if (f !== undefined && typeof f !== "function") {
      throw OptionCheck.wrong(name, f, "a function that returns an effect")
    }
  }
  const max = OptionCheck.count("max", options.max, 1)
  const keepAlive = interval("keepAlive", options.keepAlive ?? Duration.infinity)
  if (keepAlive < Infinity && validate === undefined) {
    throw OptionCheck.wrong("keepAlive", options.keepAlive, "left out where there is no `validate`")
  }
  const { base = "10 millis", max: longest = "5 seconds" } = backoff
  const firstPause = interval("backoff.base", base)
  const longestPause = interval("backoff.max", longest)
  if (firstPause > longestPause) {
    throw OptionCheck.wrong(
      "backoff.base",
      base,
      `at most \`backoff.max\`, which is ${Time.format(Duration.millis(longestPause))}`
    )
  }
  return {
    name: OptionCheck.text("name", options.name ?? "pool"),
    acquire: acquire as Effect.Effect<A, E>,
    validate: validate as Settings<A, E>["validate"],
    reset: reset as Settings<A, E>["reset"],
    validateTimeout: finite("validateTimeout", "5 seconds"),
    resetTimeout: finite("resetTimeout", "5 seconds"),
    acquireTimeout: millis("acquireTimeout", "30 seconds"),
    connectTimeout: finite("connectTimeout", "10 seconds"),
    closeTimeout: finite("closeTimeout", "5 seconds"),
    drainTimeout: finite("drainTimeout", "10 seconds"),
    limits: {
      max,
      min: OptionCheck.count("min", min, 0, max),
      maxWaiters: countOrAny("maxWaiters", maxWaiters, 0),
      maxUses: countOrAny("maxUses", maxUses, 1),
      bypass: validate === undefined ? Infinity : millis("validateBypass", "500 millis"),
      idleTimeToLive: interval("idleTimeToLive", options.idleTimeToLive ?? "10 minutes"),
      maxLifetime: interval("maxLifetime", options.maxLifetime ?? "30 minutes"),
      keepAlive,
      leakThreshold: interval("leakThreshold", options.leakThreshold ?? Duration.infinity),
      backoff: firstPause,
      maxBackoff: longestPause,
      isReset: reset !== undefined
    }
  }
}
