/**
 * One run of a program: scheduler, clock, nemesis and trace, all fed by the draws of one seed.
 *
 * Nothing here is asynchronous. Each turn of the loop may interrupt a fiber, runs one ready task, and then checks the laws.
 * Virtual time advances when nothing is ready.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Random from "effect/Random"
import type * as Scheduler from "effect/Scheduler"
import { VirtualClock } from "./clock.ts"
import { Collector } from "./collector.ts"
import { Draws } from "./draws.ts"
import { CurrentExposed, type Exposed } from "./exposed.ts"
import { Trace } from "./trace.ts"

export interface Violation {
  readonly property: string
  readonly detail: string
}

interface Law {
  readonly property: string
  readonly holds: () => boolean
  readonly detail: (() => string) | undefined
}

/** A victim of the nemesis, once: a fiber that it interrupts, or a scope that it closes. */
export interface Victim {
  /** The exposed fiber that it is or belongs to. Undefined: it belongs to the program itself. */
  readonly owner: Exposed | undefined
  /** Whether it ended by itself, so that there is nothing left to strike. */
  readonly isOver: () => boolean
  readonly strike: () => void
}

interface Task {
  readonly dispatcher: Dispatcher
  readonly run: () => void
}

/** The names of the properties that every program must have. */
export const properties = {
  progresses: "whoever waits is served",
  ends: "the program ends",
  succeeds: "the program does not crash",
  isDeterministic: "the seed decides everything",
  covers: "everything declared occurs"
} as const

/** A fiber that yields earlier than this makes no progress: one operation resumes it, one is the yield's own. */
const minOperations = 3

/**
 * How often a run switches fibers and interrupts them. Each seed draws its own, since some bugs need many interrupts, and others
 * a single one in a quiet run.
 */
const yieldRates = [1 / 3, 1 / 6, 1 / 16, 1 / 64] as const
const strikeRates = [0, 1 / 400, 1 / 100, 1 / 25, 1 / 8] as const

/**
 * How much more often a fiber is interrupted that has just yielded involuntarily: code does not expect an interrupt at this step.
 */
const aim = 4

/** Takes one out; the order of the others changes. */
const takeAt = <A>(from: Array<A>, at: number): A | undefined => {
  const taken = from[at]
  if (taken === undefined) return undefined
  const last = from.pop()
  if (last !== undefined && at < from.length) from[at] = last
  return taken
}

class Dispatcher implements Scheduler.SchedulerDispatcher {
  readonly number: number
  name: string | undefined = undefined
  private readonly run: Run

  constructor(run: Run, number: number) {
    this.run = run
    this.number = number
  }

  scheduleTask(task: () => void): void {
    this.run.ready.push({ dispatcher: this, run: task })
  }

  /** In Effect, this drains the fiber's tasks at once. In a simulation, the seed decides when they run. */
  flush(): void {}
}

export class Run implements Scheduler.Scheduler, Random.Random {
  readonly executionMode = "sync"
  readonly draws: Draws
  readonly trace: Trace
  readonly ready: Array<Task> = []
  readonly violations = new Map<string, Violation>()
  readonly interrupts = new Map<string, number>()
  readonly faults = new Map<string, number>()
  readonly struck = new WeakSet<Fiber.Fiber<unknown, unknown>>()
  readonly clock = new VirtualClock((wake) => {
    const sleeper = Fiber.getCurrent()?.currentDispatcher
    const dispatcher = sleeper instanceof Dispatcher ? sleeper : this.makeDispatcher()
    return () => dispatcher.scheduleTask(wake)
  })
  /** The context of the program, for the simulation's own fibers. */
  context: Context.Context<never> = Context.empty()
  steps = 0
  isHealed = false
  readonly collector = new Collector(this)
  private readonly victims: Array<Victim> = []
  private readonly laws: Array<Law> = []
  private readonly yieldRate: number
  private readonly strikeRate: number
  /** The fiber that has just yielded, if the nemesis will strike before anything else happens. */
  private marked: { readonly record: Exposed | undefined } | undefined = undefined
  private dispatchers = 0
  private named = 0

  constructor(seed: number, isReadable: boolean) {
    this.draws = new Draws(seed)
    this.trace = new Trace(isReadable)
    this.yieldRate = this.draws.one(yieldRates)
    this.strikeRate = this.draws.one(strikeRates)
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    if (fiber.currentOpCount < minOperations || !this.draws.isHit(this.yieldRate)) return false
    if (!this.isHealed && this.draws.isHit(this.strikeRate * aim)) this.mark(fiber.getRef(CurrentExposed))
    return true
  }

  makeDispatcher(): Dispatcher {
    return new Dispatcher(this, this.dispatchers++)
  }

  nextDoubleUnsafe(): number {
    return this.draws.fraction()
  }

  nextIntUnsafe(): number {
    return this.draws.bits() * 0x200000 + (this.draws.bits() >>> 11)
  }

  /** Names a fiber in the trace. */
  name(fiber: Fiber.Fiber<unknown, unknown>, name: string): void {
    if (fiber.currentDispatcher instanceof Dispatcher) fiber.currentDispatcher.name = name
    this.tell(`${name} starts`)
  }

