/**
 * A process that is stopped while it works: by callers and by signals, up to three, at any step.
 *
 * Four workers have work admitted, some of it inside of other work, deaf or without end, or streamed in scopes that others
 * close; two registrars come and go with finalizers that work, fail, hang and do not listen; somebody has forgotten
 * sessions; two parts of the program work and hold things unasked, until it is told to end. The nemesis interrupts workers,
 * registrars, callers and these. What must hold is in the names of the properties.
 */
import { Session, type SessionError, SessionRegistry, Shutdown } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Clock, Effect, Exit, Fiber, Layer, Option, Stream } from "effect"
import { forEachIn, inOwnedScope, saysClosed } from "../support/readings.ts"
import { type Bystander, excused, judge, limits, type Piece, Truth } from "../support/shutdownTruth.ts"

const signal = "SIGTERM"

type Failure = Shutdown.ShuttingDown | SessionError.SessionError

const asking = (truth: Truth) =>
  Effect.gen(function*() {
    const report = yield* Shutdown.shutdown("asked")
    truth.reports.add(report)
  }).pipe(Simulation.phase("waiting for the shutdown"))

const body = (truth: Truth, parent: Piece | undefined, depth: number): Effect.Effect<void, Failure> =>
  Effect.gen(function*() {
    const session = yield* Session.Current
    const piece: Piece = { parent, id: session?.id, isDeaf: false, waits: false }
    const work = Effect.gen(function*() {
      truth.live.add(piece)
      yield* Simulation.latency(0, 40)
      if (yield* Simulation.fault("work ignores interruption", 0.05)) {
        for (let at: Piece | undefined = piece; at !== undefined; at = at.parent) at.isDeaf = true
        yield* Effect.uninterruptible(Effect.sleep(250))
      }
      if (yield* Simulation.fault("work never ends", 0.05)) return yield* Effect.never
      if (yield* Simulation.fault("work begins the shutdown", 0.03)) {
        for (let at: Piece | undefined = piece; at !== undefined; at = at.parent) at.waits = true
        return yield* asking(truth)
      }
      if (depth > 0) {
        const exit = yield* Effect.exit(admitted(truth, piece, depth - 1))
        const error = Exit.findErrorOption(exit)
        const isRefused = Option.isSome(error) && error.value._tag === "ShuttingDown"
        const state = yield* Shutdown.Shutdown.use((service) => service.state)
        yield* Simulation.check(
          "work in flight may begin work of its own until it is interrupted",
          !isRefused || ["interrupt", "close", "done"].includes(state),
          state
        )
      }
    })
    const end = Effect.gen(function*() {
      const now = yield* Clock.currentTimeMillis
      truth.live.delete(piece)
      truth.lastEnd = now
      if (piece.id !== undefined) truth.ended.set(piece.id, now)
      const revoked = session?.revoked
      if (revoked === undefined || !revoked.reason.includes("shutting down")) return
      if (piece.id !== undefined) truth.cut.add(piece.id)
      yield* Simulation.check(
        "work has the whole drain to end, unless it is hurried or waits for the shutdown",
        truth.hurriedAt !== undefined || excused(piece) ||
          now >= (truth.at.get("drain") ?? now) + limits.drain,
        () => JSON.stringify([...truth.at, now])
      )
    })
    return yield* Effect.onExit(work, (exit) => {
      if (Exit.isSuccess(exit)) {
        truth.live.delete(piece)
        return Effect.map(Clock.currentTimeMillis, (now) => {
          truth.lastEnd = now
          if (piece.id !== undefined) truth.ended.set(piece.id, now)
        })
      }
      return end
    })
  })

const admitted = (truth: Truth, parent: Piece | undefined, depth: number): Effect.Effect<void, Failure> =>
  Effect.gen(function*() {
    const info = { kind: "work", name: `at ${depth}` }
    const isNewcomer = parent === undefined
    const isLate = truth.hasStopped
    const isStream = yield* Simulation.choose([true, false])
    let hasBegun = false
    const doing = Effect.andThen(
      Effect.sync(() => {
        hasBegun = true
      }),
      body(truth, parent, depth)
    )
    const stream = Stream.fromEffect(doing).pipe(Shutdown.admitStream(info))
    const { exit, isClosed } = isStream
      ? yield* inOwnedScope((scope) => forEachIn(scope, stream, () => Effect.void))
      : { exit: yield* Effect.exit(Shutdown.admit(info)(doing)), isClosed: false }
    const error = Option.getOrUndefined(Exit.findErrorOption(exit))
    yield* Simulation.check(
      "a reader fails with \"its scope was closed\" only if it was",
      isClosed || !saysClosed(error)
    )
    yield* Simulation.check(
      "nothing new is admitted once admission has stopped",
      !isNewcomer || !isLate || (!hasBegun && Exit.isFailure(exit))
    )
    return yield* exit
  }).pipe(Simulation.phase("working"))

