/** Performs each phase of a shutdown. Every phase ends within its limit, whatever hangs. */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { SessionRegistry } from "../../SessionRegistry.ts"
import * as Items from "./items.ts"
import type { Item, PhaseReport } from "./model.ts"
import { type Course, PhaseRun } from "./phaseRun.ts"
import type { Phase } from "./phases.ts"
import { registries, revokeAdmitted, revokeAll } from "./revocations.ts"
import * as UnderWay from "./underWay.ts"

interface Performance {
  /** Succeeds with false if the phase ran out of time. */
  readonly work: (run: PhaseRun) => Effect.Effect<boolean>
  /** What the phase leaves behind, in the step in which it is reported. */
  readonly stuck: (run: PhaseRun) => ReadonlyArray<Item>
}

const nothing = () => []

const unready: Performance = {
  work: (run) => run.together(Effect.as(Effect.raceFirst(Effect.sleep(run.limit), run.cut), true)),
  stuck: nothing
}

const stop: Performance = { work: (run) => run.together(Effect.succeed(true)), stuck: nothing }

const drain: Performance = {
  work: (run) =>
    run.together(Effect.suspend(() => {
      const { drained, stopping } = run.course
      return stopping.isDrained ? Effect.succeed(true) : run.within(Deferred.await(drained), run.left)
    })),
  stuck: nothing
}

const persist: Performance = { work: (run) => run.together(Effect.succeed(true)), stuck: nothing }

const watchUnderWay = (run: PhaseRun): void => {
  const { stopping, underWay } = run.course
  const admitted = stopping.live.map(({ session }) => session)
  for (const registry of registries(run)) {
    for (const one of UnderWay.outside(registry, admitted)) underWay.add(one)
  }
}

/** Work ends before its surroundings do: the finalizers come after it, and have the last quarter of the time. */
const interrupt: Performance = {
  work: (run) =>
    Effect.gen(function*() {
      const isInTime = run.isSkipped ? false : yield* run.within(revokeAdmitted(run), run.limit * 0.75)
      watchUnderWay(run)
      yield* run.finalize
      return isInTime
    }),
  stuck: (run) => run.course.stopping.live.map((admitted) => Items.ofSession(admitted, run.now))
}

const close: Performance = {
  work: (run) =>
    Effect.gen(function*() {
      const isInTime = yield* run.together(Effect.suspend(() => run.within(revokeAll(run), run.left)))
      const open = yield* Effect.forEach(registries(run), (registry) => registry.list())
      run.stuck.push(...run.course.lost, ...open.flat().map(Items.ofSnapshot))
      return isInTime
    }),
  stuck: nothing
}

const performances: Readonly<Record<Phase, Performance>> = { unready, stop, drain, persist, interrupt, close }

/** Performs the present phase. */
export const perform = (course: Course, phase: Phase): Effect.Effect<PhaseReport> =>
  Effect.gen(function*() {
    const run = new PhaseRun(course, phase, yield* SessionRegistry, yield* Clock.Clock)
    const { stuck, work } = performances[phase]
    const isInTime = yield* work(run)
    return run.report(isInTime, stuck)
  })
