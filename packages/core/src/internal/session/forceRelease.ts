/**
 * The second half of a revocation: waits until the revoked sessions are closed, and at the deadline releases those that are
 * still in use. revoke.ts calls it after it has interrupted their users.
 */
import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { atMost, endsIn } from "../time/atMost.ts"
import * as Lifecycle from "./lifecycle.ts"
import { nearest, type SessionRecord } from "./record.ts"

export interface Options {
  /** How long users get to stop. */
  readonly grace: Duration.Duration
  /** How long a release, or an acquisition that is under way, then gets to end. */
  readonly patience: Duration.Duration
  readonly leave: (record: SessionRecord) => void
  readonly onForced: (record: SessionRecord) => void
  readonly onStuck: (record: SessionRecord) => void
}

/** After so many releases, other fibers get a turn. */
const batch = 512

/** Releases what is still held, children first: each once all inside of it are closed, or stuck. */
const force = (records: ReadonlySet<SessionRecord>, context: Context.Context<never>, options: Options) => {
  const runFork = Effect.runForkWith(context)
  const inside = new Map<SessionRecord, number>()
  for (const record of records) {
    const around = nearest(records, record)
    if (around !== undefined) inside.set(around, (inside.get(around) ?? 0) + 1)
  }
  const ready = [...records].filter((record) => !inside.has(record))
  const unsettled = new Set(records)
  let wake: (() => void) | undefined

  const settle = (record: SessionRecord, isClosed: boolean) => {
    if (!isClosed) options.onStuck(record)
    unsettled.delete(record)
    const around = nearest(records, record)
    if (around !== undefined) {
      const others = (inside.get(around) ?? 0) - 1
      inside.set(around, others)
      if (others === 0) ready.push(around)
    }
    wake?.()
  }

  const take = (record: SessionRecord) => {
    if (!record.isOpen) return settle(record, true)
    // What is still being acquired cannot be released: it is released once it is acquired.
    const isHeld = record.state === "open"
    if (isHeld) options.onForced(record)
    const ending = isHeld
      ? Effect.uninterruptible(Effect.suspend(() => Lifecycle.close(record, Exit.fail(record.revoked), options.leave)))
      : Lifecycle.closed(record)
    const fiber = runFork(ending)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return settle(record, Exit.isSuccess(exit))
    runFork(endsIn(fiber, options.patience)).addObserver((exit) => settle(record, Exit.isSuccess(exit) && exit.value))
  }

  const woken = Effect.callback<void>((resume) => {
    if (ready.length > 0 || unsettled.size === 0) return resume(Effect.void)
    wake = () => {
      wake = undefined
      resume(Effect.void)
    }
  })

  return Effect.gen(function*() {
    while (unsettled.size > 0) {
      for (const record of ready.splice(0, batch)) take(record)
      yield* ready.length > 0 ? Effect.yieldNow : woken
    }
  })
}

/** Waits until revoked sessions are closed, and releases those that are still open when the time is over. */
export const forceRelease = (marked: ReadonlySet<SessionRecord>, options: Options): Effect.Effect<void> =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.flatMap(atMost(Lifecycle.allClosed([...marked]), options.grace), (isDone) => {
      if (isDone) return Effect.void
      return force(new Set([...marked].filter(({ isOpen }) => isOpen)), context, options)
    })
  )
