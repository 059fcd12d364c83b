/** What sessions and their registry are made of, below everything that uses them. */
import type * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type * as Schedule from "effect/Schedule"
import type * as Stream from "effect/Stream"
import type { SessionRevoked } from "./errors.ts"

/** For whom work is done. Fields that are no text are a `RangeError`. */
export interface Caller {
  /** The customer that pays: quotas are per tenant. */
  readonly tenant?: string | undefined
  /** The person concerned, for requests to be forgotten. */
  readonly subject?: string | undefined
  readonly conversation?: string | undefined
  /** Whatever else sets work apart. */
  readonly tags?: Readonly<Record<string, string>> | undefined
}

/** What a session is, as the registry lists it. */
export interface Info {
  /** The sort of hold, one word for all of its sort: `"connection"`, `"call"`. Counts are by kind. */
  readonly kind: string
  /** Which one of its sort: an origin, a model, a path. Must hold no secret. */
  readonly name: string
  /**
   * Anything else that an operator needs. Kept by reference while the session is open, then forgotten. Listings show a
   * copy, in which `Redacted` values and values under names such as `apiKey` are struck out.
   */
  readonly attributes?: Readonly<Record<string, unknown>> | undefined
  /**
   * When to retry a release that failed. Default: three times, after 50, 100 and 200 milliseconds. Too few, and a brief
   * fault leaves something behind; too many, and the end takes longer. A release that dies is not retried. A release must
   * be safe to run twice if it can fail.
   */
  readonly releaseRetry?: Schedule.Schedule<unknown, unknown> | undefined
}

/** The record of one session. Use `SessionRegistry.list` to look at many. */
export interface Session {
  /** Counts up from 1 in each registry. */
  readonly id: number
  readonly kind: string
  readonly name: string
  readonly attributes: Readonly<Record<string, unknown>> | undefined
  readonly parent: Session | undefined
  readonly caller: Caller | undefined
  readonly fiberId: number
  readonly span: { readonly traceId: string; readonly spanId: string } | undefined
  /** Monotonic milliseconds: only differences mean anything. */
  readonly openedAt: number
  readonly state: "acquiring" | "open" | "releasing" | "closed"
  readonly isOpen: boolean
  /** Set once the session, or one around it, was revoked. */
  readonly revoked: SessionRevoked | undefined
}

