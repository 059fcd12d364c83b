/**
 * The ledger of this process's open sessions: who holds what, since when, inside of what, and the means to take it back.
 *
 * Every program has one by default, shared by the whole process, so nothing needs to be provided. `layer` isolates: what
 * is opened under it is seen only there, and closed with it at the latest. A registry never keeps a program alive.
 *
 * **Cost.** One record for each open session. Opening and closing take constant time, but for what is opened first after a
 * revocation, which looks at the sessions around; `get` takes no more than some halvings; `list` and `revoke` walk what is
 * open, by `id` or `within` only what is younger; `counts` and `leaks` walk all.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import * as Caller from "./Caller.ts"
import { kept } from "./internal/session/callers.ts"
import { subscribe } from "./internal/session/changes.ts"
import * as Releasing from "./internal/session/currentRelease.ts"
import { check, earliest, matcher } from "./internal/session/filter.ts"
import { takeBack } from "./internal/session/forceRelease.ts"
import { Entry, Ledger, revokedAround } from "./internal/session/ledger.ts"
import * as Hold from "./internal/session/lifecycle.ts"
import * as Observer from "./internal/session/observer.ts"
import { redact } from "./internal/session/redact.ts"
import * as Site from "./internal/session/site.ts"
import * as Time from "./internal/time/format.ts"
import * as Monotonic from "./internal/time/monotonic.ts"
import * as OptionCheck from "./OptionCheck.ts"
import type { Info, Session } from "./Session.ts"
import { QuotaExceeded, type SessionError, SessionRevoked } from "./SessionError.ts"

/** What the registry says about one open session, at the moment of asking. */
export interface Snapshot {
  readonly id: number
  readonly kind: string
  readonly name: string
  readonly state: Session["state"]
  /** The id of the session inside of which this one was opened, if that is of this registry. It may have closed since. */
  readonly parent: number | undefined
  /** Who opened it. */
  readonly owner: {
    readonly fiber: number
    readonly span: { readonly traceId: string; readonly spanId: string } | undefined
    readonly caller: Caller.Caller | undefined
    /** Where in the code, if it was this one's turn to be sampled. */
    readonly site: string | undefined
  }
  readonly age: Duration.Duration
  /** Secrets struck out; of URLs, credentials, query and fragment. */
  readonly attributes: Readonly<Record<string, unknown>>
}

/**
 * Chooses sessions. Every field that is there must match; an empty filter matches all. One that is there and undefined
 * matches work that has none (tenant, subject, conversation) or nothing, so that a forgotten value never means everything.
 * Nor does a misspelt field: a filter with a field that is not listed here, or that is no plain object, is a `RangeError`.
 */
export interface Filter {
  readonly id?: number | undefined
  /** Any of these. */
  readonly ids?: ReadonlySet<number> | undefined
  readonly kind?: string | undefined
  readonly name?: string | undefined
  /**
   * The open session of this id, or this one, be it of another registry, and everything opened inside of it, at any depth.
   * What is still open when a session closes belongs to the nearest around that is open: nothing is inside of a closed one.
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
  /** Held for longer than its kind may be, or by nobody who could still release it. */
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
  /** How long the oldest that is open has been open, by a clock; zero where none is. */
  readonly age: (clock: Clock.Clock) => Duration.Duration
}

/** What a revocation came to. */
export interface Revocation {
  /** Every session that was revoked, children after their parents. */
  readonly revoked: ReadonlyArray<Snapshot>
  /** Those whose users did not let go in time, so that they were released under them. */
  readonly forced: ReadonlyArray<Snapshot>
  /** Those whose release did not end in time either, or failed. What they held may be held still. */
  readonly stuck: ReadonlyArray<Snapshot>
}

export interface RevokeOptions {
  /** Told to whoever held the session. */
  readonly reason: string
  /**
   * How long users get to let go. Default: 5 seconds. Too short, and what is still in use is taken away under its user;
   * too long, and one who does not listen holds everything up.
   */
  readonly deadline?: Duration.Input | undefined
  /**
   * How long each release then gets to end, and each acquisition that was under way. Default: 5 seconds. Too short, and
   * what would have ended is called stuck; too long, and one that hangs holds up those around it.
   */
  readonly releaseDeadline?: Duration.Input | undefined
}

