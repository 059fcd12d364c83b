/**
 * Background tasks of one owner, who ends in the middle of things: by closing its scope, or by a shutdown.
 *
 * Four starters start six tasks each; tasks fail, die, begin again, never end or do not listen, and are cancelled by
 * whoever started them. The nemesis interrupts starters. What must hold is in the names of the properties.
 */
import { SessionRegistry, Shutdown, Tasks } from "@clawback/core"
import type * as ShutdownReport from "@clawback/core/ShutdownReport"
import { Simulation } from "@clawback/testing"
import { Data, Effect, Exit, Fiber, Layer, Schedule, Scope } from "effect"
import { sometimesTraced } from "../support/spans.ts"

const concurrency = 3
const capacity = 4
const limits = { unready: 0, stop: 20, drain: 300, persist: 20, interrupt: 100, close: 20 }

class Unlucky extends Data.TaggedError("Unlucky")<{}> {}

class Truth {
  running = 0
  failures = 0
  reported = 0
  /** Whether the owner has ended. */
  isOver = false
  /** Which tasks are not accepted any more: those to be drained since "stop" began, the others since it ended. */
  readonly hasStopped = { drain: false, cancel: false }
  readonly accepted: Array<Accepted> = []
}

interface Accepted {
  readonly task: Tasks.Task<void, Unlucky>
  readonly atShutdown: "drain" | "cancel"
  readonly fate: { isDeaf: boolean; isEndless: boolean; isCancelled: boolean }
}

/** Runs a while. What it is going to be is drawn when it begins. */
const work = (truth: Truth, fate: Accepted["fate"]) =>
  Effect.gen(function*() {
    yield* Effect.acquireRelease(
      Effect.sync(() => void truth.running++),
      () => Effect.sync(() => void truth.running--)
    )
    yield* Simulation.check("no more tasks run than `concurrency` allows", truth.running <= concurrency, () =>
      `${truth.running}`)
    yield* Simulation.check("no task begins for an owner that has ended", !truth.isOver)
    const failing = <E>(failure: Effect.Effect<never, E>) =>
      Effect.uninterruptible(Effect.suspend(() => {
        truth.failures++
        return failure
      }))
    yield* Simulation.latency(0, 20)
    if (yield* Simulation.fault("a task fails", 0.15)) {
      return yield* failing(new Unlucky())
    }
    if (yield* Simulation.fault("a task dies", 0.1)) {
      return yield* failing(Effect.die("bug"))
    }
    if (yield* Simulation.fault("a task ignores interruption", 0.03)) {
      fate.isDeaf = true
      yield* Effect.uninterruptible(Effect.sleep(500))
    }
    if (yield* Simulation.fault("a task never ends", 0.1)) {
      fate.isEndless = true
      return yield* Effect.never
    }
  })

const starter = (truth: Truth, tasks: Tasks.Tasks) =>
  Effect.gen(function*() {
    for (let i = 0; i < 6; i++) {
      yield* Simulation.latency(0, 30)
      const atShutdown = yield* Simulation.choose(["drain", "cancel"] as const)
      const restart = (yield* Simulation.choose([true, false])) ? Schedule.recurs(2) : undefined
      const fate = { isDeaf: false, isEndless: false, isCancelled: false }
      const hasStopped = truth.hasStopped[atShutdown]
      const exit = yield* Effect.exit(Effect.uninterruptible(Effect.tap(
        tasks.start({ name: `${atShutdown} ${i}`, atShutdown, restart })(work(truth, fate)),
        (task) => Effect.sync(() => truth.accepted.push({ task, atShutdown, fate }))
      )))
      yield* Simulation.check("nothing is accepted once admission has stopped", !hasStopped || Exit.isFailure(exit))
      if (Exit.isFailure(exit)) continue
      if (yield* Simulation.choose([true, false, false])) {
        yield* Simulation.latency(0, 30)
        fate.isCancelled = true
        yield* exit.value.cancel.pipe(Simulation.phase("cancelling"))
      }
    }
  }).pipe(Simulation.phase("starting"))

