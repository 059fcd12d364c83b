/** What a process that shuts down says, in its log and past it. */
import * as Shutdown from "@clawback/core/Shutdown"
import * as ShutdownReport from "@clawback/core/ShutdownReport"
import * as Effect from "effect/Effect"
import { writeSync } from "node:fs"

/** Writes in this step, since the process exits in the next one. */
export const write = (title: string, items: ReadonlyArray<ShutdownReport.Item>): void => {
  writeSync(2, `${[title, ...items.map((item) => `  ${ShutdownReport.formatItem(item)}`)].join("\n")}\n`)
}

/** How many items are named at the first signal. The report names all that do not end by themselves. */
const namedAtFirst = 10

export const waiting = (signal: ShutdownReport.Signal, items: ReadonlyArray<ShutdownReport.Item>): string =>
  [
    `${signal}: waiting for what is in flight. A second signal skips the wait, a third exits at once.`,
    ...items.slice(0, namedAtFirst).map(ShutdownReport.formatItem),
    ...(items.length > namedAtFirst ? [`and ${items.length - namedAtFirst} more`] : [])
  ].join("\n  ")

/** Logs the report with the code that the process exits with, which the program may have decided. */
export const logReport = (report: ShutdownReport.Report, exitCode: number): Effect.Effect<void> => {
  const text = Shutdown.format({ ...report, exitCode })
  if (report.exitCode === 1) return Effect.logError(text)
  if (report.exitCode !== 0 || report.forced.length > 0 || report.interrupted.length > 0) return Effect.logWarning(text)
  return report.signal === undefined ? Effect.logDebug(text) : Effect.logInfo(text)
}
