/** What a shutdown came to: what ended, what was cut short, what is stuck, and the code to exit with. */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import type { Phase } from "./internal/shutdown/machine.ts"
import * as Time from "./internal/time/format.ts"

export type { Phase, State } from "./internal/shutdown/machine.ts"

/** What Node can be told to stop by, with the exit code of a process that it cut short: 128 and the signal's number. */
export const signals = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143, SIGBREAK: 149 } as const

export type Signal = keyof typeof signals

/** Something that is, or was, in the way: a finalizer, or a session. */
export interface Held {
  /** A session's own kind, or `"finalizer"`. */
  readonly kind: string
  readonly name: string
  /** The session's id. */
  readonly id: number | undefined
  /** Since it was registered or opened. */
  readonly age: Duration.Duration
  /** Where in the code it was registered or opened, if it was this one's turn to be sampled. */
  readonly site: string | undefined
}

export interface Failure {
  readonly finalizer: Held
  readonly cause: Cause.Cause<unknown>
}

/** What one phase came to. */
export interface PhaseReport {
  readonly phase: Phase
  readonly duration: Duration.Duration
  /** `"skipped"` where a second or third request ended it, or kept it from beginning. */
  readonly outcome: "completed" | "overran" | "skipped"
  /** Pieces of admitted work that ended by themselves in it. */
  readonly ended: number
  /** Finalizers that succeeded. */
  readonly finished: ReadonlyArray<Held>
  /** Finalizers that failed. */
  readonly failed: ReadonlyArray<Failure>
  /** Work that did not come to its end since it was told to stop, admitted or not, and finalizers of the drain whose time ran out. */
  readonly interrupted: ReadonlyArray<Held>
  /** Sessions that were released under users who did not let go. */
  readonly forced: ReadonlyArray<Held>
  /** Finalizers that did not end in time or were never begun, and sessions that could not even be released. */
  readonly stuck: ReadonlyArray<Held>
}

export interface Report {
  /** Who asked first, and why. */
  readonly reason: string
  /** The first signal, or the one that abandoned it; if there was one. */
  readonly signal: Signal | undefined
  readonly duration: Duration.Duration
  readonly phases: ReadonlyArray<PhaseReport>
  readonly ended: number
  readonly interrupted: ReadonlyArray<Held>
  readonly failed: ReadonlyArray<Failure>
  readonly forced: ReadonlyArray<Held>
  /** What is left in the end. */
  readonly stuck: ReadonlyArray<Held>
  /**
   * 0: all that was in flight ended, and nothing is left. 1: something failed or is stuck, or work was cut short and there
   * was no signal. 130 and its like: work was cut short and this was the first signal, or a third one that abandoned it.
   */
  readonly exitCode: number
}

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

/** One line that names it: kind, name, age, and where it comes from if that is known. */
export const formatHeld = ({ age, id, kind, name, site }: Held): string =>
  `${kind}${id === undefined ? "" : ` #${id}`} ${name}, for ${Time.format(age)}` +
  (site === undefined || site === "" ? "" : `, ${site.split("\n")[0]}`)

const list = (title: string, lines: ReadonlyArray<string>) =>
  lines.length === 0 ? [] : [`  ${title}:`, ...lines.map((line) => `    ${line}`)]

/** The report as lines to log. What went as it should is a number; what did not is named. */
export const format = (report: Report): string =>
  [
    `Shut down in ${Time.format(report.duration)} (${report.reason}): ${report.ended} ended by themselves, ` +
    `${report.interrupted.length} interrupted, ${report.forced.length} forced, ${report.failed.length} failed, ` +
    `${report.stuck.length} stuck; exit code ${report.exitCode}`,
    ...list(
      "phases",
      report.phases.map(({ duration, outcome, phase }) => `${phase} ${outcome} in ${Time.format(duration)}`)
    ),
    ...list("interrupted", report.interrupted.map(formatHeld)),
    ...list("forced", report.forced.map(formatHeld)),
    ...list("failed", report.failed.map(({ cause, finalizer }) => `${formatHeld(finalizer)}: ${Cause.squash(cause)}`)),
    ...list("stuck", report.stuck.map(formatHeld))
  ].join("\n")
