/**
 * The ledger of this process's open sessions: who holds what, since when, inside of what.
 *
 * Every program has one by default, shared by the whole process, so nothing needs to be provided. `layer` isolates:
 * what is opened under it is seen only there. The registry watches; it never keeps a program alive and never closes
 * anything by itself.
 *
 * **Cost.** One record for each open session. Opening and closing take constant time; `list` and `counts` walk what
 * is open.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as Ledger from "./internal/ledger.ts"
import * as Monotonic from "./internal/monotonic.ts"
import type { Info, Session } from "./Session.ts"

/** What the registry says about one open session, at the moment of asking. */
export interface Snapshot {
  readonly id: number
  readonly kind: string
  readonly name: string
  /** The id of the session inside of which this one was opened. It may have closed since. */
  readonly parent: number | undefined
  /** Who opened it. */
  readonly owner: {
    readonly fiber: number
    readonly span: { readonly traceId: string; readonly spanId: string } | undefined
  }
  readonly age: Duration.Duration
  readonly attributes: Readonly<Record<string, unknown>>
}

/** Chooses sessions. Every given field must match; an empty filter matches all. */
export interface Filter {
  readonly kind?: string | undefined
  readonly name?: string | undefined
  /** The session of this id and everything opened inside of it, at any depth. */
  readonly within?: number | undefined
  /** Open for at least this long. */
  readonly olderThan?: Duration.Input | undefined
}

/**
 * Something happened to a session. `Missed` stands for changes that a slow reader lost: its buffer of 4,096 was full,
 * and a registry never waits for a reader.
 */
export type Change =
  | { readonly _tag: "Opened"; readonly session: Snapshot }
  | { readonly _tag: "Closed"; readonly session: Snapshot }
  | { readonly _tag: "Missed"; readonly count: number }

export interface SessionRegistry {
  /** The open sessions that match, oldest first. */
  readonly list: (filter?: Filter) => Effect.Effect<ReadonlyArray<Snapshot>>
  /** How many are open, by kind. A kind of which none is open is absent. */
  readonly counts: Effect.Effect<Readonly<Record<string, number>>>
  /** Openings and closings from now on. Reading costs the program nothing until somebody reads. */
  readonly changes: Stream.Stream<Change>
  /** Adds a session on behalf of `fiber`, which must arrange in the same step that `closeUnsafe` follows. */
  readonly openUnsafe: (info: Info, fiber: Fiber.Fiber<unknown, unknown>, parent: Session | undefined) => Session
  /** Removes a session. Closing one that is closed, or another registry's, changes nothing and answers false. */
  readonly closeUnsafe: (session: Session) => boolean
}

const changesBuffer = 4096

const snapshot = (entry: Session, now: number): Snapshot => ({
  id: entry.id,
  kind: entry.kind,
  name: entry.name,
  parent: entry.parent?.id,
  owner: {
    fiber: entry.fiberId,
    span: entry.span && { traceId: entry.span.traceId, spanId: entry.span.spanId }
  },
  age: Duration.millis(Math.max(0, now - entry.openedAt)),
  attributes: entry.attributes ?? {}
})

const isWithin = (entry: Session, id: number): boolean => {
  for (let at: Session | undefined = entry; at !== undefined; at = at.parent) if (at.id === id) return true
  return false
}

const makeUnsafe = (): SessionRegistry => {
  const ledger = new Ledger.Ledger()
  const listeners = new Set<(change: Change) => void>()

  const tell = (_tag: "Opened" | "Closed", session: Session) => {
    const clock = Context.get(Fiber.getCurrent()?.context ?? Context.empty(), Clock.Clock)
    const change = { _tag, session: snapshot(session, Monotonic.millis(clock)) }
    for (const listener of listeners) listener(change)
  }

  const list = (filter: Filter = {}) =>
    Effect.clockWith((clock) => {
      const now = Monotonic.millis(clock)
      const openedBy = filter.olderThan === undefined
        ? Infinity
        : now - Duration.toMillis(Duration.fromInputUnsafe(filter.olderThan))
      const found: Array<Snapshot> = []
      for (let entry = ledger.first; entry !== undefined; entry = entry.next) {
        if (filter.kind !== undefined && entry.kind !== filter.kind) continue
        if (filter.name !== undefined && entry.name !== filter.name) continue
        if (entry.openedAt > openedBy) continue
        if (filter.within !== undefined && !isWithin(entry, filter.within)) continue
        found.push(snapshot(entry, now))
      }
      return Effect.succeed(found)
    })

  const counts = Effect.sync(() => {
    const byKind = new Map<string, number>()
    for (let entry = ledger.first; entry !== undefined; entry = entry.next) {
      byKind.set(entry.kind, (byKind.get(entry.kind) ?? 0) + 1)
    }
    return Object.fromEntries(byKind)
  })

  const changes = Stream.callback<Change>((queue) => {
    let missed = 0
    const listener = (change: Change) => {
      if (missed > 0 && Queue.offerUnsafe(queue, { _tag: "Missed", count: missed })) missed = 0
      if (missed > 0 || !Queue.offerUnsafe(queue, change)) missed++
    }
    return Effect.acquireRelease(
      Effect.sync(() => listeners.add(listener)),
      () => Effect.sync(() => listeners.delete(listener))
    )
  }, { bufferSize: changesBuffer, strategy: "dropping" })

  return {
    list,
    counts,
    changes,
    openUnsafe: (info, fiber, parent) => {
      const session = ledger.open(
        info,
        parent,
        fiber.id,
        fiber.cache.span,
        Monotonic.millis(fiber.getRef(Clock.Clock))
      )
      if (listeners.size > 0) tell("Opened", session)
      return session
    },
    closeUnsafe: (session) => {
      const closed = session instanceof Ledger.Entry && ledger.close(session)
      if (closed && listeners.size > 0) tell("Closed", session)
      return closed
    }
  }
}

/** The registry in force: this process's own, unless another is provided. */
export const SessionRegistry: Context.Reference<SessionRegistry> = Context.Reference(
  "@clawback/core/SessionRegistry",
  { defaultValue: makeUnsafe }
)

/** A registry of its own, apart from the process's: for tests, and for tenants that must not see each other. */
export const layer: Layer.Layer<never> = Layer.effect(SessionRegistry, Effect.sync(makeUnsafe))

/** The open sessions that match, oldest first. */
export const list = (filter?: Filter): Effect.Effect<ReadonlyArray<Snapshot>> =>
  Effect.flatMap(SessionRegistry, (registry) => registry.list(filter))

/** How many sessions are open, by kind. */
export const counts: Effect.Effect<Readonly<Record<string, number>>> = Effect.flatMap(
  SessionRegistry,
  (registry) => registry.counts
)

/** Openings and closings from now on. */
export const changes: Stream.Stream<Change> = Stream.unwrap(
  Effect.map(SessionRegistry, (registry) => registry.changes)
)
