/** How the last two phases take back what sessions hold. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Filter, Revocation, SessionRegistry } from "../../SessionRegistry.ts"
import * as Items from "./items.ts"
import type { PhaseRun } from "./phaseRun.ts"

const together = { concurrency: "unbounded", discard: true } as const

/** The registries in which something may be open. */
export const registries = ({ course, registry }: PhaseRun): ReadonlySet<SessionRegistry> =>
  new Set([registry, ...course.stopping.live.map(({ registry }) => registry)])

/** Users get half of the phase's time to end, and the forced releases that follow get a quarter. */
const revoke = (run: PhaseRun, registry: SessionRegistry, filter: Filter): Effect.Effect<Revocation> =>
  Effect.gen(function*() {
    const { course, forced, limit } = run
    const revocation = yield* registry.revoke(filter, {
      reason: course.reason(),
      deadline: Duration.millis(limit / 2),
      releaseDeadline: Duration.millis(limit / 4)
    })
    forced.push(...revocation.forced.map(Items.ofSnapshot))
    for (const session of revocation.stuck) {
      if (Option.isNone(yield* registry.get(session.id))) course.lost.push(Items.ofSnapshot(session))
    }
    return revocation
  })

/** Revokes the admitted work that is left. */
export const revokeAdmitted = (run: PhaseRun): Effect.Effect<void> =>
  Effect.suspend(() => {
    const byRegistry = Map.groupBy(run.course.stopping.live, ({ registry }) => registry)
    return Effect.forEach(
      byRegistry,
      ([registry, admitted]) => revoke(run, registry, { ids: new Set(admitted.map(({ session }) => session.id)) }),
      together
    )
  })

/** Reports the sessions that a revocation cut short, each once. */
const reportCutShort = (
  { course: { underWay }, interrupted }: PhaseRun,
  registry: SessionRegistry,
  admitted: ReadonlyArray<number>,
  { forced, revoked, stuck }: Revocation
): void => {
  const reported = new Set([...forced, ...stuck].map(({ id }) => id).concat(admitted))
  for (const session of revoked) {
    // A session that was being released had ended by itself.
    if (reported.has(session.id) || session.state === "releasing") continue
    interrupted.push(Items.ofSnapshot(session))
    reported.add(session.id)
  }
  for (const one of underWay) if (one.registry === registry && reported.has(one.session.id)) underWay.delete(one)
}

/** Revokes everything that any session still holds. */
export const revokeAll = (run: PhaseRun): Effect.Effect<void> =>
  Effect.suspend(() =>
    Effect.forEach(registries(run), (registry) => {
      // Admitted work is reported when it leaves.
      const admitted = run.course.stopping.live.flatMap((work) => work.registry === registry ? work.session.id : [])
      return Effect.map(
        revoke(run, registry, {}),
        (revocation) => reportCutShort(run, registry, admitted, revocation)
      )
    }, together)
  )
