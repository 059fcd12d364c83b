/**
 * The list of this process's open sessions: what is held, by what code, since when, inside of what, and how to revoke it.
 *
 * Every program has one by default, shared by the whole process, so nothing needs to be provided. `layer` isolates: sessions
 * opened under it are listed only there, and closed with it at the latest. A registry never keeps a program alive.
 *
 * **Cost.** One record for each open session. Opening and closing take constant time. The first open after a revocation also
 * checks the surrounding sessions. `get` is a binary search. `list` and `revoke` visit all open sessions; with an `id` or a
 * numeric `within`, only that one and younger ones. `counts` and `leaks` visit all.
 *
 * @stable
 */

import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { SessionRegistry } from "./internal/session/current.ts"
import { closedReason, kernelOf } from "./internal/session/kernel.ts"
import type { Change, Filter, Leak, Options, Revocation, RevokeOptions, Snapshot } from "./internal/session/model.ts"
import { make } from "./internal/session/registry.ts"
import * as Site from "./internal/session/site.ts"
import { logged } from "./internal/session/snapshot.ts"
import * as Time from "./internal/time/format.ts"

export type {
  Change,
  Filter,
  Leak,
  Options,
  Quotas,
  Revocation,
  RevokeOptions,
  Snapshot
} from "./internal/session/model.ts"

export { SessionRegistry } from "./internal/session/current.ts"

/**
 * A registry of its own, apart from the process's. What is still open when the layer closes was leaked: it is reported,
 * with where it was opened if that was sampled, and then revoked.
 */
export const layer = (options: Options = {}): Layer.Layer<never> =>
  Layer.effect(
    SessionRegistry,
    Effect.gen(function*() {
      if (options.sampleAll === true) {
        yield* Effect.acquireRelease(Effect.sync(Site.demand), (stop) => Effect.sync(stop))
      }
      return yield* Effect.acquireRelease(
        Effect.sync(() => make(options)),
        Effect.fnUntraced(function*(registry) {
          for (const leaked of yield* registry.list()) {
            yield* Effect.logWarning(
              `Session still open at close: ${leaked.kind} ${leaked.name}, for ${Time.format(leaked.age)}`,
              logged(leaked)
            )
          }
          kernelOf(registry).shut()
          yield* registry.revoke({}, { reason: closedReason, deadline: 0 })
        })
      )
    })
  )

/** The open sessions that match, oldest first. */
export const list = (filter?: Filter): Effect.Effect<ReadonlyArray<Snapshot>> =>
  Effect.flatMap(SessionRegistry, (registry) => registry.list(filter))

/** The open session of this id, if it is open. */
export const get = (id: number): Effect.Effect<Option.Option<Snapshot>> =>
  Effect.flatMap(SessionRegistry, (registry) => registry.get(id))

/** How many sessions are open, by kind. */
export const counts: Effect.Effect<Readonly<Record<string, number>>> = Effect.flatMap(
  SessionRegistry,
  (registry) => registry.counts
)

/** What should not be open any more. */
export const leaks: Effect.Effect<ReadonlyArray<Leak>> = Effect.flatMap(SessionRegistry, (registry) => registry.leaks)

/** Revokes every session that matches and everything inside of it, children first. */
export const revoke = (filter: Filter, options: RevokeOptions): Effect.Effect<Revocation> =>
  Effect.flatMap(SessionRegistry, (registry) => registry.revoke(filter, options))

/** What happens to sessions from now on. */
export const changes: Stream.Stream<Change> = Stream.unwrap(
  Effect.map(SessionRegistry, (registry) => registry.changes)
)
