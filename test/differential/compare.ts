/** Compares a wrapped program with the same program on plain Effect. */
import { type Declared, declared, revoked } from "./declared.ts"
import type { Reason } from "./exits.ts"
import { Plain, runOne } from "./plain.ts"
import type { Mode, Program } from "./program.ts"
import type { Outcome, Setting } from "./run.ts"
import { plain, type Wrapper } from "./wrappers.ts"

export interface Difference {
  readonly program: string
  readonly wrapper: string
  readonly mode: Mode
  readonly operations: number
  /** None where the program was left alone. */
  readonly step: number | undefined
  /** `held`: something was not given back, or given back more than once. */
  readonly kind: "outcome" | "held"
  readonly what: string
}

/** How much is tried. */
export interface Effort {
  readonly operations: ReadonlyArray<number>
  /** How many steps of a run are struck at. */
  readonly steps: number
}

/** So many steps of a run, from the first to the last; which ones depends on whose turn it is. */
const stepsOf = (count: number, wanted: number, turn: number): ReadonlyArray<number> => {
  if (count < wanted) return Array.from({ length: count + 1 }, (_, step) => step)
  const stride = (count + 1) / wanted
  const shift = (turn * 0.618_034 % 1) * stride
  return Array.from({ length: wanted }, (_, i) => Math.floor(i * stride + shift))
}

/** Whether two said the same. */
const isSameText = (one: ReadonlyArray<string>, other: ReadonlyArray<string>) =>
  one.length === other.length && one.every((line, i) => line === other[i])

const texts = (reasons: ReadonlyArray<Reason>) =>
  reasons.filter(({ tag }) => tag !== "Interrupt").map(({ text }) => text).join()

/** As a server says it. */
const answeredRevoked = `"type":"SessionRevoked"`

/** The declared difference that an outcome tells of. */
const oursOf = ({ output, reasons }: Outcome, mode: Mode): Declared | undefined =>
  mode === "revoke" && output.some((line) => line.includes(answeredRevoked))
    ? revoked
    : declared.find((one) => reasons.some((reason) => isOf(one, reason, mode)))

const isOf = ({ matches }: Declared, { error, tag }: Reason, mode: Mode) => tag === "Fail" && matches(error, mode)

const isInterrupted = ({ reasons }: Outcome) => reasons.some(({ tag }) => tag === "Interrupt")

/**
 * Whether a declared difference is all that differs: errors of ours stand where Effect alone says that it was interrupted,
 * or where it would still be waiting. What else went wrong must be what goes wrong there, too.
 */
const isMeant = async (
  meant: Declared,
  outcome: Outcome,
  mode: Mode,
  plain: Plain,
  interrupted: Plain
): Promise<boolean> => {
  const { reasons } = outcome
  const answered = withoutAnswer(outcome.output)
  // Who was not interrupted himself is not told that he was, unless something of his that lives in the scope was.
  if (mode === "revoke" && isInterrupted(outcome)) return false
  if (mode === "close" && isInterrupted(outcome) && !(await plain.can(isInterrupted))) return false
  if (reasons.length === 0 && answered.length === outcome.output.length) return false
  const others = texts(reasons.filter((reason) => !declared.some((one) => isOf(one, reason, mode))))
  if (meant.insteadOfWaiting && !(await plain.can(({ exit }) => exit === "never"))) return false
  const isAlike = (other: Outcome) =>
    isSameText(answered, withoutAnswer(other.output)) && texts(other.reasons) === others
  // Where Effect alone goes on, ours has ended before.
  const isEarlier = (other: Outcome) =>
    isSameText(answered, withoutAnswer(other.output.slice(0, answered.length))) && texts(other.reasons) === others
  return await interrupted.can(isAlike) || interrupted !== plain && await plain.can(isEarlier)
}

/** What was said but for what a server answered whose request was cut short. */
const withoutAnswer = (output: ReadonlyArray<string>): ReadonlyArray<string> => {
  const at = output.findIndex((line, i) =>
    output[i - 1] === "503" && (line === "Empty" || line.includes(answeredRevoked))
  )
  return at < 0 ? output : output.toSpliced(at - 1, 2)
}

const applies = (mode: Mode, { form }: Program, wrapper: Wrapper): boolean =>
  mode === "revoke"
    ? wrapper.revokes !== undefined
    // Who reads a stream in somebody else's scope is no effect to wrap.
    : mode === "interrupt" || form !== "stream" || wrapper.effect === plain.effect

