/**
 * Runs Effect programs under schedules, times, faults and interrupts that one number decides, and replays them by it.
 *
 * A bug that needs an interrupt in one particular step will not show in a test that runs the program once. Here it runs
 * thousands of times: which ready fiber goes next, where it yields, how long things take, what fails, and at which step
 * the nemesis interrupts whom are drawn from the seed. Time is virtual and nothing is awaited, so that thousands of runs
 * take a second, and a seed that failed fails again, in any process.
 *
 * What it cannot see: anything that is not Effect. A promise, a real timer or a socket never answers in here (the run
 * is reported as stuck), so those need a stand-in made of effects, and a proof of their own.
 */

import { LeakProbe } from "@clawback/core/LeakProbe"
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
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

/** A program to simulate, and what must have happened to it for its exploration to mean anything. */
export interface Scenario {
  readonly name: string
  /** Run anew for every seed; it must make everything that it uses, since nothing may be left from the last run. */
  readonly program: Effect.Effect<unknown, unknown>
  /** Phases in which the nemesis must have struck. */
  readonly phases?: ReadonlyArray<string> | undefined
  /** Faults that must have occurred. */
  readonly faults?: ReadonlyArray<string> | undefined
  /** Default: 100,000. A program that takes more has not ended. */
  readonly maxSteps?: number | undefined
}

/** A property that did not hold. Without a seed it is one of the exploration as a whole. */
export interface Failure {
  readonly seed: number | undefined
  readonly property: string
  readonly detail: string
}

/** What came of one run. */
export interface Outcome {
  readonly seed: number
  /** Equal for equal seeds, in any process. */
  readonly hash: string
  readonly steps: number
  /** How often the nemesis struck, by phase. */
  readonly interrupts: Readonly<Record<string, number>>
  /** How often each fault occurred. */
  readonly faults: Readonly<Record<string, number>>
  readonly failures: ReadonlyArray<Failure>
  /** What happened, line by line; empty unless asked for. */
  readonly trace: ReadonlyArray<string>
}

/** What came of many runs. */
export interface Report {
  readonly name: string
  /** How many were run. */
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
  /** The first of them. Default: 1. */
  readonly from?: number | undefined
  /** Ends with the first seed that fails. Default: false. */
  readonly stopAtFirst?: boolean | undefined
  /** Asked after each seed, whether to end with that one. Default: never. */
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

/** Forks a child that the nemesis may interrupt at any step. In the trace it is called by its name and a number. */
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

/** Whether the nemesis has interrupted this fiber. One that it did not has no excuse to end interrupted. */
export const isStruck = (fiber: Fiber.Fiber<unknown, unknown>): Effect.Effect<boolean> =>
  inRun((run) => run.struck.has(fiber))

export interface CloseOptions {
  /** The fault that a close is counted as. Default: `"scope closes"`. */
  readonly fault?: string | undefined
  /** What the scope is closed with. Default: success. */
  readonly exit?: Exit.Exit<unknown, unknown> | undefined
}

/**
 * Lets the nemesis close a scope, from a fiber of its own, at any step until all is healed: an owner that is elsewhere.
 *
 * It aims as it does with interrupts: at the step after a fiber has yielded, which is any fiber where the program itself
 * made this call, and the exposed fiber's own where one made it. A scope that has closed by then is left alone.
 *
 * Returns an effect that takes the scope back from the nemesis, or waits until the close that it began has ended. Its
 * value is whether the nemesis closed the scope; a finalizer that died makes it die.
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
          // Before it closes anything, which others may see in the same step.
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
 * Declares that the program has dropped the last reference to an object, so that the garbage collector may have it.
 *
 * Whatever watches it by `LeakProbe` learns that at a drawn later step. That is counted by the name of the fault. Some
 * seeds collect nothing until all is healed; what is lost then is collected at the next step, and not counted.
 */
export const lose = (target: object, fault = "collection"): Effect.Effect<void> =>
  inRun((run) => run.collector.lose(target, fault))

/** Stands for references that the program can drop without knowing the objects, as those of a reader to its stream. */
export interface Owner {
  /** Objects that are watched while this effect runs belong to the owner. */
  readonly own: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Loses, as `lose` does, every object that has come to belong to the owner. */
  readonly lose: Effect.Effect<void>
}

/** An owner that nobody has dropped yet. */
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
 * Names what an effect is about, for the count of interrupts.
 *
 * It is a phase of the exposed fiber that the effect runs on or that forked the one it runs on. The one entered last and
 * not yet left is the one that counts, and `other` where there is none.
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

/** Whether a fault occurs here and now. Counted by name when it does; none occur after `heal`. */
export const fault = (name: string, probability: number): Effect.Effect<boolean> =>
  inRun((run) => run.fault(name, OptionCheck.ratio("probability", probability)))

/** Takes a drawn while, in whole milliseconds, so that things may also happen at the same moment. */
export const latency = (minMillis: number, maxMillis: number): Effect.Effect<void> => {
  const least = OptionCheck.count("minMillis", minMillis, 0)
  const most = OptionCheck.count("maxMillis", maxMillis, least)
  return withRun((run) => Effect.sleep(least + run.draws.below(most - least + 1)))
}

/** One of several. */
export const choose = <A>(from: readonly [A, ...ReadonlyArray<A>]): Effect.Effect<A> =>
  inRun((run) => run.draws.one(from))

/** Adds to the trace, and so to its hash. */
export const note = (text: string): Effect.Effect<void> => inRun((run) => run.note(text))

/** A property that must hold here. Where it does not, the run goes on and its seed is reported. */
export const check = (property: string, condition: boolean, detail?: string | (() => string)): Effect.Effect<void> =>
  inRun((run) => {
    if (!condition) run.violate(property, typeof detail === "function" ? detail() : detail ?? "")
  })

/** A property that must hold after every step from here to the end of the run. */
export const always = (property: string, holds: () => boolean, detail?: () => string): Effect.Effect<void> =>
  inRun((run) => run.always({ property, holds, detail }))

/** No more faults, interrupts and closed scopes: what comes after must work. */
export const heal: Effect.Effect<void> = inRun((run) => {
  run.isHealed = true
  run.note("healed")
})

const logger = (run: Run) => Logger.make(({ logLevel, message }) => run.tell(`log ${logLevel}: ${String(message)}`))

/** Runs a program once, as the seed says. Everything has happened when this returns. */
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

/** Runs one seed of a scenario and keeps the trace, to read what happened. */
export const replay = (scenario: Scenario, seed: number): Outcome =>
  run(scenario.program, { seed, maxSteps: scenario.maxSteps, trace: true })

/** So many seeds, and chance is no excuse for a phase or a fault that never came. */
const enough = 500
/** One seed in so many is run twice, to see whether anything but the seed has a say. */
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
