/** What plain Effect can do with a program, over all steps at which it is struck. Computed as far as needed. */
import type { Mode, Program } from "./program.ts"
import { type Outcome, run, runAsync, type Setting } from "./run.ts"
import type { Wrapper } from "./wrappers.ts"

export const runOne = async (setting: Setting): Promise<Outcome> =>
  setting.program.isAsync ? runAsync(setting) : run(setting)

const operationsOfPlain = [2048, 4, 3, 5, 7]

/** All from 0 to a number, those far apart first. */
const spread = (count: number): ReadonlyArray<number> => {
  const steps = new Set<number>()
  for (let stride = 32; stride >= 1; stride /= 2) {
    for (let step = 0; step <= count; step += stride) steps.add(step)
  }
  return [...steps]
}

/** Outcomes that are made one after the other, until one is what is asked for. */
class Outcomes {
  private readonly known: Array<Outcome> = []
  private readonly rest: AsyncGenerator<Outcome>

  constructor(rest: AsyncGenerator<Outcome>) {
    this.rest = rest
  }

  get all(): ReadonlyArray<Outcome> {
    return this.known
  }

  async some(matches: (outcome: Outcome) => boolean): Promise<boolean> {
    if (this.known.some(matches)) return true
    for (let next = await this.rest.next(); next.done !== true; next = await this.rest.next()) {
      // What it says will do: an error may hold on to all that there was.
      const reasons = next.value.reasons.map(({ tag, text }) => ({ tag, text, error: undefined }))
      const outcome = { ...next.value, reasons }
      this.known.push(outcome)
      if (matches(outcome)) return true
    }
    return false
  }
}

export class Plain {
  private readonly whole: Outcomes
  private readonly struck: Outcomes

  constructor(program: Program, { oracles }: Wrapper, mode: Mode) {
    const settings = oracles.flatMap((wrapper) =>
      operationsOfPlain.map((operations) => ({ program, wrapper, mode, operations }))
    )
    this.whole = new Outcomes((async function*() {
      for (const setting of settings) yield await runOne(setting)
    })())
    this.struck = new Outcomes((async function*() {
      for (const setting of settings) {
        const { steps } = await runOne(setting)
        for (const step of spread(steps)) yield await runOne({ ...setting, step })
      }
    })())
  }

  /** What it did where it was left alone, as far as it was looked at. */
  get seen(): ReadonlyArray<Outcome> {
    return this.whole.all
  }

  /** Whether it can do what is asked for, left alone. */
  canAlone(matches: (outcome: Outcome) => boolean): Promise<boolean> {
    return this.whole.some(matches)
  }

  /** Whether it can when it is struck at some step. */
  canWhenStruck(matches: (outcome: Outcome) => boolean): Promise<boolean> {
    return this.struck.some(matches)
  }

  /** Whether it can, the one way or the other. */
  async can(matches: (outcome: Outcome) => boolean): Promise<boolean> {
    return await this.whole.some(matches) || this.struck.some(matches)
  }
}
