/** Compares what a wrapped program does with what Effect alone does with it. */
import { Deadline, SessionError, Timeouts } from "@clawback/core"
import type { Mode, Program } from "./program.ts"
import { Interrupted, type Outcome, revocation, run, runAsync } from "./run.ts"
import type { Wrapper } from "./wrappers.ts"

export interface Difference {
  readonly program: string
  readonly wrapper: string
  readonly mode: Mode
  readonly operations: number
  /** None where the program was left alone. */
  readonly step: number | undefined
  readonly what: string
}

/** How much is tried. */
export interface Effort {
  readonly operations: ReadonlyArray<number>
  /** Of the steps of a run, one in so many is struck at. */
  readonly every: number
}

/** A difference that is meant to be. */
interface Declared {
  readonly difference: string
  readonly reason: string
  readonly matches: (error: unknown, mode: Mode, canHang: boolean) => boolean
}

const closed = "its scope was closed"

export const declared: ReadonlyArray<Declared> = [
  {
    difference: `SessionRevoked: ${closed}`,
    reason: "Effect goes on with what its scope has given back, or waits for ever; we end it, and say why",
    matches: (error, mode) => mode === "close" && error instanceof SessionError.SessionRevoked && error.reason === closed
  },
  {
    difference: "SessionRevoked: by an operator",
    reason: "Effect has nobody who could take a session back",
    matches: (error, mode) =>
      mode === "revoke" && error instanceof SessionError.SessionRevoked && error.reason === revocation
  },
  {
    difference: "FirstTokenTimeout, IdleTimeout, DeadlineExceeded: an hour has passed",
    reason: "Effect waits for ever",
    matches: (error, _, canHang) =>
      canHang && (error instanceof Timeouts.FirstTokenTimeout || error instanceof Timeouts.IdleTimeout ||
        error instanceof Deadline.DeadlineExceeded)
  }
]

/** What Effect alone can do with a program, in one mode, over all steps at which it is struck. */
class Plain {
  /** Left alone. */
  readonly whole = new Set<string>()
  /** Struck at any step, or left alone. */
  readonly all = new Set<string>()
  readonly outputs = new Set<string>()
  readonly amiss = new Set<string>()
  canHang = false
  took = 0

  add(outcome: Outcome, isWhole: boolean): void {
    const key = keyOf(outcome)
    if (isWhole) this.whole.add(key)
    this.all.add(key)
    this.outputs.add(outcome.output.join("\n"))
    this.amiss.add(outcome.amiss.join())
    if (outcome.exit === "never") this.canHang = true
    else this.took = Math.max(this.took, outcome.took)
  }
}

const keyOf = ({ exit, output }: Outcome) => JSON.stringify([exit, output])

type Run = (program: Program, wrapper: Wrapper, mode: Mode, operations: number, step?: number) => Promise<Outcome>

const runOne: Run = async (program, wrapper, mode, operations, step) => {
  const setting = { program, wrapper, mode, operations, step }
  return program.isAsync ? runAsync(setting) : run(setting)
}

/** Each step of a run that took so many, or one in some of them: the first, the last, and those in between. */
const stepsOf = (count: number, every: number): ReadonlyArray<number> => {
  const steps: Array<number> = []
  for (let step = 0; step < count; step += every) steps.push(step)
  return [...steps, count]
}

/** What plain Effect does is looked at as closely as can be, however little is tried of ours. */
const plainOperations = [3, 4, 5, 7, 2048]

const plainOf = async (program: Program, wrapper: Wrapper, mode: Mode): Promise<Plain> => {
  const plain = new Plain()
  // Effect has nobody who revokes: what it can do is what it does when it is interrupted.
  const plainMode = mode === "revoke" ? "interrupt" : mode
  for (const oracle of wrapper.oracles) {
    for (const operations of plainOperations) {
      const whole = await runOne(program, oracle, plainMode, operations)
      plain.add(whole, true)
      for (let step = 0; step <= whole.steps; step++) {
        plain.add(await runOne(program, oracle, plainMode, operations, step), false)
      }
    }
  }
  return plain
}

/** What Effect alone does is the same for all of ours, and so is looked at once. */
export class Comparison {
  runs = 0
  readonly differences: Array<Difference> = []
  readonly counts = new Map<string, number>()
  private readonly known = new Map<string, Promise<Plain>>()

  private plain(program: Program, wrapper: Wrapper, mode: Mode): Promise<Plain> {
    const key = [program.name, mode, ...wrapper.oracles.map(({ name }) => name)].join("|")
    const known = this.known.get(key) ?? plainOf(program, wrapper, mode)
    this.known.set(key, known)
    return known
  }

  /** Runs a pair in all its modes. */
  async pair(program: Program, wrapper: Wrapper, effort: Effort): Promise<void> {
    for (const mode of program.modes) {
      if (mode === "revoke" && !wrapper.isRevocable) continue
      if (mode === "close" && wrapper.around === "effect" && program.form === "stream") continue
      for (const operations of effort.operations) {
        const steps = await this.one(program, wrapper, mode, operations, undefined)
        for (const step of stepsOf(steps, effort.every)) await this.one(program, wrapper, mode, operations, step)
      }
    }
  }

  /** One run, compared. Tells how many steps it took. */
  async one(
    program: Program,
    wrapper: Wrapper,
    mode: Mode,
    operations: number,
    step: number | undefined
  ): Promise<number> {
    const plain = await this.plain(program, wrapper, mode)
    const outcome = await runOne(program, wrapper, mode, operations, step)
    this.runs++
    const say = (what: string) =>
      this.differences.push({ program: program.name, wrapper: wrapper.name, mode, operations, step, what })
    const amiss = outcome.amiss.join()
    if (amiss !== "" && !plain.amiss.has(amiss)) say(`amiss: ${amiss}`)
    const isKnown = (step === undefined ? plain.whole : plain.all).has(keyOf(outcome))
    if (isKnown) {
      if (outcome.exit !== "never" && outcome.took > plain.took + wrapper.slack) {
        say(`it took ${outcome.took} ms, and plain at most ${plain.took} ms`)
      }
      return outcome.steps
    }
    const meant = this.meant(outcome, mode, plain, step)
    if (meant === undefined) {
      say(`${outcome.exit} after [${outcome.output.join(", ")}]; plain: ${[...plain.whole].join(" or ")}`)
    } else this.counts.set(meant, (this.counts.get(meant) ?? 0) + 1)
    return outcome.steps
  }

  private meant(outcome: Outcome, mode: Mode, plain: Plain, step: number | undefined): string | undefined {
    if (step === undefined && !plain.canHang) return undefined
    if (!plain.outputs.has(outcome.output.join("\n"))) return undefined
    const own = outcome.errors.filter((error) => error !== Interrupted)
    return declared.find(({ matches }) => own.length > 0 && own.every((error) => matches(error, mode, plain.canHang)))
      ?.difference
  }
}
