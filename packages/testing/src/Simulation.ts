/**
 * Runs Effect programs under schedules, times, faults and interrupts that one number decides, and replays them by this number.
 *
 * A bug that needs an interrupt at one particular step does not show in a test that runs the program once. A simulation runs it
 * thousands of times. The seed decides which ready fiber runs next, where it yields, how long things take, what fails, and which
 * fiber the nemesis interrupts at which step. Time is virtual and nothing real is awaited. So thousands of runs take a second, and
 * a seed that failed fails again, in any process.
 *
 * Limits: only effects are simulated. A promise, a real timer or a socket never completes here, and the run is reported as stuck.
 * Replace them by effects, and test the real ones in another way.
 *
 * @experimental
 */

import { LeakProbe } from "@clawback/core/LeakProbe"
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import { CurrentExposed } from "./internal/exposed.ts"
import { properties, Run } from "./internal/run.ts"

export { properties }

/** A program to simulate, and the phases and faults that must occur in its exploration. */
export interface Scenario {
  readonly name: string
  /** Runs anew for every seed. It must make everything that it uses, so that nothing is left from the last run. */
  readonly program: Effect.Effect<unknown, unknown>
  /** Phases in which the nemesis must have interrupted. */
  readonly phases?: ReadonlyArray<string> | undefined
  /** Faults that must have occurred. */
  readonly faults?: ReadonlyArray<string> | undefined
  /** Default: 100,000. A program that takes more steps counts as endless. */
  readonly maxSteps?: number | undefined
}

/** A property that did not hold. Without a seed, it is a property of the whole exploration. */
export interface Failure {
  readonly seed: number | undefined
  readonly property: string
  readonly detail: string
}

/** The result of one run. */
export interface Outcome {
  readonly seed: number
  /** Equal for equal seeds, in any process. */
  readonly hash: string
  readonly steps: number
  /** How often the nemesis interrupted, by phase. */
  readonly interrupts: Readonly<Record<string, number>>
  /** How often each fault occurred. */
  readonly faults: Readonly<Record<string, number>>
  readonly failures: ReadonlyArray<Failure>
  /** What happened, line by line; empty unless the run keeps its trace. */
  readonly trace: ReadonlyArray<string>
}

/** The result of many runs. */
export interface Report {
  readonly name: string
  /** How many seeds were run. */
  readonly seeds: number
  readonly distinctTraces: number
  readonly steps: number
  readonly interrupts: Readonly<Record<string, number>>
  readonly faults: Readonly<Record<string, number>>
  readonly failures: ReadonlyArray<Failure>
}

export interface ExploreOptions {
  /** How many seeds to run. */
  readonly seeds: number
  /** The first seed. Default: 1. */
  readonly from?: number | undefined
  /** Ends with the first seed that fails. Default: false. */
  readonly stopAtFirst?: boolean | undefined
  /** Called after each seed: whether to end with it. Default: never. */
  readonly isEnough?: ((seeds: number) => boolean) | undefined
}

const Current = Context.Reference<Run | undefined>("@clawback/testing/Simulation/Current", {
  defaultValue: () => undefined
})

const withRun = <A, E, R>(
  f: (run: Run, fiber: Fiber.Fiber<unknown, unknown>) => Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const run = fiber.getRef(Current)
    return run === undefined
      ? Effect.die(new Error("This effect works in a simulation only: run it by Simulation.run or Simulation.explore"))
      : f(run, fiber)
  })

const inRun = <A>(f: (run: Run) => A): Effect.Effect<A> => withRun((run) => Effect.succeed(f(run)))

/** Forks a child that the nemesis may interrupt at any step. The trace shows its name and a number. */
export const fork = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  name = "fork"
): Effect.Effect<Fiber.Fiber<A, E>, never, R> =>
  withRun((run) => {
    const exposed = run.makeExposed(name)
    const child = Effect.withFiber<A, E, R>((fiber) => {
      run.name(fiber, exposed.name)
      return Effect.provideService(effect, CurrentExposed, exposed)
    })
    return Effect.map(Effect.forkChild(child), (fiber) => {
      run.expose({
        owner: exposed,
        isOver: () => fiber.pollUnsafe() !== undefined,
        strike: () => run.interrupt(fiber, exposed)
      })
      return fiber
    })
  })