/** What was acquired, with the session that holds it. A copy by `{ ...handle }` has only the session and the value. */
export interface Handle<out A> {
  readonly session: Session
  readonly value: A
  /** Waits until the session is revoked. Stop using the value then: it is released soon after. */
  readonly awaitRevoked: Effect.Effect<SessionRevoked>
  /** Releases now instead of with the scope, and waits for that. A second call, or one in the release, does nothing. */
  readonly close: Effect.Effect<void>
  /** The same for `await using`. */
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

/**
 * Makes a part of an acquisition interruptible, also by a revocation, with which it fails as `SessionRevoked`. The part must
 * only wait, not acquire: an interruption may come after its last step.
 */
export type Restore = <A, E, R>(part: Effect.Effect<A, E, R>) => Effect.Effect<A, E | SessionRevoked, R>

/**
 * How to acquire something. It is uninterruptible. If it takes long, give a function that marks by `restore` which parts may
 * be interrupted.
 */
export type Acquisition<A, E, R> = Effect.Effect<A, E, R> | ((restore: Restore) => Effect.Effect<A, E, R>)

/** What the registry shows of one open session, at that moment. */
export interface Snapshot {
  readonly id: number
  readonly kind: string
  readonly name: string
  readonly state: Session["state"]
  /** The id of the session around it, if that is of this registry. It may have closed since. */
  readonly parent: number | undefined
  /** What opened it. */
  readonly owner: {
    readonly fiber: number
    readonly span: { readonly traceId: string; readonly spanId: string } | undefined
    readonly caller: Caller | undefined
    /** Where in the code, if this session was sampled. */
    readonly site: string | undefined
  }
  readonly age: Duration.Duration
  /** Secrets struck out; URLs without credentials, query and fragment. */
  readonly attributes: Readonly<Record<string, unknown>>
}

/**
 * Selects sessions. Every field that is present must match; an empty filter matches all. A field that is present and
 * undefined matches work that has none (tenant, subject, conversation) or nothing, so that a forgotten value never selects
 * everything. A field that is not listed here is a `RangeError`, and so is a filter that is no plain object.
 */
export interface Filter {
  readonly id?: number | undefined
  /** Any of these. */
  readonly ids?: ReadonlySet<number> | undefined
  readonly kind?: string | undefined
  readonly name?: string | undefined
  /**
   * The open session of this id, or this one, be it of another registry, and everything opened inside of it, at any depth.
   * When a session closes, what is still open in it belongs to the nearest open session around.
   */
  readonly within?: number | Session | undefined
  readonly tenant?: string | undefined
  readonly subject?: string | undefined
  readonly conversation?: string | undefined
  /** Tags that the caller must have, with these values. At least one. */
  readonly tags?: Readonly<Record<string, string>> | undefined
  /** Open for at least this long. */
  readonly olderThan?: Duration.Input | undefined
}

/** A session that should not be open any more. */
export interface Leak {
  readonly session: Snapshot
  /** Held for longer than its kind allows, or by an owner that was lost and cannot release it. */
  readonly reason: "too old" | "owner gone"
}

/**
 * Something happened to a session. `Missed` stands for changes that a slow reader lost: its buffer of 4,096 was full,
 * and a registry never waits for a reader.
 */
export type Change =
  | { readonly _tag: "Opened"; readonly session: Snapshot }
  | { readonly _tag: "Revoked"; readonly session: Snapshot; readonly reason: string }
  | { readonly _tag: "Closed"; readonly session: Snapshot }
  | { readonly _tag: "Missed"; readonly count: number }

/** How many sessions of a kind there were: always as of now. */
export interface KindCount {
  readonly kind: string
  readonly opened: () => number
  readonly closed: () => number
  /** How long the oldest open one has been open, by a clock; zero if none is open. */
  readonly age: (clock: Clock.Clock) => Duration.Duration
}

/** The result of a revocation. */
export interface Revocation {
  /** Every session that was revoked, children after their parents. */
  readonly revoked: ReadonlyArray<Snapshot>
  /** Those whose users did not stop in time, so that they were released under their users. */
  readonly forced: ReadonlyArray<Snapshot>
  /** Those whose release did not end in time either, or failed. They may still hold what they held. */
  readonly stuck: ReadonlyArray<Snapshot>
}

export interface RevokeOptions {
  /** Part of the error with which users of the session fail. */
  readonly reason: string
  /**
   * How long users get to stop. Default: 5 seconds. Too short, and what is still in use is released under its user; too
   * long, and one user that does not stop delays everything.
   */
  readonly deadline?: Duration.Input | undefined
  /**
   * How long each release then gets to end, and each acquisition that was under way. Default: 5 seconds. Too short, and
   * a release that would have ended is reported as stuck; too long, and one that hangs delays the sessions around it.
   */
  readonly releaseDeadline?: Duration.Input | undefined
}

/** How many sessions of each kind may be open. A kind that is left out has no limit. */
export type Quotas = { readonly [kind in string]?: number }

/** The options of a registry. */
export interface Options {
  /**
   * How many sessions a tenant may have open at a time: of all kinds together, or of each kind in the map. `{ call: 8, tool: 4 }`
   * limits no other kind. Default: any number. Work without a tenant is not counted. What a release opens is counted, and not
   * refused.
   */
  readonly quota?: ((tenant: string) => number | Quotas) | undefined
  /**
   * How long a session of a kind may be open before it counts as a leak. Default: for ever. Too short, and long work is
   * reported; too long, and a leak is found late. The result is checked when leaks are looked for.
   */
  readonly leakThreshold?: ((kind: string) => Duration.Input | undefined) | undefined
  /**
   * Whether to record for every session where it was asked for, and to watch whether its owner is lost. Default: for one
   * in 128. It costs some microseconds per session, in the whole process, and is meant for tests.
   */
  readonly sampleAll?: boolean | undefined
}

/** Under this key our own modules find what they need of a registry. */
export const TypeId: unique symbol = Symbol.for("@clawback/core/SessionRegistry")

export interface SessionRegistry {
  readonly [TypeId]: unknown
  /** The open sessions that match, oldest first. */
  readonly list: (filter?: Filter) => Effect.Effect<ReadonlyArray<Snapshot>>
  /** The open session of this id, if it is open. */
  readonly get: (id: number) => Effect.Effect<Option.Option<Snapshot>>
  /** How many are open, by kind. A kind of which none is open is absent. */
  readonly counts: Effect.Effect<Readonly<Record<string, number>>>
  /** What happens from now on. Costs the program nothing without a reader. */
  readonly changes: Stream.Stream<Change>
  /** What should not be open any more. */
  readonly leaks: Effect.Effect<ReadonlyArray<Leak>>
  /**
   * Revokes every session that matches and everything inside of it, children first. It interrupts their users, waits until
   * they have stopped, and releases what is left. Once begun it goes on, even if its caller is interrupted by it. Sessions
   * that a release of these has opened are part of that release: they end with it, and are not revoked.
   */
  readonly revoke: (filter: Filter, options: RevokeOptions) => Effect.Effect<Revocation>
}

/** Notices lost objects. */
export interface LeakProbe {
  /**
   * Calls `onLost` at most once, when nothing refers to `target` any more. `onLost` must not refer to `target`. Returns a
   * function that stops watching.
   */
  readonly watch: (target: object, onLost: () => void) => () => void
}
