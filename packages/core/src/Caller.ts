/**
 * For whom work is done. Sessions that are opened under a caller carry it: registries list, count, limit and revoke by it.
 *
 * Set it once, where a request comes in: everything that runs inside inherits it.
 *
 * @stable
 */

import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Stream from "effect/Stream"
import { copied, Current } from "./internal/session/callers.ts"
import type { Caller } from "./internal/session/model.ts"

export type { Caller } from "./internal/session/model.ts"

export { Current } from "./internal/session/callers.ts"

const merged = (outer: Caller | undefined, caller: Caller): Caller =>
  outer === undefined ? copied(caller) : copied(outer, caller)

/**
 * Runs an effect on behalf of a caller. Fields that it omits come from the surrounding caller. Only the fields of `Caller`
 * are copied, so an object with more fields is not retained.
 */
export const provide: {
  (caller: Caller): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, caller: Caller): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, caller: Caller): Effect.Effect<A, E, R> =>
    Effect.flatMap(Current, (outer) => Effect.provideService(self, Current, merged(outer, caller)))
)

/** Runs a stream on behalf of a caller. Fields that it omits come from the surrounding caller at the first pull. */
export const provideStream: {
  (caller: Caller): <A, E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A, E, R>
  <A, E, R>(self: Stream.Stream<A, E, R>, caller: Caller): Stream.Stream<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Stream.Stream<A, E, R>, caller: Caller): Stream.Stream<A, E, R> =>
    Stream.unwrap(Effect.map(Current, (outer) => Stream.provideService(self, Current, merged(outer, caller))))
)