/** Whether the nemesis has interrupted this fiber. Any other fiber must not end interrupted. */
export const isStruck = (fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<boolean> =>
  inRun((run) => run.struck.has(fiber))

export interface CloseOptions {
  /** The name of the fault that a close counts as. Default: `"scope closes"`. */
  readonly fault?: string | undefined
  /** The exit with which the scope is closed. Default: success. */
  readonly exit?: Exit.Exit<unknown, unknown> | undefined
}

/**
 * Lets the nemesis close a scope, from its own fiber, at any step until `heal`, as an owner elsewhere would.
 *
 * The close comes at the step after a fiber has yielded, as with interrupts. If an exposed fiber made this call, it is this fiber;
 * otherwise, any fiber. A scope that is already closed is left alone.
 *
 * Returns an effect that takes the scope back from the nemesis, or waits until the close has ended. Its value is whether the
 * nemesis closed the scope. If a finalizer dies, it dies.
 */
export const closeAtAnyStep = (
  scope: Scope.Closeable,
  options: CloseOptions = {}
): Effect.Effect<Effect.Effect<boolean>> => {
  const { exit = Exit.void, fault = "scope closes" } = options
  return withRun((run, fiber) => {
    let closing: Fiber.Fiber<void> | undefined
    const victim = {
      owner: fiber.getRef(CurrentExposed),
      isOver: () => scope.state._tag === "Closed",
      strike: () => {
        run.occur(fault)
        Effect.runForkWith(run.context)(Effect.withFiber<void>((fiber) => {
          // Before it closes anything, since other fibers may see that in the same step.
          closing = fiber as Fiber.Fiber<void>
          run.name(fiber, `the nemesis: ${fault}`)
          return Scope.close(scope, exit)
        }))
      }
    }
    run.expose(victim)
    return Effect.succeed(Effect.suspend(() => {
      run.spare(victim)
      return closing === undefined ? Effect.succeed(false) : Effect.as(Fiber.join(closing), true)
    }))
  })
}

/**
 * Declares that the program has dropped the last reference to an object, so that the garbage collector may collect it.
 *
 * A `LeakProbe` that watches it reports that at a random later step, which counts as a fault of this name. Some seeds collect
 * nothing until `heal`. What is lost after that is collected at the next step, and not counted.
 */
export const lose = (target: object, fault = "collection"): Effect.Effect<void> =>
  inRun((run) => run.collector.lose(target, fault))

/** Stands for references to objects that the program does not know, such as those of a reader to its stream. */
export interface Owner {
  /** Objects that are watched while this effect runs belong to the owner. */
  readonly own: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Loses, as `lose` does, every object that belongs to the owner. */
  readonly lose: Effect.Effect<void>
}

/** An owner that is not lost yet. */
export const makeOwner = (fault = "collection"): Effect.Effect<Owner> =>
  inRun((run) => {
    const owned = new Set<object>()
    const probe = run.collector.probe((target) => owned.add(target))
    return {
      own: Effect.provideService(LeakProbe, probe),
      lose: Effect.sync(() => {
        for (const target of owned) run.collector.lose(target, fault)
        owned.clear()
      })
    }
  })

/**
 * Names the phase of an effect, for the count of interrupts.
 *
 * It is a phase of the exposed fiber that runs the effect, or that forked the fiber that runs it. The current phase is the one
 * that was entered last and not left, or `other`.
 */
export const phase = (name: string) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((fiber) => {
      const exposed = fiber.getRef(CurrentExposed)
      if (exposed === undefined) return restore(self)
      const { phases } = exposed
      phases.push(name)
      return Effect.onExitPrimitive(restore(self), () => {
        phases.splice(phases.lastIndexOf(name), 1)
        return undefined
      })
    })
  )

/** Whether a fault occurs here. If so, it is counted by name. None occur after `heal`. */
export const fault = (name: string, probability: number): Effect.Effect<boolean> =>
  inRun((run) => run.fault(name, OptionCheck.ratio("probability", probability)))

/** Takes a random number of whole milliseconds, so that things may also happen at the same moment. */
export const latency = (minMillis: number, maxMillis: number): Effect.Effect<void> => {
  const least = OptionCheck.count("minMillis", minMillis, 0)
  const most = OptionCheck.count("maxMillis", maxMillis, least)
  return withRun((run) => Effect.sleep(least + run.draws.below(most - least + 1)))
}

/**
 * Moves the clocks on at once, the monotonic one too, as when a laptop is suspended: no fiber runs in that time. After it, every
 * fiber wakes that sleeps until a moment in it.
 */
export const leap = (duration: Duration.Input): Effect.Effect<void> => {
  const millis = Duration.toMillis(OptionCheck.finite("duration", duration))
  return inRun((run) => run.leap(millis))
}

/** Returns one of several values. */
export const choose = <A>(from: readonly [A, ...ReadonlyArray<A>]): Effect.Effect<A> =>
  inRun((run) => run.draws.one(from))

/** Writes a line to the trace, and so changes its hash. */
export const note = (text: string): Effect.Effect<void> => inRun((run) => run.note(text))