const tagOf = (exit: Exit.Exit<unknown, { readonly _tag: string }>) =>
  Exit.isSuccess(exit)
    ? "Success"
    : exit.cause.reasons.map((reason) => reason._tag === "Fail" ? reason.error._tag : reason._tag).join()

const judge = (truth: Truth, report: ShutdownReport.Report | undefined) =>
  Effect.gen(function*() {
    for (const { atShutdown, fate, task } of truth.accepted) {
      const ended = yield* Effect.forkChild(task.await, { startImmediately: true })
      yield* Effect.sleep(1)
      const isDone = ended.pollUnsafe() !== undefined
      yield* Simulation.check(
        "no task outlives its owner, unless it ignores interruption",
        isDone || fate.isDeaf,
        task.name
      )
      yield* Effect.sleep(1000)
      const tag = tagOf(yield* Fiber.join(ended))
      yield* Simulation.check(
        "a cancelled task fails with a typed error",
        ["Success", "Unlucky", "Die", "TaskCancelled", "SessionRevoked"].includes(tag),
        tag
      )
      const isPromised = atShutdown === "drain" && !fate.isEndless && !fate.isDeaf && !fate.isCancelled &&
        truth.accepted.every(({ fate }) => !fate.isEndless && !fate.isDeaf)
      yield* Simulation.check(
        "a task that is drained ends by itself, if it ends at all",
        !isPromised || ["Success", "Unlucky", "Die"].includes(tag),
        () =>
          `${task.name}: ${tag} ${JSON.stringify(report)} ${
            String(truth.accepted.map((a) => a.task.name + JSON.stringify(a.fate)))
          }`
      )
      yield* Simulation.check(
        "a task that never ends and is not drained is cancelled",
        atShutdown === "drain" || !fate.isEndless || tag === "TaskCancelled",
        tag
      )
    }
    yield* Simulation.check("each failure is reported", truth.reported === truth.failures, () =>
      `${truth.reported} of ${truth.failures}`)
    yield* Simulation.check("nothing runs in the end", truth.running === 0)
    yield* Simulation.check("no session is left", (yield* SessionRegistry.list()).length === 0)
    if (report === undefined) {
      return
    }
    yield* Simulation.check(
      "tasks that end when they are interrupted do not delay a shutdown",
      truth.accepted.some(({ fate }) =>
        fate.isDeaf
      ) || report.stuck.length === 0
    )
  })

const program = Effect.gen(function*() {
  const truth = new Truth()
  const scope = yield* Scope.make()
  const tasks = yield* Scope.provide(
    Tasks.make({
      name: "simulated",
      concurrency,
      capacity,
      drain: 300,
      onFailure: () => Effect.sync(() => void truth.reported++)
    }),
    scope
  )
  const starters = yield* Effect.forEach([1, 2, 3, 4], () => Simulation.fork(starter(truth, tasks), "starter"))
  yield* Simulation.latency(20, 150)
  const isShutdown = yield* Simulation.choose([true, false])
  let report: ShutdownReport.Report | undefined
  if (isShutdown) {
    for (const [phase, kind] of [["stop", "drain"], ["drain", "cancel"]] as const) {
      const watching = Shutdown.addFinalizer({ phase, name: kind })(Effect.sync(() => truth.hasStopped[kind] = true))
      yield* Scope.provide(watching, scope)
    }
    yield* Scope.provide(
      Shutdown.addFinalizer({ phase: "interrupt", name: "owner" })(Scope.close(scope, Exit.void)),
      yield* Scope.make()
    )
    report = yield* Shutdown.shutdown("simulated")
  }
  yield* Scope.close(scope, Exit.void)
  truth.isOver = true
  yield* Effect.forEach(starters, Fiber.await)
  yield* judge(truth, report)
})

export default {
  name: "Tasks",
  program: sometimesTraced(Effect.provide(program, Layer.merge(Shutdown.layer(limits), SessionRegistry.layer()))),
  phases: ["starting", "cancelling"],
  faults: ["a task fails", "a task dies", "a task ignores interruption", "a task never ends", "spans are on"]
} satisfies Simulation.Scenario
