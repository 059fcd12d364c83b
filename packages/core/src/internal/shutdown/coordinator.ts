/** One shutdown: whoever asks for it, and the one fiber that goes through its phases. */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { Current } from "../../Session.ts"
import type { Shutdown } from "../../Shutdown.ts"
import { exitCode, type Phase, type PhaseReport, type Report, type Signal, type State } from "../../ShutdownReport.ts"
import { isRevocation } from "../session/errors.ts"
import * as Monotonic from "../time/monotonic.ts"
import { InFlight, ShuttingDown } from "./admission.ts"
import { causes } from "./causes.ts"
import { Stopping } from "./machine.ts"
import * as Phases from "./phases.ts"

/** The finalizer that a fiber runs. */
export const Finalizing = Context.Reference<Phases.Finalizer | undefined>("@clawback/core/Shutdown/Finalizing", {
  defaultValue: () => undefined
})

/** With these limits, in milliseconds. */
export const make = (limits: Readonly<Record<Phase, number>>): Shutdown => {
  const stopping = new Stopping<Phases.Work, Phases.Finalizer>()
  const finished = Deferred.makeUnsafe<Report>()
  const refusals = new WeakSet<object>()
  const listeners = new Set<(state: State) => void>()
  let reason = ""
  let signal: Signal | undefined
  const shared: Phases.Shared = {
    stopping,
    running: new Set(),
    limits,
    reason: () => `the process is shutting down: ${reason}`,
    hurried: Deferred.makeUnsafe(),
    abandoned: Deferred.makeUnsafe(),
    drained: Deferred.makeUnsafe(),
    lost: [],
    underWay: new Set()
  }

  const noticeDrained = () => {
    if (stopping.state === "drain" && stopping.isDrained) Deferred.doneUnsafe(shared.drained, Exit.void)
  }
  const tell = (state: State) => {
    for (const listener of listeners) listener(state)
  }

  const drive: Effect.Effect<Report> = Effect.gen(function*() {
    const clock = yield* Clock.Clock
    const startedAt = Monotonic.millis(clock)
    const reports: Array<PhaseReport> = []
    for (let state: State = stopping.state; state !== "done" && state !== "running"; state = stopping.next()) {
      tell(state)
      reports.push(yield* Phases.perform(shared, state))
    }
    const all = {
      signal,
      interrupted: reports.flatMap(({ interrupted }) => interrupted),
      failed: reports.flatMap(({ failed }) => failed),
      // Sessions that were stuck once may have been taken back since.
      stuck: reports.flatMap(({ phase, stuck }) =>
        phase === "close" ? stuck : stuck.filter(({ id }) => id === undefined)
      )
    }
    return {
      ...all,
      reason,
      duration: Duration.millis(Monotonic.millis(clock) - startedAt),
      phases: reports,
      ended: reports.reduce((sum, { ended }) => sum + ended, 0),
      forced: reports.flatMap(({ forced }) => forced),
      exitCode: exitCode({ ...all, isAbandoned: stopping.isAbandoned })
    }
  })

  const begin = (context: Context.Context<never>): void => {
    const own = context.pipe(Context.add(Current, undefined), Context.add(InFlight, undefined))
    // On a fiber of its own from the first step: whoever asks may be interrupted by what is asked for.
    Effect.runForkWith(own)(Effect.map(Effect.exit(drive), (exit) => {
      Deferred.doneUnsafe(finished, exit)
      tell("done")
    }))
  }

  const requestUnsafe: Shutdown["requestUnsafe"] = (request, context) => {
    const answer = stopping.request()
    if (answer === "over") return answer
    if (answer === "begun") reason = request.reason
    // The first decides, unless the third ends it at once.
    signal = answer === "abandoned" ? request.signal ?? signal : signal ?? request.signal
    if (answer === "begun") begin(context)
    if (answer === "hurried") Deferred.doneUnsafe(shared.hurried, Exit.void)
    if (answer === "abandoned") Deferred.doneUnsafe(shared.abandoned, Exit.void)
    return answer
  }

  const withdraw = (registration: { readonly phase: Phase; readonly finalizer: Phases.Finalizer }) =>
    Effect.withFiber<void>((fiber) => {
      const { finalizer } = registration
      return stopping.withdraw(registration) || !shared.running.has(finalizer) || fiber.getRef(Finalizing) === finalizer
        ? Effect.void
        : Deferred.await(finalizer.settled)
    })

  return {
    state: Effect.sync(() => stopping.state),
    changes: Stream.unwrap(Effect.gen(function*() {
      const queue = yield* Queue.unbounded<State, Cause.Done>()
      const listener = (state: State) => {
        Queue.offerUnsafe(queue, state)
        if (state === "done") Queue.endUnsafe(queue)
      }
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          listeners.add(listener)
          listener(stopping.state)
        }),
        () => Effect.sync(() => listeners.delete(listener))
      )
      return Stream.fromQueue(queue)
    })),
    report: Deferred.await(finished),
    shutdown: (why) =>
      Effect.withFiber((fiber) => {
        const finalizing = fiber.getRef(Finalizing)
        if (finalizing !== undefined && shared.running.has(finalizing)) {
          return Effect.die(
            new Error(`The finalizer ${finalizing.name} cannot wait for the shutdown that waits for it`)
          )
        }
        stopping.excuse(fiber.getRef(InFlight))
        noticeDrained()
        if (stopping.begin()) {
          reason = why
          begin(fiber.context)
        }
        return Deferred.await(finished)
      }),
    request: (request) => Effect.withFiber((fiber) => Effect.succeed(requestUnsafe(request, fiber.context))),
    requestUnsafe,
    pendingUnsafe: (clock) => {
      const now = Monotonic.millis(clock)
      return [
        ...Array.from(shared.running, (finalizer) => Phases.heldFinalizer(finalizer, now)),
        ...stopping.live.map((work) => Phases.heldWork(work, now))
      ]
    },
    admitsUnsafe: (context) => stopping.admits(Context.get(context, InFlight)),
    admitUnsafe: (work, inside) => stopping.admit(work, inside),
    leaveUnsafe: (ticket, isInterrupted) => {
      stopping.leave(ticket, isInterrupted)
      noticeDrained()
    },
    refusalUnsafe: ({ kind, name }) => {
      const refusal = new ShuttingDown({ kind, work: name })
      refusals.add(refusal)
      return refusal
    },
    causedUnsafe: (error) => {
      const told = shared.reason()
      return stopping.state !== "running" &&
        [...causes(error)].some((one) => refusals.has(one) || isRevocation(one, told))
    },
    registerUnsafe: (phase, finalizer) => {
      const registration = { phase, finalizer }
      return stopping.register(registration) ? withdraw(registration) : undefined
    },
    limit: Duration.millis(Object.values(limits).reduce((sum, limit) => sum + limit, 0))
  }
}