const worker = (truth: Truth) =>
  Effect.gen(function*() {
    for (let i = 0; i < 5; i++) {
      yield* Simulation.latency(0, 30)
      const exit = yield* Effect.exit(admitted(truth, undefined, 2))
      const reasons = Exit.isFailure(exit) ? exit.cause.reasons : []
      yield* Simulation.check(
        "a worker that is not interrupted gets a typed error",
        Exit.isSuccess(exit) || reasons.some(({ _tag }) => _tag === "Fail") || reasons.length === 0,
        () => String(exit)
      )
    }
  })

const fiberId = Effect.withFiber((fiber) => Effect.succeed(fiber.id))

const phases = ["stop", "drain", "persist", "interrupt", "close"] as const

const registrar = (truth: Truth) =>
  Effect.gen(function*() {
    for (let i = 0; i < 4; i++) {
      const phase = yield* Simulation.choose(phases)
      const name = `${phase} ${++truth.finalizers}`
      const deadline = yield* Simulation.choose([5, 15, 1000])
      let startedAt: number | undefined
      let isRunning = false
      const self = yield* fiberId
      const finalizer = Effect.gen(function*() {
        // Where its phase has begun it is run by whoever registers it, and is that one's own affair.
        if ((yield* fiberId) === self) return
        truth.runs.set(name, (truth.runs.get(name) ?? 0) + 1)
        startedAt = yield* Clock.currentTimeMillis
        isRunning = true
        truth.hung.add(name)
        if (phase === "persist") {
          yield* Simulation.check(
            "nothing is interrupted before the phase `persist` ends",
            truth.cut.size === 0
          )
        }
        if (yield* Simulation.fault("a finalizer fails", 0.15)) {
          truth.failed.add(name)
          truth.hung.delete(name)
          isRunning = false
          return yield* Effect.fail("no disk")
        }
        if (yield* Simulation.fault("a finalizer ignores interruption", 0.2)) {
          isRunning = false
          return yield* Effect.uninterruptible(Effect.sleep(300))
        }
        if (yield* Simulation.fault("a finalizer hangs", 0.3)) return yield* Effect.never
        yield* Simulation.latency(0, 20)
        truth.hung.delete(name)
        isRunning = false
      }).pipe(
        Effect.onInterrupt(() =>
          Effect.gen(function*() {
            const now = yield* Clock.currentTimeMillis
            isRunning = false
            yield* Simulation.check(
              "a finalizer runs no longer than its own deadline",
              startedAt === undefined || now <= startedAt + Math.min(deadline, 100) || now > startedAt + 250
            )
          })
        )
      )
      const exit = yield* Effect.exit(Effect.scoped(Effect.andThen(
        Shutdown.addFinalizer({ phase, name, deadline })(finalizer),
        Simulation.latency(0, 200)
      )))
      const ran = startedAt === undefined ? 0 : (yield* Clock.currentTimeMillis) - startedAt
      yield* Simulation.check(
        "a scope that closes waits for its finalizer that runs",
        !isRunning || phase !== "persist" || ran >= Math.min(deadline, limits.persist) ||
          truth.abandonedAt !== undefined
      )
      if (Exit.hasInterrupts(exit)) return
    }
  }).pipe(Simulation.phase("registering"))

const signals = (truth: Truth) =>
  Effect.gen(function*() {
    const count = yield* Simulation.choose([0, 1, 2, 3])
    for (let i = 0; i < count; i++) {
      yield* Simulation.latency(0, 150)
      yield* Effect.uninterruptible(Effect.gen(function*() {
        const now = yield* Clock.currentTimeMillis
        if (i === 1) truth.hurriedAt = now
        if (i === 2) truth.abandonedAt = now
        const answer = yield* Shutdown.escalate({ reason: signal, signal })
        if (answer === "over" && i === 1) truth.hurriedAt = undefined
        if (answer === "over" && i === 2) truth.abandonedAt = undefined
        yield* Simulation.check("the process is not ready after the first escalation", !(yield* Shutdown.isReady))
      }))
    }
  }).pipe(Simulation.phase("signalling"))

/** Sessions that nobody will let go of; some cannot even be released. */
const forgetful = (truth: Truth) =>
  Effect.gen(function*() {
    for (const name of ["forgotten 1", "forgotten 2"]) {
      const hangs = yield* Simulation.fault("a release hangs", 0.1)
      if (hangs) truth.unreleasable.add(name)
      const holding = Session.acquire(
        { kind: "held", name },
        Effect.void,
        () => hangs ? Effect.sleep(1000) : Effect.void
      )
      yield* Effect.forkDetach(Effect.scoped(Effect.andThen(holding, Effect.never)))
    }
  })