/** What Effect alone does is the same for all of ours, and so is looked at once. */
export class Comparison {
  runs = 0
  readonly differences: Array<Difference> = []
  readonly counts = new Map<Declared, number>()
  private readonly known = new Map<string, Plain>()

  private plain(program: Program, wrapper: Wrapper, mode: Mode): Plain {
    // Effect has nobody who revokes: what it can do is what it does when it is interrupted.
    const plainMode = mode === "revoke" ? "interrupt" : mode
    const key = [program.name, plainMode, ...wrapper.oracles.map(({ name }) => name)].join("|")
    const known = this.known.get(key) ?? new Plain(program, wrapper, plainMode)
    this.known.set(key, known)
    return known
  }

  /** Runs a pair, left alone and in all its modes. */
  async pair(program: Program, wrapper: Wrapper, effort: Effort): Promise<void> {
    for (const operations of effort.operations) {
      const setting = { program, wrapper, operations }
      const alone = await this.one({ ...setting, mode: "interrupt" })
      for (const mode of program.modes) {
        if (!applies(mode, program, wrapper)) continue
        // Only who works in somebody else's scope works in another way.
        const count = mode === "close" && effort.steps > 1 ? await this.one({ ...setting, mode }) : alone
        for (const step of stepsOf(count, effort.steps, this.runs)) await this.one({ ...setting, mode, step })
      }
    }
  }

  /** One run, compared. Tells how many steps it took. */
  async one(setting: Setting): Promise<number> {
    const { mode, operations, program, step, wrapper } = setting
    const effect = this.plain(program, wrapper, mode)
    // One whose scope is closed under it may end where one ends that is interrupted.
    const interrupted = mode === "close" ? this.plain(program, wrapper, "interrupt") : effect
    const outcome = await runOne(setting)
    this.runs++
    const say = (what: string, kind: Difference["kind"] = "outcome") =>
      void this.differences.push({ program: program.name, wrapper: wrapper.name, mode, operations, step, kind, what })

    const amiss = outcome.amiss.join()
    if (amiss !== "" && !(await effect.can((other) => other.amiss.join() === amiss))) {
      say(`at the end: ${amiss}`, "held")
    }
    // A revocation may come when there is nothing to revoke.
    const isStruck = step !== undefined && (mode !== "revoke" || outcome.revoked > 0)
    const isStuck = isStruck && outcome.exit === "never"
    const mayBeStuck = isStuck && !(mode === "close" && wrapper.endsWithItsScope) &&
      await effect.canWhenStruck(({ exit }) => exit === "never")
    if (isStuck && !mayBeStuck) {
      say(`it waits for ever, after [${outcome.output.join(", ")}]`)
      return outcome.steps
    }
    const ours = oursOf(outcome, mode)
    const isSame = (other: Outcome) => other.exit === outcome.exit && isSameText(other.output, outcome.output)
    // What tells of ours is nothing that Effect alone can do, so that need not be looked for. Nor is what work died of that
    // was revoked, which hides why it ended.
    const isOnlyDead = mode === "revoke" && outcome.reasons.length > 0 &&
      outcome.reasons.every(({ tag }) => tag === "Die")
    const isPlain = ours === undefined && (await effect.canAlone(isSame) ||
      step !== undefined && !isOnlyDead && await effect.canWhenStruck(isSame))
    if (isPlain) {
      const isSlower = (other: Outcome) => other.exit !== "never" && outcome.took <= other.took + wrapper.slack
      if (outcome.exit !== "never" && !(await effect.can(isSlower))) say(`it took ${outcome.took} ms`)
      return outcome.steps
    }
    const meant = ours ?? (mode === "revoke" ? revoked : undefined)
    if (meant === undefined || !(await isMeant(meant, outcome, mode, effect, interrupted))) {
      const expected = [...new Set(effect.seen.map(({ exit, output }) => `${exit} after [${output.join(", ")}]`))]
      say(`${outcome.exit} after [${outcome.output.join(", ")}]; left alone, plain Effect: ${expected.join(" or ")}`)
    } else this.counts.set(meant, (this.counts.get(meant) ?? 0) + 1)
    return outcome.steps
  }
}
