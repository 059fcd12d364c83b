/** The result of a run as text. */
import type { Recording, Sample } from "./Activity.ts"
import { alerts } from "./alerts.ts"
import type { Outcomes } from "./load.ts"

/** Whether each alert fired on each recording, by the program that was asked. */
type Verdicts = Readonly<Record<string, ReadonlyArray<ReadonlyArray<boolean>> | undefined>>

export const table = (
  recordings: ReadonlyArray<Recording>,
  outcomes: ReadonlyArray<Outcomes>,
  verdicts: Verdicts
): string => {
  const most = (value: (sample: Sample) => number) =>
    recordings.map(({ samples }) => samples.reduce((found, sample) => Math.max(found, value(sample)), 0))
  const atEnd = (value: (sample: Sample) => number) =>
    recordings.map(({ samples }) => samples.at(-1)).map((sample) => sample === undefined ? 0 : value(sample))
  const requests = (value: (outcome: Outcomes) => number) => outcomes.map(value)

  const rows: ReadonlyArray<readonly [string, ReadonlyArray<string | number>]> = [
    ["", recordings.map(({ name }) => name)],
    ["requests answered", requests(({ answered }) => answered)],
    ["requests whose model call timed out", requests(({ timedOut }) => timedOut)],
    ["requests that got no connection", requests(({ refused }) => refused)],
    ["requests that failed otherwise", requests(({ failed }) => failed)],
    ["most connections open", most(({ open }) => open)],
    ["most of them idle in a transaction", most(({ idleInTransaction }) => idleInTransaction)],
    ["longest that one was", most(({ oldest }) => oldest).map((seconds) => `${seconds.toFixed(1)} s`)],
    ["idle in a transaction at the end", atEnd(({ idleInTransaction }) => idleInTransaction)],
    ...alerts.flatMap((alert, index) =>
      Object.entries(verdicts).flatMap(([program, found]) =>
        found === undefined ? [] : [
          [`${alert}, by ${program}`, found.map((fired) => fired[index] ? "fires" : "silent")] as const
        ]
      )
    )
  ]
  const first = Math.max(...rows.map(([title]) => title.length))
  return rows.map(([title, cells]) => title.padEnd(first) + cells.map((cell) => String(cell).padStart(12)).join(""))
    .join("\n")
}