export interface Options {
  /**
   * How many sessions a tenant may have open at a time. Default: any number. Work without a tenant is not counted. What a
   * release opens is counted, and not refused.
   */
  readonly quota?: ((tenant: string) => number) | undefined
  /**
   * How long a session of a kind may be open before it counts as a leak. Default: for ever. Too short, and long work is
   * reported; too long, and a leak is found late. What it gives is checked when leaks are looked for.
   */
  readonly leakThreshold?: ((kind: string) => Duration.Input | undefined) | undefined
  /**
   * Whether to note for every session where it was asked for, and to watch whether its owner is lost. Default: for one
   * in 128. It costs some microseconds per session, in the whole process, and is meant for tests.
   */
  readonly sampleAll?: boolean | undefined
}

export interface SessionRegistry {
  /** The open sessions that match, oldest first. */
  readonly list: (filter?: Filter) => Effect.Effect<ReadonlyArray<Snapshot>>
  /** The open session of this id, if it is open. */
  readonly get: (id: number) => Effect.Effect<Option.Option<Snapshot>>
  /** How many are open, by kind. A kind of which none is open is absent. */
  readonly counts: Effect.Effect<Readonly<Record<string, number>>>
  /** What happens from now on. Costs the program nothing until somebody reads. */
  readonly changes: Stream.Stream<Change>
  /**
   * Tells of each change in the step in which it happens, until what it answers with is called. What a listener throws is
   * logged and changes nothing; it hears of the next change, too.
   */
  readonly listenUnsafe: (listener: (change: Change) => void) => () => void
  /** What should not be open any more. */
  readonly leaks: Effect.Effect<ReadonlyArray<Leak>>
  /**
   * Tells of each kind of session that was ever opened, now and from now on, for whoever counts them. The first 64 kinds
   * are counted apart, the rest as `_OTHER`. What a listener throws is logged and changes nothing. Answers how to stop.
   */
  readonly watchKinds: (listener: (kind: KindCount) => void) => () => void
  /**
   * Takes back every session that matches and everything inside of it, children first: tells its users, waits until they
   * let go, and releases what is left. Once begun it goes on, even if whoever asked is interrupted by it. What a release of
   * these has opened is a part of it, and ends with it: it is not taken back as well.
   */
  readonly revoke: (filter: Filter, options: RevokeOptions) => Effect.Effect<Revocation>
  /** Opens a session on behalf of `fiber`, which must arrange in the same step that `closeUnsafe` follows. */
  readonly openUnsafe: (
    info: Info,
    fiber: Fiber.Fiber<unknown, unknown>,
    parent: Session | undefined,
    site?: Error
  ) => Entry | SessionError
  /** The sessions in which work is under way at this moment, oldest first: not those that are merely held. */
  readonly underWayUnsafe: () => ReadonlyArray<Entry>
  /** Removes a session. Closing one that is closed, or another registry's, changes nothing and answers false. */
  readonly closeUnsafe: (session: Session) => boolean
}

const none: Snapshot["attributes"] = {}

const snapshot = (entry: Entry, now: number): Snapshot => ({
  id: entry.id,
  kind: entry.kind,
  name: entry.name,
  state: entry.state,
  parent: entry.parentId,
  owner: {
    fiber: entry.fiberId,
    span: entry.span,
    caller: entry.caller,
    site: entry.site && Site.format(entry.site)
  },
  age: Duration.millis(entry.age(now)),
  attributes: entry.attributes === undefined ? none : redact(entry.attributes)
})

const closedReason = "its registry was closed"

/** By the clock of whoever asks, where it is a fiber. */
const now = () => Monotonic.millis(Context.get(Fiber.getCurrent()?.context ?? Context.empty(), Clock.Clock))

