/** One run of a program: what came of it, and what it left. */
import { SessionRegistry, Shutdown } from "@clawback/core"
import { Cause, Clock, Context, Effect, Exit, type Fiber, Layer, Logger, Random, Scheduler, Scope } from "effect"
import { HttpServerResponse } from "effect/http"
import { Journal, show } from "./journal.ts"
import { Machine } from "./machine.ts"
import { MemoryServer } from "./memoryServer.ts"
import type { Mode, Program } from "./program.ts"
import type { Wrapper } from "./wrappers.ts"

/** One reason why a fiber did not succeed. */
export interface Reason {
  readonly tag: "Fail" | "Die" | "Interrupt"
  readonly error: unknown
  readonly text: string
}

/** What came of a run. */
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

/** A program that takes more than this does not end. */
const maxSteps = 20_000

const nameOf = (error: unknown): string =>
  error instanceof Error ? `${"_tag" in error ? String(error._tag) : error.name} ${error.message}`.trim() : show(error)

const reasonOf = (reason: Cause.Reason<unknown>): Reason =>
  reason._tag === "Interrupt"
    ? { tag: reason._tag, error: undefined, text: "interrupted" }
    : reason._tag === "Fail"
    ? { tag: reason._tag, error: reason.error, text: `failed: ${nameOf(reason.error)}` }
    : { tag: reason._tag, error: reason.defect, text: `died: ${nameOf(reason.defect)}` }

/** Why it ended, each reason once, always in the same order. */
const reasonsOf = (exit: Exit.Exit<unknown, unknown> | undefined): ReadonlyArray<Reason> => {
  if (exit === undefined || Exit.isSuccess(exit)) return []
  // What a handler answered with that failed is no reason why.
  const reasons = exit.cause.reasons.filter((reason) =>
    reason._tag !== "Die" || !HttpServerResponse.isHttpServerResponse(reason.defect)
  )
  const byText = new Map(reasons.map(reasonOf).map((reason) => [reason.text, reason]))
  return [...byText.values()].toSorted((one, other) => one.text < other.text ? -1 : 1)
}

const exitOf = (exit: Exit.Exit<unknown, unknown> | undefined): string =>
  exit === undefined
    ? "never"
    : Exit.isSuccess(exit)
    ? `succeeded: ${show(exit.value)}`
    : reasonsOf(exit).map(({ text }) => text).join(" + ")

/** A fixed sequence: what is random must not differ between two runs. */
const makeRandom = (): Random.Random => {
  let state = 1
  const next = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647
  return { nextDoubleUnsafe: next, nextIntUnsafe: () => Math.floor((next() - 0.5) * 2 ** 32) }
}

/**
 * The run, one step at a time. Each `yield` lets promises go on, where the program has any: they are no part of the
 * steps, so a wait for one is a step that does nothing.
 */
