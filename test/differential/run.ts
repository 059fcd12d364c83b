/** One run of a program: its result, and what it left. */
import { SessionRegistry, Shutdown } from "@clawback/core"
import { Cause, Clock, Context, Effect, Exit, type Fiber, Layer, Logger, Random, Scheduler, Scope } from "effect"
import { exitOf, type Reason, reasonsOf } from "./exits.ts"
import { Journal } from "./journal.ts"
import { Machine } from "./machine.ts"
import { MemoryServer } from "./memoryServer.ts"
import type { Mode, Program, Running } from "./program.ts"
import type { Wrapper } from "./wrappers.ts"

/** The result of a run. */
export interface Outcome {
  /** How the main fiber ended: `"never"` where it did not. */
  readonly exit: string
  readonly reasons: ReadonlyArray<Reason>
  readonly output: ReadonlyArray<string>
  /** What was not given back exactly once, sessions that are still open, and what else is amiss. */
  readonly amiss: ReadonlyArray<string>
  /** Steps until the main fiber had ended. */
  readonly steps: number
  /** How many sessions were revoked. */
  readonly revoked: number
  /** Virtual milliseconds from the strike, or the start, to that end. */
  readonly took: number
}

export interface Setting {
  readonly program: Program
  readonly wrapper: Wrapper
  readonly mode: Mode
  /** Operations after which a fiber yields. */
  readonly operations: number
  /** When to strike. Default: not at all. */
  readonly step?: number | undefined
}

/** What a revocation says. */
export const revocation = "revoked by the table"

/** A program that takes more than this does not end. */
const maxSteps = 20_000

/** How often nothing may be ready, one time after the other, where a promise may need some turns until something is. */
const patience = 10

/** A fixed sequence: what is random must not differ between two runs. */
const makeRandom = (): Random.Random => {
  let state = 1
  const next = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
  return { nextDoubleUnsafe: next, nextIntUnsafe: () => Math.floor((next() - 0.5) * 2 ** 32) }
}

type Exited<A> = Exit.Exit<A, unknown> | undefined

/** Each `yield` lets promises go on, where the program has any. That is no step. */
type Stepping<A> = Generator<void, A, void>

/** What a run happens in. */
class Course {
  readonly journal: Journal
  readonly server: MemoryServer
  readonly machine: Machine
  readonly base: Context.Context<never>
  private readonly patience: number
  private idle = 0

  constructor({ operations, program, wrapper }: Setting) {
    this.machine = new Machine(operations)
    this.journal = new Journal(wrapper.acquire)
    this.server = new MemoryServer(program.handler)
    this.patience = program.isAsync ? patience : 0
    this.base = Context.empty().pipe(
      Context.add(Scheduler.Scheduler, this.machine),
      Context.add(Clock.Clock, this.machine.clock),
      Context.add(Random.Random, makeRandom()),
      Context.add(Logger.CurrentLoggers, new Set<never>())
    )
  }

  /** Takes a step; false where nothing moves any more. */
  step(): boolean {
    if (!this.machine.runOne()) {
      if (this.idle++ < this.patience) return true
      if (!this.machine.advance()) return false
    }
    this.idle = 0
    return true
  }

  /** Goes on until this is so, or nothing moves any more. */
  *until(isDone: () => boolean): Stepping<void> {
    const last = this.machine.steps + maxSteps
    while (!isDone() && this.machine.steps < last && this.step()) yield
  }

  /** Runs an effect to its end. */
  *complete<A>(context: Context.Context<never>, effect: Effect.Effect<A, unknown>): Stepping<Exited<A>> {
    const fiber = Effect.runForkWith(context)(effect)
    yield* this.until(() => fiber.pollUnsafe() !== undefined)
    return fiber.pollUnsafe()
  }
}

/** How many sessions there are of each kind. */
function* countsIn(course: Course, context: Context.Context<never>): Stepping<ReadonlyMap<string, number>> {
  const counts = yield* course.complete(context, SessionRegistry.counts)
  return new Map(counts !== undefined && Exit.isSuccess(counts) ? Object.entries(counts.value) : [["unknown", 1]])
}

/** What is not as it must be now that a program has ended; `before` counts the sessions that there were when it began. */
function* left(
  course: Course,
  context: Context.Context<never>,
  { probe }: Wrapper,
  before: ReadonlyMap<string, number>
): Stepping<ReadonlyArray<string>> {
  const open = [...yield* countsIn(course, context)].map(([kind, count]) => [kind, count - (before.get(kind) ?? 0)])
  const amiss = [
    ...course.journal.amiss,
    ...course.server.amiss,
    ...open.filter(([, count]) => count !== 0).map(([kind, count]) => `${count} × ${kind} open`)
  ]
  if (probe === undefined) return amiss
  const probed = yield* course.complete(context, Effect.timeout(probe, "1 minute") as Effect.Effect<unknown, unknown>)
  return probed !== undefined && Exit.isSuccess(probed) ? amiss : [...amiss, `what comes after it: ${exitOf(probed)}`]
}