const makeUnsafe = (options: Options = {}): SessionRegistry & { isClosed: boolean } => {
  const { leakThreshold, quota } = options
  const ledger = new Ledger()
  const listeners = new Set<(change: Change) => void>()

  const tell = (change: Change) => {
    for (const listener of listeners) Observer.tell(listener, change)
  }

  const select = <A>(f: (entry: Entry, now: number) => A | undefined, from?: number) =>
    Effect.clockWith((clock) => {
      const at = Monotonic.millis(clock)
      const found: Array<A> = []
      ledger.forEach((entry) => {
        const chosen = f(entry, at)
        if (chosen !== undefined) found.push(chosen)
      }, from)
      return Effect.succeed(found)
    })

  const list = (filter: Filter = {}) =>
    Effect.clockWith((clock) => {
      const matches = matcher(filter, Monotonic.millis(clock))
      return select((entry, now) => matches(entry) ? snapshot(entry, now) : undefined, earliest(filter))
    })

  const get = (id: number) =>
    Effect.clockWith((clock) => {
      const entry = ledger.find(id)
      return Effect.succeed(entry === undefined ? Option.none() : Option.some(snapshot(entry, Monotonic.millis(clock))))
    })

  const counts = Effect.sync(() => {
    const byKind = new Map<string, number>()
    ledger.forEach(({ kind }) => byKind.set(kind, (byKind.get(kind) ?? 0) + 1))
    return Object.fromEntries(byKind)
  })

  const listenUnsafe = (listener: (change: Change) => void) => {
    // Who listens twice hears everything twice.
    const own = (change: Change) => listener(change)
    listeners.add(own)
    return () => void listeners.delete(own)
  }

  const changes = Stream.unwrap(Effect.map(subscribe({ listenUnsafe }), ({ changes }) => changes))

  const leaks = select((entry, now): Leak | undefined => {
    if (entry.isAbandoned) return { session: snapshot(entry, now), reason: "owner gone" }
    const threshold = leakThreshold?.(entry.kind)
    return threshold !== undefined &&
        entry.age(now) >= Duration.toMillis(OptionCheck.duration("leakThreshold", threshold))
      ? { session: snapshot(entry, now), reason: "too old" }
      : undefined
  })

  const closeUnsafe = (session: Session): boolean => {
    if (!(session instanceof Entry) || !ledger.close(session)) return false
    const onClosed = session.onClosed
    session.onClosed = undefined
    if (listeners.size > 0) tell({ _tag: "Closed", session: snapshot(session, now()) })
    session.forget()
    for (const listener of onClosed ?? []) listener()
    return true
  }

  const revoke = (
    filter: Filter,
    options: RevokeOptions
  ) => {
    check(filter)
    const { deadline = "5 seconds", reason, releaseDeadline = "5 seconds" } = OptionCheck.fields("options", options, {
      reason: true,
      deadline: true,
      releaseDeadline: true
    })
    OptionCheck.text("reason", reason)
    const grace = OptionCheck.duration("deadline", deadline)
    const patience = OptionCheck.duration("releaseDeadline", releaseDeadline)
    const revoking = Effect.clockWith((clock) => {
      const now = () => Monotonic.millis(clock)
      const at = now()
      const marked = ledger.revoke(matcher(filter, at), reason, earliest(filter))
      const revoked = Array.from(marked, (entry) => snapshot(entry, at))
      const forced: Array<Snapshot> = []
      const stuck: Array<Snapshot> = []
      if (listeners.size > 0) { for (const session of revoked) tell({ _tag: "Revoked", session, reason }) }
      // All at once: what holds nothing by itself, but in a scope of its parent's, ends when its parent does.
      for (const entry of [...marked].toReversed()) Hold.tell(entry)
      const taken = takeBack(marked, {
        grace,
        patience,
        leave: closeUnsafe,
        onForced: (entry) => forced.push(snapshot(entry, now())),
        onStuck: (entry) => stuck.push(snapshot(entry, now()))
      })
      return Effect.as(taken, { revoked, forced, stuck })
    })
    // On a fiber of its own from the first step: whoever asks may be interrupted by what is asked for.
    return Effect.flatMap(
      Effect.forkDetach(revoking, { startImmediately: true, uninterruptible: true }),
      Fiber.join
    )
  }

  const refuse = (
    info: Info,
    parent: Entry | undefined,
    caller: Caller.Caller | undefined
  ): SessionError | undefined => {
    const around = revokedAround(parent)
    if (around !== undefined) return around
    const { kind, name } = info
    if (registry.isClosed) return new SessionRevoked({ id: 0, kind, session: name, reason: closedReason })
    const tenant = caller?.tenant
    if (quota === undefined || tenant === undefined) return undefined
    const given = quota(tenant)
    const limit = given === Infinity ? given : OptionCheck.count("quota", given, 0)
    return ledger.tenantSize(tenant) < limit ? undefined : new QuotaExceeded({ tenant, kind, limit })
  }

  const registry: SessionRegistry & { isClosed: boolean } = {
    isClosed: false,
    list,
    get,
    counts,
    changes,
    listenUnsafe,
    leaks,
    watchKinds: (listener) =>
      ledger.watchTallies((tally) =>
        Observer.tell(listener, {
          kind: tally.kind,
          opened: () => tally.opened,
          closed: () => tally.closed,
          age: (clock) => {
            const now = Monotonic.millis(clock)
            return Duration.millis(Math.max(0, now - (ledger.oldest(tally) ?? now)))
          }
        })
      ),
    revoke,
    openUnsafe: (info, fiber, current, site) => {
      // Whatever is said of it later, in errors too, has to be text.
      OptionCheck.text("kind", info.kind)
      OptionCheck.text("name", info.name)
      const parent = current instanceof Entry ? current : undefined
      const caller = kept(fiber.getRef(Caller.Current))
      const release = Releasing.of(fiber)
      const refusal = refuse(info, parent, caller)
      // What a release needs, so that something is given back, it gets.
      if (refusal !== undefined && release?.isOver !== false) return refusal
      const entry = ledger.open(
        info,
        parent,
        release,
        caller,
        fiber.id,
        fiber.cache.span,
        fiber.getRef(Clock.Clock).monotonicTimeNanosUnsafe()
      )
      entry.site = site
      if (listeners.size > 0) tell({ _tag: "Opened", session: snapshot(entry, now()) })
      return entry
    },
    underWayUnsafe: () => {
      const found: Array<Entry> = []
      ledger.forEach((entry) => {
        if (entry.isUnderWay) found.push(entry)
      })
      return found
    },
    closeUnsafe
  }
  return registry
}

