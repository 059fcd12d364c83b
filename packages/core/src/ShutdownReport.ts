/**
 * The report of a shutdown: what ended, what was cut short, what is stuck, and the code to exit with.
 *
 * @experimental
 */

import * as Cause from "effect/Cause"
import type { Item, Report } from "./internal/shutdown/model.ts"
import * as Time from "./internal/time/format.ts"

export {
  type Failure,
  type Item,
  type PhaseReport,
  type Report,
  type Signal,
  signals
} from "./internal/shutdown/model.ts"
export type { Phase, State } from "./internal/shutdown/phases.ts"
export { exitCode } from "./internal/shutdown/report.ts"

/** One line that names the item: kind, name, age, and where it comes from if that is known. */
export const formatItem = ({ age, id, kind, name, site }: Item): string =>
  `${kind}${id === undefined ? "" : ` #${id}`} ${name}, for ${Time.format(age)}` +
  (site === undefined || site === "" ? "" : `, ${site.split("\n")[0]}`)

const list = (title: string, lines: ReadonlyArray<string>) =>
  lines.length === 0 ? [] : [`  ${title}:`, ...lines.map((line) => `    ${line}`)]

/** The report as lines for a log. Counts what went well, and names the rest. */
export const format = (report: Report): string =>
  [
    `Shut down in ${Time.format(report.duration)} (${report.reason}): ${report.ended} ended by themselves, ` +
    `${report.interrupted.length} interrupted, ${report.forced.length} forced, ${report.failed.length} failed, ` +
    `${report.stuck.length} stuck; exit code ${report.exitCode}`,
    ...list(
      "phases",
      report.phases.map(({ duration, outcome, phase }) => `${phase} ${outcome} in ${Time.format(duration)}`)
    ),
    ...list("interrupted", report.interrupted.map(formatItem)),
    ...list("forced", report.forced.map(formatItem)),
    ...list("failed", report.failed.map(({ cause, finalizer }) => `${formatItem(finalizer)}: ${Cause.squash(cause)}`)),
    ...list("stuck", report.stuck.map(formatItem))
  ].join("\n")