function* steps({ mode, operations, program, step, wrapper }: Setting): Generator<void, Outcome, void> {
  const machine = new Machine(operations)
  const journal = new Journal(wrapper.acquire)
  const server = new MemoryServer(program.handler)
  const base = Context.empty().pipe(
    Context.add(Scheduler.Scheduler, machine),
    Context.add(Clock.Clock, machine.clock),
    Context.add(Random.Random, makeRandom()),
    Context.add(Logger.CurrentLoggers, new Set<never>())
  )
  /** How often nothing was ready, one after the other. A promise may need some turns until something is. */
  const patience = program.isAsync ? 10 : 0
  let idle = 0

  const isStuck = () => {
    if (machine.runOne()) {
      idle = 0
      return false
    }
    if (idle++ < patience) return false
    if (machine.advance()) {
      idle = 0
      return false
    }
    return true
  }

  /** Runs a fiber to its end, or until nothing moves any more. */
  function* drain<A, E>(fiber: Fiber.Fiber<A, E>): Generator<void, Exit.Exit<A, E> | undefined, void> {
    const last = machine.steps + maxSteps
    while (fiber.pollUnsafe() === undefined && machine.steps < last) {
      if (isStuck()) break
      yield
    }
    return fiber.pollUnsafe()
  }

  const scope = Scope.makeUnsafe()
  const layers = wrapper.layer({ journal, server }).pipe(
    Layer.provideMerge(Layer.mergeAll(SessionRegistry.layer(), Shutdown.layer()))
  )
  const built = yield* drain(Effect.runForkWith(base)(Layer.buildWithScope(layers, scope)))
  if (built === undefined || Exit.isFailure(built)) {
    throw new Error(`${program.name}: nothing to run it in: ${exitOf(built)}`)
  }
  const context = Context.merge(base, built.value)
  const runFork = Effect.runForkWith(context)

  /** Open sessions, but for those that the layers hold. */
  const counts = function*() {
    const counted = yield* drain(runFork(SessionRegistry.counts))
    const open = counted !== undefined && Exit.isSuccess(counted) ? counted.value : { unknown: 1 }
    return Object.entries(open).map(([kind, count]) => [kind, count - (held.get(kind) ?? 0)] as const)
      .filter(([, count]) => count !== 0)
  }
  const held = new Map<string, number>()
  for (const [kind, count] of yield* counts()) held.set(kind, count)
  const { after, main, strike } = program.make(
    { journal, server, wrap: wrapper, say: journal.say, hold: journal.hold },
    mode
  )
  const revoke = SessionRegistry.revoke(wrapper.revokes ?? {}, { reason: revocation, deadline: "50 millis" })
  const begun = machine.steps
  const startedAt = machine.clock.now
  let struckAt: number | undefined
  let revoked = 0
  const fiber = runFork(main as Effect.Effect<unknown, unknown>)
  const amiss: Array<string> = []
  const side: Array<readonly [string, Fiber.Fiber<unknown, unknown>]> = []
  const hit = () => {
    struckAt = machine.clock.now
    if (mode === "revoke") {
      const counted = Effect.map(revoke, (revocation) => {
        revoked = revocation.revoked.length
      })
      side.push(["the revocation", runFork(counted)])
    } else if (strike === "interrupt") fiber.interruptUnsafe()
    else side.push(["the strike", runFork(strike)])
  }

  for (;;) {
    if (struckAt === undefined && step !== undefined && machine.steps - begun >= step) hit()
    if (fiber.pollUnsafe() !== undefined || machine.steps - begun > maxSteps) break
    if (isStuck()) {
      if (struckAt !== undefined || step === undefined) break
      hit()
    }
    yield
  }
  const ended = machine.steps - begun
  const took = machine.clock.now - (struckAt ?? startedAt)
  const exit = fiber.pollUnsafe()
  if (after !== undefined && struckAt === undefined) side.push(["the end", runFork(after)])
  if (exit === undefined && machine.steps - begun > maxSteps) amiss.push(`it is not done after ${maxSteps} steps`)

  // What is left goes on until nothing moves any more.
  const last = machine.steps + maxSteps
  while (machine.steps < last && !isStuck()) yield
  const output = [...journal.output, ...machine.crashes]
  const told: Array<Cause.Reason<unknown>> = []
  for (const [name, one] of side) {
    const exit = one.pollUnsafe()
    if (exit === undefined) amiss.push(`${name} never ends`)
    else if (Exit.isFailure(exit)) told.push(...exit.cause.reasons)
  }
  // One that waits for ever holds what it holds.
  if (exit !== undefined) {
    amiss.push(...journal.amiss, ...server.amiss)
    for (const [kind, count] of yield* counts()) amiss.push(`${count} × ${kind} open`)
    if (wrapper.probe !== undefined) {
      const probed = yield* drain(runFork(Effect.timeout(wrapper.probe, "1 minute") as Effect.Effect<unknown, unknown>))
      if (probed === undefined || Exit.isFailure(probed)) amiss.push(`what comes after it: ${exitOf(probed)}`)
    }
  }
  if (exit === undefined) fiber.interruptUnsafe()
  const torn = yield* drain(Effect.runForkWith(base)(Scope.close(scope, Exit.void)))
  if (torn === undefined && exit !== undefined) amiss.push("what it ran in never closes")
  // Whether what something died of is told to its reader or to whoever closes its scope, it is told.
  const all = exit === undefined || told.length === 0
    ? exit
    : Exit.failCause(Cause.fromReasons([...Exit.isFailure(exit) ? exit.cause.reasons : [], ...told]))
  return { exit: exitOf(all), reasons: reasonsOf(all), output, amiss, steps: ended, revoked, took }
}

/** What a revocation says. */
export const revocation = "revoked by the table"

/** Runs a program to its end, and on until nothing moves any more. */
export const run = (setting: Setting): Outcome => {
  const running = steps(setting)
  for (;;) {
    const next = running.next()
    if (next.done === true) return next.value
  }
}

/** The same for one that meets promises. */
export const runAsync = async (setting: Setting): Promise<Outcome> => {
  const running = steps(setting)
  for (;;) {
    const next = running.next()
    if (next.done === true) return next.value
    await new Promise<void>((resolve) => setImmediate(resolve))
  }
}
