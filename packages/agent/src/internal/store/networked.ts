/** What stores beyond this process have in common: options, deadlines, and errors. */
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { RedisError } from "effect/persistence/Redis"
import type { SqlError } from "effect/sql/SqlError"
import { StoreUnavailable } from "./errors.ts"

export interface NetworkedOptions {
  /**
   * Bytes that one conversation may have, by its entries and its view in UTF-8. Default: 8 MiB. Too low, and appends to long
   * conversations fail with `TooLarge`; too high, and loading one takes long and much memory.
   */
  readonly maxBytes?: number | undefined
  /**
   * How long a removed conversation refuses late changes. Default: 1 day. Too low, and a delayed append revives a removed
   * conversation; too high, and names of removed conversations stay.
   */
  readonly tombstone?: Duration.Input | undefined
  /**
   * How long the store may take for one operation. Default: 5 seconds. Too low, and operations fail with `StoreUnavailable`
   * while the store is only busy; too high, and callers wait long for a store that is away.
   */
  readonly timeout?: Duration.Input | undefined
}

export interface NetworkedSettings {
  readonly maxBytes: number
  readonly tombstone: number
  readonly timeout: Duration.Duration
}

export const settingsOf = (options: NetworkedOptions): NetworkedSettings => ({
  maxBytes: OptionCheck.count("maxBytes", options.maxBytes ?? 8 * 1024 * 1024, 1),
  tombstone: Duration.toMillis(OptionCheck.finite("tombstone", options.tombstone ?? "1 day")),
  timeout: OptionCheck.finite("timeout", options.timeout ?? "5 seconds")
})

const messageOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  return cause.message === "" && cause.cause !== undefined ? messageOf(cause.cause) : cause.message
}

type Foreign = RedisError | SqlError

const isForeign = (error: unknown): error is Foreign =>
  typeof error === "object" && error !== null && "_tag" in error &&
  (error._tag === "RedisError" || error._tag === "SqlError")

/** A client may know that a command was not sent. */
const isUnsent = ({ cause }: Foreign): boolean =>
  typeof cause === "object" && cause !== null && "_tag" in cause && cause._tag === "RedisNotSent"

export type Answering = <A, E, R>(
  effect: Effect.Effect<A, E, R>
) => Effect.Effect<A, Exclude<E, Foreign> | StoreUnavailable, R>

/** Limits the time of an operation, and makes its failures readable. `outcome` is what a failure leaves. */
export const answering = (store: string, { timeout }: NetworkedSettings, outcome: "none" | "unknown"): Answering => {
  const late = () =>
    Effect.fail(
      new StoreUnavailable({ store, outcome, reason: `it did not answer within ${Duration.format(timeout)}` })
    )
  return <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.timeoutOrElse(effect, { duration: timeout, orElse: late }).pipe(
      Effect.mapError((error) =>
        isForeign(error)
          ? new StoreUnavailable({
            store,
            outcome: isUnsent(error) ? "none" : outcome,
            reason: messageOf(error),
            cause: error
          })
          : error as Exclude<E, Foreign> | StoreUnavailable
      )
    )
}
