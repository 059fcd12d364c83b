import type * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { atMost, endsIn } from "../time/atMost.ts"
import { type Entry, nearest } from "./ledger.ts"
import * as Hold from "./lifecycle.ts"

export interface Options {
  /** How long users get to let go. */
  readonly grace: Duration.Duration
  /** How long a release, or an acquisition that is under way, then gets to end. */
  readonly patience: Duration.Duration
  readonly leave: (entry: Entry) => void
  readonly onForced: (entry: Entry) => void
  readonly onStuck: (entry: Entry) => void
}

/** So many releases in a row, and others get a turn. */
const batch = 512

/** Releases what is still held, children first: each as soon as all inside of it are closed, or stuck. */
const force = (entries: ReadonlySet<Entry>, context: Context.Context<never>, options: Options) => {
  const runFork = Effect.runForkWith(context)
  const inside = new Map<Entry, number>()
  for (const entry of entries) {
    const around = nearest(entries, entry)
    if (around !== undefined) inside.set(around, (inside.get(around) ?? 0) + 1)
  }
  const ready = [...entries].filter((entry) => !inside.has(entry))
  const unsettled = new Set(entries)
  let wake: (() => void) | undefined

  const settle = (entry: Entry, isClosed: boolean) => {
    if (!isClosed) options.onStuck(entry)
    unsettled.delete(entry)
    const around = nearest(entries, entry)
    if (around !== undefined) {
      const others = (inside.get(around) ?? 0) - 1
      inside.set(around, others)
      if (others === 0) ready.push(around)
    }
    wake?.()
  }

  const take = (entry: Entry) => {
    if (!entry.isOpen) return settle(entry, true)
    // What is still being acquired cannot be taken away: it is given back as soon as it is there.
    const isHeld = entry.state === "open"
    if (isHeld) options.onForced(entry)
    const ending = isHeld
      ? Effect.uninterruptible(Effect.suspend(() => Hold.close(entry, Exit.fail(entry.revoked), options.leave)))
      : Hold.closed(entry)
    const fiber = runFork(ending)
    const exit = fiber.pollUnsafe()
    if (exit !== undefined) return settle(entry, Exit.isSuccess(exit))
    runFork(endsIn(fiber, options.patience)).addObserver((exit) => settle(entry, Exit.isSuccess(exit) && exit.value))
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
      for (const entry of ready.splice(0, batch)) take(entry)
      yield* ready.length > 0 ? Effect.yieldNow : woken
    }
  })
}

/** Waits for sessions that were told to close, and releases those that have not when time is up. */
export const takeBack = (marked: ReadonlySet<Entry>, options: Options): Effect.Effect<void> =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.flatMap(atMost(Hold.allClosed([...marked]), options.grace), (isDone) => {
      if (isDone) return Effect.void
      return force(new Set([...marked].filter(({ isOpen }) => isOpen)), context, options)
    })
  )
