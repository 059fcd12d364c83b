/** Performs the phases of a shutdown, one after another, each within its limit whatever hangs. */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Deadline from "../../Deadline.ts"
import type { Session } from "../../Session.ts"
import { type Filter, SessionRegistry, type Snapshot } from "../../SessionRegistry.ts"
import type { Failure, Held, Phase, PhaseReport } from "../../ShutdownReport.ts"
import { SessionRecord } from "../session/record.ts"
import * as Site from "../session/site.ts"
import * as Monotonic from "../time/monotonic.ts"
import type { Stopping } from "./machine.ts"
import * as UnderWay from "./underWay.ts"

/** Admitted work: the session that it runs in, and where that is listed. */
export interface Work {
  readonly session: Session
  readonly registry: SessionRegistry
}

export class Finalizer {
  readonly name: string
  readonly run: Effect.Effect<unknown, unknown>
  /** Milliseconds; the phase's own limit holds as well. */
  readonly limit: number
  readonly site: Error | undefined
  readonly registeredAt: number
  /** Completed once it has been run, or given up. */
  readonly settled = Deferred.makeUnsafe<void>()

  constructor(
    name: string,
    run: Effect.Effect<unknown, unknown>,
    limit: number,
    site: Error | undefined,
    registeredAt: number
  ) {
    this.name = name
    this.run = run
    this.limit = limit
    this.site = site
    this.registeredAt = registeredAt
  }
}

/** What the phases share. */
export interface Shared {
  readonly stopping: Stopping<Work, Finalizer>
  /** The finalizers that are being run. */
  readonly running: Set<Finalizer>
  /** Milliseconds. */
  readonly limits: Readonly<Record<Phase, number>>
  readonly reason: () => string
  /** Completed when a second request comes, and when a third does. */
  readonly hurried: Deferred.Deferred<void>
  readonly abandoned: Deferred.Deferred<void>
  /** Completed when nothing is waited for any more in the drain. */
  readonly drained: Deferred.Deferred<void>
  /** Sessions whose release failed, so that they are closed and what they held may be held still. */
  readonly lost: Array<Held>
  /** Work that nobody admitted, and of which the report does not say yet what it came to. */
  readonly underWay: Set<UnderWay.UnderWay>
}

/** What a finalizer's run and a session's are for whoever reads the report. */
export const heldFinalizer = ({ name, registeredAt, site }: Finalizer, now: number): Held => ({
  kind: "finalizer",
  name,
  id: undefined,
  age: Duration.millis(Math.max(0, now - registeredAt)),
  site: site && Site.format(site)
})

const heldSession = ({ age, id, kind, name, owner }: Snapshot): Held => ({
  kind,
  name,
  id,
  age,
  site: owner.site
})

export const heldWork = ({ session }: Pick<Work, "session">, now: number): Held => ({
  kind: session.kind,
  name: session.name,
  id: session.id,
  age: Duration.millis(Math.max(0, now - session.openedAt)),
  site: session instanceof SessionRecord && session.site !== undefined ? Site.format(session.site) : undefined
})

/**
 * Runs an effect on a fiber of its own until it ends, `millis` have passed or `cut` succeeds. In the latter two it is
 * interrupted, what it then does is not waited for, and there is no exit.
 */
const bounded = <A, E>(
  effect: Effect.Effect<A, E>,
  millis: number,
  cut: Effect.Effect<void>
): Effect.Effect<Exit.Exit<A, E> | undefined> =>
  Effect.flatMap(Effect.forkDetach(effect, { startImmediately: true }), (fiber) => {
    const given = fiber.pollUnsafe()
    if (given !== undefined) return Effect.succeed(given)
    const over = Effect.as(Effect.raceFirst(Effect.sleep(millis), cut), undefined)
    return Effect.map(Effect.raceFirst(Fiber.await(fiber), over), (exit) => {
      if (exit === undefined) fiber.interruptUnsafe()
      return exit
    })
  })

/** Registries in which something of ours may be open. */
const registries = (shared: Shared, own: SessionRegistry): ReadonlySet<SessionRegistry> =>
  new Set([own, ...shared.stopping.live.map(({ registry }) => registry)])

const together = { concurrency: "unbounded", discard: true } as const

