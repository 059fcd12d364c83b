/**
 * The revocation of a registry's sessions, in three steps: the ledger marks them, `Lifecycle.interruptUsers` interrupts the
 * fibers that use them, and `forceRelease` releases at the deadline what is still held.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as OptionCheck from "../../OptionCheck.ts"
import * as Monotonic from "../time/monotonic.ts"
import { check, earliest, matcher } from "./filter.ts"
import { forceRelease } from "./forceRelease.ts"
import type { Kernel } from "./kernel.ts"
import * as Lifecycle from "./lifecycle.ts"
import type { Filter, Revocation, RevokeOptions, SessionRegistry, Snapshot } from "./model.ts"
import { snapshot } from "./snapshot.ts"

interface Limits {
  readonly reason: string
  /** How long users get to stop. */
  readonly grace: Duration.Duration
  /** How long each release then gets to end. */
  readonly patience: Duration.Duration
}

const checked = (options: RevokeOptions): Limits => {
  const { deadline = "5 seconds", reason, releaseDeadline = "5 seconds" } = OptionCheck.fields("options", options, {
    reason: true,
    deadline: true,
    releaseDeadline: true
  })
  return {
    reason: OptionCheck.text("reason", reason),
    grace: OptionCheck.duration("deadline", deadline),
    patience: OptionCheck.duration("releaseDeadline", releaseDeadline)
  }
}

const perform = ({ changes, close, ledger }: Kernel, filter: Filter, { grace, patience, reason }: Limits) =>
  Effect.clockWith((clock): Effect.Effect<Revocation> => {
    const now = () => Monotonic.millis(clock)
    const at = now()
    const marked = ledger.revoke(matcher(filter, at), reason, earliest(filter))
    const revoked = Array.from(marked, (record) => snapshot(record, at))
    const forced: Array<Snapshot> = []
    const stuck: Array<Snapshot> = []
    if (changes.isHeard) { for (const session of revoked) changes.tell({ _tag: "Revoked", session, reason }) }
    // All at once: what holds nothing by itself, but in a scope of its parent's, ends when its parent does.
    for (const record of [...marked].toReversed()) Lifecycle.interruptUsers(record)
    const released = forceRelease(marked, {
      grace,
      patience,
      leave: close,
      onForced: (record) => forced.push(snapshot(record, now())),
      onStuck: (record) => stuck.push(snapshot(record, now()))
    })
    return Effect.as(released, { revoked, forced, stuck })
  })

export const revoke = (kernel: Kernel): SessionRegistry["revoke"] => (filter, options) => {
  check(filter)
  const limits = checked(options)
  // On a fiber of its own from the first step: the revocation may interrupt its own caller.
  return Effect.flatMap(
    Effect.forkDetach(perform(kernel, filter, limits), { startImmediately: true, uninterruptible: true }),
    Fiber.join
  )
}