/** A property that must hold here. If it does not, the run goes on and its seed is reported. */
export const check = (property: string, condition: boolean, detail?: string | (() => string)): Effect.Effect<void> =>
  inRun((run) => {
    if (!condition) run.violate(property, typeof detail === "function" ? detail() : detail ?? "")
  })

/** A property that must hold after every step from here to the end of the run. */
export const always = (property: string, holds: () => boolean, detail?: () => string): Effect.Effect<void> =>
  inRun((run) => run.always({ property, holds, detail }))

/** No more faults, interrupts and closed scopes: what follows must work. */
export const heal: Effect.Effect<void> = inRun((run) => {
  run.isHealed = true
  run.note("healed")
})

const logger = (run: Run) => Logger.make(({ logLevel, message }) => run.tell(`log ${logLevel}: ${String(message)}`))

/** Runs a program once, by the seed. Everything has happened when this returns. */
export const run = (
  program: Effect.Effect<unknown, unknown>,
  options: { readonly seed: number; readonly maxSteps?: number | undefined; readonly trace?: boolean | undefined }
): Outcome => {
  const seed = OptionCheck.count("seed", options.seed, 0)
  const maxSteps = OptionCheck.count("maxSteps", options.maxSteps ?? 100_000, 1)
  const run = new Run(seed, options.trace ?? false)
  const context = Context.empty().pipe(
    Context.add(Current, run),
    Context.add(Scheduler.Scheduler, run),
    Context.add(Clock.Clock, run.clock),
    Context.add(Random.Random, run),
    Context.add(LeakProbe, run.collector.probe()),
    Context.add(Logger.CurrentLoggers, new Set([logger(run)]))
  )
  run.context = context
  run.execute(() =>
    Effect.runForkWith(context)(Effect.withFiber((fiber) => {
      run.name(fiber, "the program")
      return program
    })), maxSteps)
  return {
    seed,
    hash: run.trace.hash,
    steps: run.steps,
    interrupts: Object.fromEntries(run.interrupts),
    faults: Object.fromEntries(run.faults),
    failures: Array.from(run.violations.values(), (violation) => ({ seed, ...violation })),
    trace: run.trace.lines ?? []
  }
}

/** Runs one seed of a scenario and keeps its trace. */
export const replay = (scenario: Scenario, seed: number): Outcome =>
  run(scenario.program, { seed, maxSteps: scenario.maxSteps, trace: true })

/** From this many seeds on, each declared phase and fault must occur. */
const enough = 500
/** One seed in this many runs twice, to check that only the seed decides. */
const repeatEvery = 256

const add = (sums: Record<string, number>, counts: Readonly<Record<string, number>>) => {
  for (const name in counts) sums[name] = (sums[name] ?? 0) + (counts[name] ?? 0)
}

/** Runs a scenario under many seeds. */
export const explore = (scenario: Scenario, options: ExploreOptions): Report => {
  const { maxSteps, name, program } = scenario
  OptionCheck.count("seeds", options.seeds, 1)
  const from = OptionCheck.count("from", options.from ?? 1, 0)
  const traces = new Set<string>()
  const interrupts: Record<string, number> = {}
  const faults: Record<string, number> = {}
  const failures: Array<Failure> = []
  let seeds = 0
  let steps = 0

  const isFailed = () => options.stopAtFirst === true && failures.length > 0
  let isEnough = false
  while (seeds < options.seeds && !isFailed() && !isEnough) {
    const seed = from + seeds
    const outcome = run(program, { seed, maxSteps })
    traces.add(outcome.hash)
    add(interrupts, outcome.interrupts)
    add(faults, outcome.faults)
    failures.push(...outcome.failures)
    if (seeds % repeatEvery === 0 && run(program, { seed, maxSteps }).hash !== outcome.hash) {
      failures.push({ seed, property: properties.isDeterministic, detail: "Two runs of this seed went different ways" })
    }
    steps += outcome.steps
    seeds++
    isEnough = options.isEnough?.(seeds) === true
  }

  if (!isFailed() && seeds >= enough) {
    const expect = (kind: string, names: ReadonlyArray<string> | undefined, counts: Record<string, number>) => {
      for (const name of names ?? []) {
        const detail = `${kind} ${JSON.stringify(name)} never came in ${seeds} seeds`
        if (counts[name] === undefined) failures.push({ seed: undefined, property: properties.covers, detail })
      }
    }
    expect("An interrupt in phase", scenario.phases, interrupts)
    expect("The fault", scenario.faults, faults)
  }
  return { name, seeds, distinctTraces: traces.size, steps, interrupts, faults, failures }
}