/** Performs the present phase. */
export const perform = (shared: Shared, phase: Phase): Effect.Effect<PhaseReport> =>
  Effect.gen(function*() {
    const { abandoned, hurried, limits, running, stopping, underWay } = shared
    const clock = yield* Clock.Clock
    const own = yield* SessionRegistry
    const limit = limits[phase]
    const now = () => Monotonic.millis(clock)
    const startedAt = now()
    const left = () => Math.max(0, startedAt + limit - now())
    const isWaiting = phase === "unready" || phase === "drain"
    const cut = isWaiting
      ? Effect.raceFirst(Deferred.await(hurried), Deferred.await(abandoned))
      : Deferred.await(abandoned)

    const finished: Array<Held> = []
    const failed: Array<Failure> = []
    const interrupted: Array<Held> = []
    const forced: Array<Held> = []
    const stuck: Array<Held> = []
    // Whoever waits in a drain for something to end does what work does: it may be cut short.
    const overrun = phase === "drain" ? interrupted : stuck

    const settle = (finalizer: Finalizer) => {
      running.delete(finalizer)
      Deferred.doneUnsafe(finalizer.settled, Exit.void)
    }
    const finalize = (finalizer: Finalizer) =>
      Effect.suspend(() => {
        if (stopping.skips(phase)) {
          overrun.push(heldFinalizer(finalizer, now()))
          return Effect.sync(() => settle(finalizer))
        }
        const millis = Math.min(finalizer.limit, left())
        const deadline = { at: now() + millis, budget: Duration.millis(millis) }
        const run = Effect.provideService(finalizer.run, Deadline.Current, deadline)
        return Effect.map(bounded(run, millis, cut), (exit) => {
          const held = heldFinalizer(finalizer, now())
          if (exit === undefined) overrun.push(held)
          else if (Exit.isSuccess(exit)) finished.push(held)
          else failed.push({ finalizer: held, cause: exit.cause })
          settle(finalizer)
        })
      })

    const finalizers = stopping.take()
    for (const finalizer of finalizers) running.add(finalizer)
    const finalizing = Effect.forEach(finalizers, finalize, together)

    /** Half of the time is for users who let go; what is left then is released under those who do not, in a quarter. */
    const revoke = (registry: SessionRegistry, filter: Filter) =>
      Effect.gen(function*() {
        const revocation = yield* registry.revoke(filter, {
          reason: shared.reason(),
          deadline: Duration.millis(limit / 2),
          releaseDeadline: Duration.millis(limit / 4)
        })
        forced.push(...revocation.forced.map(heldSession))
        for (const session of revocation.stuck) {
          if (Option.isNone(yield* registry.get(session.id))) shared.lost.push(heldSession(session))
        }
        return revocation
      })

    const interruptWork = Effect.suspend(() => {
      const byRegistry = Map.groupBy(stopping.live, ({ registry }) => registry)
      return Effect.forEach(
        byRegistry,
        ([registry, works]) => revoke(registry, { ids: new Set(works.map(({ session }) => session.id)) }),
        together
      )
    })

    const takeRest = Effect.suspend(() =>
      Effect.forEach(registries(shared, own), (registry) => {
        const admitted = stopping.live.flatMap((work) => work.registry === registry ? work.session.id : [])
        return Effect.map(revoke(registry, {}), ({ forced, revoked, stuck }) => {
          const told = new Set([...forced, ...stuck].map(({ id }) => id).concat(admitted))
          for (const session of revoked) {
            // One that was being released had ended by itself.
            if (told.has(session.id) || session.state === "releasing") continue
            interrupted.push(heldSession(session))
            told.add(session.id)
          }
          for (const one of underWay) if (one.registry === registry && told.has(one.session.id)) underWay.delete(one)
        })
      }, together)
    )

    const within = (effect: Effect.Effect<void>, millis: number) =>
      Effect.map(bounded(effect, millis, cut), (exit) => exit !== undefined)

    const work: Effect.Effect<boolean> = Effect.suspend(() => {
      if (stopping.skips(phase)) return Effect.succeed(false)
      switch (phase) {
        case "unready":
          return Effect.as(Effect.raceFirst(Effect.sleep(limit), cut), true)
        case "stop":
        case "persist":
          return Effect.succeed(true)
        case "drain":
          return stopping.isDrained ? Effect.succeed(true) : within(Deferred.await(shared.drained), left())
        case "interrupt":
          // The last quarter is for finalizers, which come after: whoever was admitted gets to end in its own way before
          // anything is taken from around it.
          return within(interruptWork, limit * 0.75)
        case "close":
          return within(takeRest, left())
      }
    })

    const isInTime = yield* phase === "interrupt"
      ? Effect.tap(work, () => {
        const admitted = stopping.live.map(({ session }) => session)
        for (const registry of registries(shared, own)) {
          for (const one of UnderWay.outside(registry, admitted)) underWay.add(one)
        }
        return finalizing
      })
      : Effect.map(Effect.all([work, finalizing], { concurrency: 2 }), ([isInTime]) => isInTime)

    const open = phase === "close"
      ? yield* Effect.forEach(registries(shared, own), (registry) => registry.list())
      : []
    // From here on in one step: what leaves later was open, and is named so.
    const gone = stopping.takeLeft()
    interrupted.push(...gone.interrupted.map((work) => heldWork(work, now())))
    for (const one of underWay) {
      if (!one.isCutShort) continue
      underWay.delete(one)
      interrupted.push(heldWork(one, now()))
    }
    if (phase === "interrupt") stuck.push(...stopping.live.map((work) => heldWork(work, now())))
    if (phase === "close") stuck.push(...shared.lost, ...open.flat().map(heldSession))
    return {
      phase,
      duration: Duration.millis(now() - startedAt),
      outcome: stopping.skips(phase) ? "skipped" : isInTime && overrun.length === 0 ? "completed" : "overran",
      ended: gone.ended,
      finished,
      failed,
      interrupted,
      forced,
      stuck
    }
  })