/** The registry in force: this process's own, unless another is provided. */
export const SessionRegistry: Context.Reference<SessionRegistry> = Context.Reference(
  "@clawback/core/SessionRegistry",
  { defaultValue: (): SessionRegistry => makeUnsafe() }
)

/**
 * A registry of its own, apart from the process's. What is still open when the layer closes was leaked: it is reported,
 * with where it was opened if that was sampled, and then taken back.
 */
export const layer = (options: Options = {}): Layer.Layer<never> =>
  Layer.effect(
    SessionRegistry,
    Effect.gen(function*() {
      if (options.sampleAll === true) {
        yield* Effect.acquireRelease(Effect.sync(Site.demand), (stop) => Effect.sync(stop))
      }
      return yield* Effect.acquireRelease(
        Effect.sync(() => makeUnsafe(options)),
        Effect.fnUntraced(function*(registry) {
          for (const leaked of yield* registry.list()) {
            yield* Effect.logWarning(
              `Session still open at close: ${leaked.kind} ${leaked.name}, for ${Time.format(leaked.age)}`,
              leaked
            )
          }
          registry.isClosed = true
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

/** Takes back every session that matches and everything inside of it, children first. */
export const revoke = (filter: Filter, options: RevokeOptions): Effect.Effect<Revocation> =>
  Effect.flatMap(SessionRegistry, (registry) => registry.revoke(filter, options))

/** What happens to sessions from now on. */
export const changes: Stream.Stream<Change> = Stream.unwrap(
  Effect.map(SessionRegistry, (registry) => registry.changes)
)
