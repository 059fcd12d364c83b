/** What Effect alone can do with a program, over all steps at which it is struck. Looked at as far as anybody asks. */
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

export class Plain {
  /** Left alone. */
  readonly whole: ReadonlyArray<Outcome>
  private readonly struck: Array<Outcome> = []
  private readonly rest: AsyncGenerator<Outcome>

  private constructor(whole: ReadonlyArray<Outcome>, rest: AsyncGenerator<Outcome>) {
    this.whole = whole
    this.rest = rest
  }

  static async of(program: Program, { oracles }: Wrapper, mode: Mode): Promise<Plain> {
    // Effect has nobody who revokes: what it can do is what it does when it is interrupted.
    const settings = oracles.flatMap((wrapper) =>
      operationsOfPlain.map((operations) => ({
        program,
        wrapper,
        mode: mode === "revoke" ? "interrupt" as const : mode,
        operations
      }))
    )
    const whole: Array<Outcome> = []
    for (const setting of settings) whole.push(await runOne(setting))
    const rest = async function*() {
      for (const [i, setting] of settings.entries()) {
        for (const step of spread(whole[i]?.steps ?? 0)) yield await runOne({ ...setting, step })
      }
    }
    return new Plain(whole, rest())
  }

  /** Whether it can do what is asked for, struck at some step or left alone. */
  async can(matches: (outcome: Outcome) => boolean): Promise<boolean> {
    return this.whole.some(matches) || this.canWhenStruck(matches)
  }

  /** Whether it can when it is struck at some step. */
  async canWhenStruck(matches: (outcome: Outcome) => boolean): Promise<boolean> {
    if (this.struck.some(matches)) return true
    for (let next = await this.rest.next(); next.done !== true; next = await this.rest.next()) {
      this.struck.push(next.value)
      if (matches(next.value)) return true
    }
    return false
  }
}
