/**
 * Who the work is for. What is opened while a caller is set carries it: registries list, count, limit and revoke by it.
 *
 * A caller is set once, where a request comes in, and inherited by everything that runs inside.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Stream from "effect/Stream"
import { copied } from "./internal/session/callers.ts"

export interface Caller {
  /** Who pays: quotas are per tenant. Here and below, what is no text is a `RangeError`. */
  readonly tenant?: string | undefined
  /** The person concerned, for requests to be forgotten. */
  readonly subject?: string | undefined
  readonly conversation?: string | undefined
  /** Whatever else sets work apart. */
  readonly tags?: Readonly<Record<string, string>> | undefined
}

/** The caller in force; undefined for work that is nobody's in particular. */
export const Current: Context.Reference<Caller | undefined> = Context.Reference<Caller | undefined>(
  "@clawback/core/Caller/Current",
  { defaultValue: () => undefined }
)

const merged = (outer: Caller | undefined, caller: Caller): Caller =>
  outer === undefined ? copied(caller) : copied(outer, caller)

/**
 * Runs an effect on behalf of a caller. What the given one leaves out is taken from the one in force. Its fields are copied,
 * so an object that holds more than these is not kept.
 */
export const provide: {
  (caller: Caller): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, caller: Caller): Effect.Effect<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, caller: Caller): Effect.Effect<A, E, R> =>
    Effect.flatMap(Current, (outer) => Effect.provideService(self, Current, merged(outer, caller)))
)

/** Runs a stream on behalf of a caller. What the given one leaves out is taken from the one in force at the first pull. */
export const provideStream: {
  (caller: Caller): <A, E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A, E, R>
  <A, E, R>(self: Stream.Stream<A, E, R>, caller: Caller): Stream.Stream<A, E, R>
} = dual(
  2,
  <A, E, R>(self: Stream.Stream<A, E, R>, caller: Caller): Stream.Stream<A, E, R> =>
    Stream.unwrap(Effect.map(Current, (outer) => Stream.provideService(self, Current, merged(outer, caller))))
)
