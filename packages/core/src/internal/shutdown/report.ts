/** The report of a whole shutdown, from those of its phases, and its exit code. */
import type * as Duration from "effect/Duration"
import { type PhaseReport, type Report, signals } from "./model.ts"

/** The code to exit with. */
export const exitCode = (
  { failed, interrupted, isAbandoned, signal, stuck }:
    & Pick<Report, "failed" | "interrupted" | "signal" | "stuck">
    & { readonly isAbandoned: boolean }
): number => {
  const bySignal = signal === undefined ? undefined : signals[signal]
  if (isAbandoned) return bySignal ?? 1
  if (failed.length > 0 || stuck.length > 0) return 1
  return interrupted.length > 0 ? bySignal ?? 1 : 0
}

export const assemble = ({ duration, isAbandoned, phases, reason, signal }: {
  readonly reason: string
  readonly signal: Report["signal"]
  readonly duration: Duration.Duration
  readonly phases: ReadonlyArray<PhaseReport>
  readonly isAbandoned: boolean
}): Report => {
  const interrupted = phases.flatMap(({ interrupted }) => interrupted)
  const failed = phases.flatMap(({ failed }) => failed)
  // A session that was stuck in an earlier phase may have been released since.
  const stuck = phases.flatMap(({ phase, stuck }) =>
    phase === "close" ? stuck : stuck.filter(({ id }) => id === undefined)
  )
  return {
    reason,
    signal,
    duration,
    phases,
    ended: phases.reduce((sum, { ended }) => sum + ended, 0),
    interrupted,
    failed,
    forced: phases.flatMap(({ forced }) => forced),
    stuck,
    exitCode: exitCode({ failed, interrupted, isAbandoned, signal, stuck })
  }
}