/** What a program does and holds that it has not had admitted, some of it inside of other such work. */
const bystander = (truth: Truth, isInside: boolean): Effect.Effect<void, SessionError.SessionError> =>
  Effect.gen(function*() {
    const how = yield* Simulation.choose(["scoped", "stream", "held"] as const)
    const info = { kind: "bystander", name: how }
    let piece: Bystander | undefined
    const noted = ({ id }: Session.Session) =>
      Effect.map(Clock.currentTimeMillis, (begunAt) => {
        const isWork = how !== "held"
        piece = { id, isWork, isInside, begunAt, hasSucceeded: false, isComplete: false, isTakenApart: false }
        truth.bystanders.set(id, piece)
      })
    const isUninterruptible = yield* Simulation.fault("work cannot be interrupted", 0.2)
    const isSlow = yield* Simulation.fault("work takes long to be cut short", 0.3)
    const ending = isSlow ? Simulation.latency(20, 150) : Effect.void
    const doing = isUninterruptible ? Simulation.latency(1, 25) : Effect.gen(function*() {
      yield* Simulation.latency(0, 60)
      if (!isInside) yield* bystander(truth, how !== "held")
      yield* Simulation.latency(0, 200)
    }).pipe(Effect.onInterrupt(() => ending))
    const inIt = Effect.andThen(Effect.flatMap(Session.Current, (session) => noted(session!)), doing)
    const work = Effect.onExit(how === "held" ? doing : inIt, (exit) =>
      Effect.sync(() => {
        if (piece === undefined) return
        piece.hasSucceeded = Exit.isSuccess(exit)
        piece.isTakenApart = truth.takenApartAt !== undefined
      }))
    const run = {
      scoped: Session.scoped(info)(work),
      stream: Stream.fromEffect(work).pipe(Session.scopedStream(info), Stream.runDrain),
      held: Effect.scoped(
        Effect.flatMap(
          Session.acquire(info, Effect.void, () => Effect.void),
          // It listens, as what is held does that must be let go of.
          ({ awaitRevoked, session }) =>
            Effect.andThen(noted(session), Effect.raceFirst(work, Effect.flatMap(awaitRevoked, Effect.fail)))
        )
      )
    }
    const told = Effect.onExit(run[how], (exit) =>
      Effect.sync(() => {
        if (piece !== undefined) piece.isComplete = Exit.isSuccess(exit)
      }))
    yield* (isUninterruptible ? Effect.uninterruptible(told) : told)
  })

const unadmitted = (truth: Truth) =>
  Effect.forever(Effect.andThen(Simulation.latency(0, 20), Effect.exit(bystander(truth, false)))).pipe(
    Simulation.phase("working without admission")
  )

const program = Effect.gen(function*() {
  const truth = new Truth()
  yield* forgetful(truth)
  yield* Effect.forkChild(
    Stream.runForEach(
      Shutdown.changes,
      (state) => Effect.map(Clock.currentTimeMillis, (now) => truth.at.set(state, now))
    ),
    { startImmediately: true }
  )
  yield* Shutdown.addFinalizer({ phase: "stop", name: "stop" })(Effect.sync(() => truth.hasStopped = true))
  yield* Shutdown.addFinalizer({ phase: "persist", name: "persist" })(Effect.gen(function*() {
    truth.quietFor = [...truth.live].every(excused) ? (yield* Clock.currentTimeMillis) - truth.lastEnd : 0
  }))
  yield* Shutdown.addFinalizer({ phase: "interrupt", name: "interrupt" })(Effect.suspend(() =>
    Simulation.check(
      "work has ended, or ignores interruption, when the finalizers of `interrupt` run",
      [...truth.live].every(({ isDeaf }) => isDeaf)
    )
  ))
  const bystanders = [
    yield* Simulation.fork(unadmitted(truth), "program"),
    yield* Simulation.fork(unadmitted(truth), "program")
  ]
  yield* Shutdown.addFinalizer({ phase: "interrupt", name: "program" })(
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      truth.takenApartAt = now
      return Fiber.interruptAll(bystanders)
    })
  )
  for (let i = 0; i < 4; i++) yield* Simulation.fork(worker(truth), "worker")
  for (let i = 0; i < 2; i++) yield* Simulation.fork(registrar(truth), "registrar")
  yield* Simulation.fork(signals(truth), "signals")
  yield* Simulation.fork(Effect.andThen(Simulation.latency(20, 150), asking(truth)), "caller")

  yield* Simulation.latency(100, 150)
  const report = yield* Effect.timeoutOption(Shutdown.shutdown("the end"), 1000)
  yield* Effect.sleep(1)
  yield* Simulation.check("a shutdown ends", Option.isSome(report))
  if (Option.isSome(report)) {
    truth.reports.add(report.value)
    yield* judge(truth, report.value)
  }
  yield* Effect.sleep("5 seconds")
  const left = yield* SessionRegistry.list()
  yield* Simulation.check(
    "nothing is held in the end, unless the shutdown was abandoned",
    truth.abandonedAt !== undefined || left.length === 0,
    () => JSON.stringify(left)
  )
})

export default {
  name: "Shutdown",
  program: Effect.provide(Effect.scoped(program), Layer.merge(Shutdown.layer(limits), SessionRegistry.layer())),
  phases: ["working", "working without admission", "registering", "signalling", "waiting for the shutdown"],
  faults: [
    "the scope has an owner elsewhere",
    "a scope closes under its reader",
    "work ignores interruption",
    "work never ends",
    "work cannot be interrupted",
    "work takes long to be cut short",
    "work begins the shutdown",
    "a finalizer fails",
    "a finalizer hangs",
    "a finalizer ignores interruption",
    "a release hangs"
  ]
} satisfies Simulation.Scenario