/** A program on its way, and what is done to it. */
class Started {
  readonly main: Fiber.Fiber<unknown, unknown>
  struckAt: number | undefined
  revoked = 0
  /** Who does something to it. */
  readonly others: Array<Fiber.Fiber<unknown, unknown>> = []
  private readonly fork: (effect: Effect.Effect<unknown, unknown>) => Fiber.Fiber<unknown, unknown>
  private readonly running: Running
  private readonly setting: Setting
  private readonly course: Course

  constructor(course: Course, context: Context.Context<never>, setting: Setting) {
    const { journal, server } = course
    const { mode, program, wrapper } = setting
    this.course = course
    this.setting = setting
    this.fork = Effect.runForkWith(context)
    this.running = program.make({ journal, server, wrap: wrapper, say: journal.say, hold: journal.hold }, mode)
    this.main = this.fork(this.running.main as Effect.Effect<unknown, unknown>)
  }

  strike(): void {
    const { mode, wrapper } = this.setting
    const { strike } = this.running
    this.struckAt = this.course.machine.clock.now
    if (mode === "revoke") {
      const revoke = SessionRegistry.revoke(wrapper.revokes ?? {}, { reason: revocation, deadline: "50 millis" })
      this.others.push(this.fork(Effect.map(revoke, ({ revoked }) => {
        this.revoked = revoked.length
      })))
    } else if (strike === "interrupt") this.main.interruptUnsafe()
    else this.others.push(this.fork(strike))
  }

  /** What has to be done in the end where nothing was done to it. */
  close(): void {
    const { after } = this.running
    if (after !== undefined && this.struckAt === undefined) this.others.push(this.fork(after))
  }

  /**
   * Its exit, and what those died of who did something to it: whether a reader is told of what a stream died of or
   * whoever closes the scope, somebody is.
   */
  get exit(): Exited<unknown> {
    const exit = this.main.pollUnsafe()
    const told = this.others.flatMap((fiber) => {
      const exit = fiber.pollUnsafe()
      return exit !== undefined && Exit.isFailure(exit) ? exit.cause.reasons : []
    })
    if (exit === undefined || told.length === 0) return exit
    return Exit.failCause(Cause.fromReasons([...Exit.isFailure(exit) ? exit.cause.reasons : [], ...told]))
  }
}

/** The run, one step at a time. */
function* stepping(setting: Setting): Stepping<Outcome> {
  const { program, step, wrapper } = setting
  const course = new Course(setting)
  const { base, journal, machine } = course
  const scope = Scope.makeUnsafe()
  const layers = Layer.provideMerge(wrapper.layer(course), Layer.mergeAll(SessionRegistry.layer(), Shutdown.layer()))
  const built = yield* course.complete(base, Layer.buildWithScope(layers, scope))
  if (built === undefined || Exit.isFailure(built)) {
    throw new Error(`${program.name}: nothing to run it in: ${exitOf(built)}`)
  }
  const context = Context.merge(base, built.value)
  const before = yield* countsIn(course, context)

  const begun = machine.steps
  const startedAt = machine.clock.now
  const started = new Started(course, context, setting)
  const { main } = started
  const isEnded = () => main.pollUnsafe() !== undefined
  if (step !== undefined) {
    yield* course.until(() => isEnded() || machine.steps - begun >= step)
    if (!isEnded()) started.strike()
  }
  yield* course.until(isEnded)
  const isOver = isEnded()
  const steps = machine.steps - begun
  const took = machine.clock.now - (started.struckAt ?? startedAt)
  started.close()

  // What is left goes on until nothing moves any more.
  yield* course.until(() => false)
  const output = [...journal.output, ...machine.crashes]
  const { exit } = started
  const amiss = started.others.some((fiber) => fiber.pollUnsafe() === undefined)
    ? ["what was done to it never ends"]
    : []
  if (steps >= maxSteps) amiss.push(`it is not done after ${steps} steps`)
  // One that waits for ever holds what it holds.
  if (isOver) amiss.push(...yield* left(course, context, wrapper, before))
  else main.interruptUnsafe()
  const closed = yield* course.complete(base, Scope.close(scope, Exit.void))
  if (isOver && closed === undefined) amiss.push("what it ran in never closes")
  return { exit: exitOf(exit), reasons: reasonsOf(exit), output, amiss, steps, revoked: started.revoked, took }
}

/** Runs a program to its end, and on until nothing moves any more. */
export const run = (setting: Setting): Outcome => {
  const steps = stepping(setting)
  for (;;) {
    const next = steps.next()
    if (next.done === true) return next.value
  }
}

/** The same for one that meets promises. */
export const runAsync = async (setting: Setting): Promise<Outcome> => {
  const steps = stepping(setting)
  for (;;) {
    const next = steps.next()
    if (next.done === true) return next.value
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
}
