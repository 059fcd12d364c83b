/**
 * A right that is shared with other processes and expires by itself: a lock, or one of a few slots.
 *
 * A lock that a killed process held would stay locked for ever. A lease does not: its store forgets it after `ttl`, unless its holder
 * renews it. While the work runs, it is renewed at a third of `ttl`.
 *
 * Guarantees:
 * - At most `limit` holders have a lease of a key that has not expired in its store.
 * - If a lease cannot be renewed in time, the work is interrupted and fails with `LeaseLost`. That is before the store can grant
 *   it again, by the process's own monotonic clock.
 * - A lease is released when its work ends, however it ends. A late renewal does not bring it back.
 * - A caller gets a lease or a typed error within `wait` and `stepTimeout`, even if the store hangs. A release never hangs.
 * - Callers of one process are served in order.
 *
 * Limits: a process that is paused, as by its host, may go on for a moment after its lease has expired. So pass `lease.token` to
 * what the lease protects, and let that refuse a token lower than one that it has seen. Tokens of a key strictly increase.
 *
 * A lease is a session of the kind `"lease"`. `LeaseStore` is where leases are kept: by default, the memory of this process.
 * `docs/leases.md` has the stores and their limits.
 *
 * ```ts
 * import { Lease } from "@clawback/core"
 * import { Console, Effect } from "effect"
 *
 * const report = Lease.use({ key: "nightly-report", ttl: "30 seconds", wait: "5 seconds" }, (lease) =>
 *   Console.log(`one process at a time writes ${lease.key}`))
 *
 * await Effect.runPromise(report)
 * ```
 *
 * Sources: leases are by Gray and Cheriton, "Leases: an efficient fault-tolerant mechanism for distributed file cache consistency"
 * (1989). Fencing tokens are as Kleppmann describes them in "How to do distributed locking" (2016).
 *
 * @experimental
 */

import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { acquiring } from "./internal/lease/acquire.ts"
import type { LeaseBusy, LeaseLost, LeaseStoreError } from "./internal/lease/errors.ts"
import type { Hold } from "./internal/lease/hold.ts"
import { checked, type Options, type Settings } from "./internal/lease/settings.ts"
import { under } from "./internal/lease/work.ts"
import type { Info } from "./internal/session/model.ts"
import { LeaseStore } from "./LeaseStore.ts"
import * as Session from "./Session.ts"
import type { SessionError } from "./SessionError.ts"

export { LeaseBusy, LeaseLost, LeaseStoreError, type LossReason } from "./internal/lease/errors.ts"
export type { Options } from "./internal/lease/settings.ts"

/** A lease that is held. */
export interface Lease {
  readonly key: string
  /** The fencing token: higher than that of each holder before. */
  readonly token: number
  /** Fails if the lease is lost or was released. Call it right before a step that must not be made twice. */
  readonly check: Effect.Effect<void, LeaseLost>
  /** Waits until the lease is lost or released. */
  readonly lost: Effect.Effect<LeaseLost>
}

/** A lease that is held until its scope closes. */
export interface Acquired extends Lease {
  /** Releases it now instead of with the scope, and waits for that. A second call does nothing. */
  readonly close: Effect.Effect<void>
}

/** Why a lease could not be had. */
export type LeaseError = LeaseBusy | LeaseStoreError | SessionError

const leaseOf = (hold: Hold): Lease => {
  const { grant: { key, token } } = hold
  return {
    key,
    token,
    check: Effect.suspend(() => hold.whyLost === undefined ? Effect.void : Effect.fail(hold.whyLost)),
    lost: Effect.callback((resume) => Effect.sync(hold.onLost((loss) => resume(Effect.succeed(loss)))))
  }
}

const infoOf = ({ holder, key, limit }: Settings, store: LeaseStore): Info => ({
  kind: "lease",
  name: key,
  attributes: { store: store.name, limit, holder }
})

/**
 * Holds a lease while `f` runs, and releases it when `f` ends, however it ends.
 *
 * If the lease is lost, `f` is interrupted and fails with `LeaseLost`, also where interruption is not allowed around it. Work that
 * ends only after the lease was lost fails with it as well. A wrong option is a defect that names it.
 */
export const use = <A, E, R>(
  options: Options,
  f: (lease: Lease) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | LeaseLost | LeaseError, R> =>
  Effect.suspend(() => {
    const settings = checked(options)
    return Effect.flatMap(LeaseStore, (store) =>
      Session.use(
        infoOf(settings, store),
        acquiring(settings, store),
        (hold) => hold.release,
        (hold) => under(hold, Effect.suspend(() => f(leaseOf(hold))))
      ))
  })

/**
 * Holds a lease until the surrounding scope closes. It is renewed until then. Nothing is interrupted if it is lost: watch `lost`, or
 * call `check`. Use `use` where you can.
 */
export const acquire = (options: Options): Effect.Effect<Acquired, LeaseError, Scope.Scope> =>
  Effect.suspend(() => {
    const settings = checked(options)
    return Effect.flatMap(LeaseStore, (store) =>
      Effect.map(
        Session.acquire(infoOf(settings, store), acquiring(settings, store), (hold) => hold.release),
        (handle) => {
          handle.value.start()
          return { ...leaseOf(handle.value), close: handle.close }
        }
      ))
  })
