/** The answers of the scripts as values, and values as their arguments. */
import * as Effect from "effect/Effect"
import { StoreUnavailable } from "../errors.ts"
import type { Live, Refusal, State } from "../machine.ts"
import type { Expiry } from "../model.ts"
import { Code, stateNames } from "./script.ts"

export type Answer = ReadonlyArray<any>

/** -1 stands for none. */
export const orNone = (value: number | undefined): number => value === undefined ? -1 : Math.max(0, Math.ceil(value))

const optional = (value: number): number | undefined => value < 0 ? undefined : value

export const expiryArgs = ({ absolute, idle }: Expiry): ReadonlyArray<number> => [orNone(idle), orNone(absolute)]

/** A text that may be absent. */
export const text = (value: unknown): string => typeof value === "string" ? value : ""

/** The state in an answer. `until` is when a tombstone ends. */
export const stateOf = ([, numbers, subject, , , , until]: Answer): State => {
  const given = Object.fromEntries(stateNames.map((name, i) => [name, Number(numbers[i])])) as Record<
    typeof stateNames[number],
    number
  >
  const { fence, hasSubject, incarnation, oldest: _oldest, position, version: _version, ...rest } = given
  if (position < 0) return { _tag: "Removed", incarnation, fence, until: Number(until) }
  return {
    _tag: "Live",
    incarnation,
    position,
    fence,
    subject: hasSubject === 1 ? text(subject) : undefined,
    ...rest,
    idle: optional(rest.idle),
    absolute: optional(rest.absolute)
  }
}

/** The state as arguments of `adopt`. */
export const stateArgs = (state: State): ReadonlyArray<number> => {
  const live: Partial<Live> = state._tag === "Live" ? state : {}
  const given: Partial<Record<typeof stateNames[number], number>> = {
    ...live as object,
    version: 1,
    oldest: 1,
    incarnation: state.incarnation,
    position: live.position ?? -1,
    fence: state.fence,
    idle: orNone(live.idle),
    absolute: orNone(live.absolute),
    hasSubject: live.subject === undefined ? 0 : 1
  }
  return stateNames.map((name) => given[name] ?? 0)
}

const conflictTo = (what: unknown): "position" | "view" | "removed" => what as "position" | "view" | "removed"

/** What a script has refused. */
export const refusalIn = ([code, ...rest]: Answer): Refusal | undefined => {
  if (code === Code.stale) return { _tag: "Stale", newest: Number(rest[0]) }
  if (code === Code.tooLarge) return { _tag: "TooLarge", bytes: Number(rest[0]) }
  if (code !== Code.conflict) return undefined
  return {
    _tag: "Conflict",
    what: conflictTo(rest[0]),
    actual: { incarnation: Number(rest[1]), position: Number(rest[2]) }
  }
}

/** Fails if the conversation was written by a release that this one cannot read. */
export const readable = (store: string) => (answer: Answer): Effect.Effect<Answer, StoreUnavailable> =>
  answer[0] === Code.newer
    ? Effect.fail(
      new StoreUnavailable({
        store,
        outcome: "none",
        reason:
          "a newer release has written this conversation in a layout that this one does not know: upgrade this process"
      })
    )
    : Effect.succeed(answer)
