/** Exits as texts: equal for equal reasons, in any order and number. */
import { type Cause, Exit } from "effect"
import { HttpServerResponse } from "effect/http"
import { show } from "./journal.ts"

/** One reason why a fiber did not succeed. */
export interface Reason {
  readonly tag: "Fail" | "Die" | "Interrupt"
  readonly error: unknown
  readonly text: string
}

const nameOf = (error: unknown): string =>
  error instanceof Error ? `${"_tag" in error ? String(error._tag) : error.name} ${error.message}`.trim() : show(error)

const reasonOf = (reason: Cause.Reason<unknown>): Reason => {
  switch (reason._tag) {
    case "Interrupt":
      return { tag: reason._tag, error: undefined, text: "interrupted" }
    case "Fail":
      return { tag: reason._tag, error: reason.error, text: `failed: ${nameOf(reason.error)}` }
    case "Die":
      return { tag: reason._tag, error: reason.defect, text: `died: ${nameOf(reason.defect)}` }
  }
}

/** Why it ended, each reason once, always in the same order. */
export const reasonsOf = (exit: Exit.Exit<unknown, unknown> | undefined): ReadonlyArray<Reason> => {
  if (exit === undefined || Exit.isSuccess(exit)) return []
  // What a handler answered with that failed is no reason why.
  const reasons = exit.cause.reasons.filter((reason) =>
    reason._tag !== "Die" || !HttpServerResponse.isHttpServerResponse(reason.defect)
  )
  const byText = new Map(reasons.map(reasonOf).map((reason) => [reason.text, reason]))
  return [...byText.values()].toSorted((one, other) => one.text < other.text ? -1 : 1)
}

/** `"never"` where there is none. */
export const exitOf = (exit: Exit.Exit<unknown, unknown> | undefined): string => {
  if (exit === undefined) return "never"
  if (Exit.isSuccess(exit)) return `succeeded: ${show(exit.value)}`
  return reasonsOf(exit).map(({ text }) => text).join(" + ")
}
