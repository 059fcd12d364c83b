/** The options of conversations, checked and with their defaults. */
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Duration from "effect/Duration"
import type { Expiry } from "../store/model.ts"
import type { Compactor } from "./model.ts"

export interface Options<out E = never, out R = never> {
  /**
   * How long a conversation is kept after its newest activity. Default: 30 days. Too low, and users who come back find nothing;
   * too high, and the store keeps what nobody needs. `"Infinity"` keeps it until it is removed.
   */
  readonly idle?: Duration.Input | undefined
  /**
   * How long a conversation is kept after its beginning, whatever happens. Default: without limit. Too low, and a conversation
   * ends in the middle; too high, and one in steady use is kept for long.
   */
  readonly maxAge?: Duration.Input | undefined
  /**
   * Makes the history smaller before a request would exceed its limit. Default: none, so that a long conversation exceeds the
   * context of the model.
   */
  readonly compaction?: Compactor<E, R> | undefined
  /**
   * How long the store keeps the lease of a writer that does not renew it. Default: 30 seconds. Too low, and a pause of the
   * process ends its work; too high, and after a crash the conversation is locked for longer.
   */
  readonly leaseTtl?: Duration.Input | undefined
  /**
   * How long a writer waits until the one before has closed the conversation. Default: 10 seconds. Too low, and a second tab fails
   * while the first gets an answer; too high, and callers wait for a writer that takes long.
   */
  readonly wait?: Duration.Input | undefined
  /**
   * How many writers of this process may wait for one conversation. Default: 16. Too low, and a burst of messages fails; too high,
   * and the last of them wait in vain.
   */
  readonly maxWaiters?: number | undefined
  /**
   * Bytes of UTF-8 that the entries and the view of one conversation may have. Default: 16 MiB. Too low, and long conversations
   * fail with `TooLarge`; too high, and one conversation takes much memory while it is open. The store may have a lower limit.
   */
  readonly maxBytes?: number | undefined
  /**
   * How often a step of the store is tried if the store does not answer. Default: 4, with pauses of 50 milliseconds, doubled each
   * time. Too low, and a hiccup fails the work; too high, and an outage is noticed late.
   */
  readonly attempts?: number | undefined
  /** Who writes, for people that look into the store, such as `"web-7 pid 4211"`. Default: empty. */
  readonly holder?: string | undefined
}

export interface Settings {
  readonly expiry: Expiry
  readonly leaseTtl: Duration.Duration
  readonly wait: Duration.Duration
  readonly maxWaiters: number
  readonly maxBytes: number
  readonly attempts: number
  readonly holder: string
}

const fields: Readonly<Record<keyof Options, true>> = {
  idle: true,
  maxAge: true,
  compaction: true,
  leaseTtl: true,
  wait: true,
  maxWaiters: true,
  maxBytes: true,
  attempts: true,
  holder: true
}

/** Undefined: without limit. */
const limit = (name: string, value: Duration.Input): number | undefined => {
  const millis = Duration.toMillis(OptionCheck.interval(name, value))
  return millis === Infinity ? undefined : millis
}

export const checked = <E, R>(options: Options<E, R>): Settings => {
  OptionCheck.fields<Options<E, R>>("options", options, fields)
  return {
    expiry: {
      idle: limit("idle", options.idle ?? "30 days"),
      absolute: limit("maxAge", options.maxAge ?? Duration.infinity)
    },
    leaseTtl: OptionCheck.finite("leaseTtl", options.leaseTtl ?? "30 seconds"),
    wait: OptionCheck.finite("wait", options.wait ?? "10 seconds"),
    maxWaiters: OptionCheck.count("maxWaiters", options.maxWaiters ?? 16, 0),
    maxBytes: OptionCheck.size("maxBytes", options.maxBytes ?? 16 * 1024 * 1024),
    attempts: OptionCheck.count("attempts", options.attempts ?? 4, 1),
    holder: OptionCheck.text("holder", options.holder ?? "")
  }
}