  /** Adds a victim. */
  makeExposed(name: string): Exposed {
    return { name: `${name} ${++this.named}`, phases: [] }
  }

  /** Exposes a fiber, or another victim, to the nemesis. */
  expose(victim: Victim): void {
    this.victims.push(victim)
  }

  /** Protects a victim from the nemesis. */
  spare(victim: Victim): void {
    takeAt(this.victims, this.victims.indexOf(victim))
  }

  interrupt(fiber: Fiber.Fiber<unknown, unknown>, { name, phases }: Exposed): void {
    const phase = phases.at(-1) ?? "other"
    this.interrupts.set(phase, (this.interrupts.get(phase) ?? 0) + 1)
    this.struck.add(fiber)
    this.note(`the nemesis interrupts ${name} (${phase})`)
    fiber.interruptUnsafe()
  }

  tell(text: string): void {
    this.trace.lines?.push(`${this.clock.now} ms  step ${this.steps}: ${text}`)
  }

  note(text: string): void {
    this.trace.mixText(text)
    this.tell(text)
  }

  fault(name: string, probability: number): boolean {
    const isHit = !this.isHealed && this.draws.isHit(probability)
    if (isHit) this.occur(name)
    return isHit
  }

  /** Counts a fault that occurs now. */
  occur(name: string): void {
    this.faults.set(name, (this.faults.get(name) ?? 0) + 1)
    this.note(`fault ${name}`)
  }

  leap(millis: number): void {
    this.clock.leap(millis)
    this.note(`the clocks leap by ${millis} ms`)
  }

  violate(property: string, detail: string): void {
    if (this.violations.has(property)) return
    this.violations.set(property, { property, detail })
    // The detail may contain fiber ids or lines of a stack, so it is not part of the hash.
    this.trace.mixText(property)
    this.tell(`VIOLATED ${property}: ${detail}`)
  }

  /** A law is checked after every step, until it is broken once. */
  always(law: Law): void {
    this.laws.push(law)
  }

  /** Runs until the program is done, stuck, or out of steps. */
  execute(start: () => Fiber.Fiber<unknown, unknown>, maxSteps: number): void {
    try {
      this.loop(start(), maxSteps)
    } catch (error) {
      // An observer of a fiber threw, or a law. What an effect throws is in its exit.
      this.violate(properties.succeeds, String(error))
    }
  }

  private loop(main: Fiber.Fiber<unknown, unknown>, maxSteps: number): void {
    for (let exit = main.pollUnsafe();; exit = main.pollUnsafe()) {
      if (exit !== undefined) {
        if (Exit.isFailure(exit)) this.violate(properties.succeeds, Cause.pretty(exit.cause))
        return
      }
      if (this.ready.length === 0 && this.clock.advance()) this.trace.mix(Math.round(this.clock.now * 1000))
      if (this.ready.length === 0) {
        this.violate(
          properties.progresses,
          "The program waits, no fiber can run, and no timer is set. " +
            "It is a deadlock, or it waits for something outside of the simulation: a promise, a real timer, a socket"
        )
        return
      }
      if (this.steps === maxSteps) {
        this.violate(
          properties.ends,
          `After ${maxSteps} steps and ${this.clock.now} virtual ms the program was not done`
        )
        return
      }
      this.steps++
      if (!this.isHealed && (this.marked !== undefined || this.draws.isHit(this.strikeRate))) this.strike()
      this.collector.look()
      this.runOne()
      this.look()
    }
  }

  /** Aims at a fiber that has just yielded, if it, something of it, or something of the program is a victim. */
  private mark(record: Exposed | undefined): void {
    if (record !== undefined || this.victims.some(({ owner }) => owner === undefined)) this.marked = { record }
  }

  /** Strikes its marked victim, or any other that is left. */
  private strike(): void {
    const { marked, victims } = this
    this.marked = undefined
    for (;;) {
      const candidates = marked === undefined
        ? victims
        : victims.filter(({ owner }) => owner === undefined || owner === marked.record)
      const isChoice = candidates.length > 1 || (marked === undefined && candidates.length > 0)
      const victim = candidates[isChoice ? this.draws.below(candidates.length) : 0]
      if (victim === undefined) return
      this.spare(victim)
      if (victim.isOver()) continue
      return victim.strike()
    }
  }

  private runOne(): void {
    const { ready } = this
    const at = this.draws.below(ready.length)
    const task = takeAt(ready, at)
    if (task === undefined) return
    this.trace.mix((at << 16) | ready.length)
    this.trace.mix(task.dispatcher.number)
    if (this.trace.lines !== undefined) {
      const { name, number } = task.dispatcher
      this.tell(`${name ?? `fiber ${number}`} runs, ${ready.length} more are ready`)
    }
    task.run()
  }

  private look(): void {
    for (const { detail, holds, property } of this.laws) {
      if (!this.violations.has(property) && !holds()) this.violate(property, detail?.() ?? "")
    }
  }
}
