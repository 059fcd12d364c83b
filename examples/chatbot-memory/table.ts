/** The result of a run as text. */
import type { Sample } from "./application.ts"

export interface Recording {
  readonly name: string
  readonly samples: ReadonlyArray<Sample>
  /** How the process died, if it did. */
  readonly died: string | undefined
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`

const none: Sample = {
  turns: 0,
  hours: 0,
  begun: 1,
  live: 1,
  bytes: 0,
  median: 0,
  p99: 0,
  checked: 0,
  wrong: 0
}

const last = ({ samples }: Recording): Sample => samples.at(-1) ?? none

/** Bytes for a thousand conversations that users have begun. */
const density = ({ begun, bytes }: Sample): number => bytes / begun * 1_000

const middle = (values: ReadonlyArray<number>): number =>
  values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0

/** The median of a thing in one quarter of the samples. */
const quarter = ({ samples }: Recording, which: number, value: (sample: Sample) => number): number => {
  const length = Math.floor(samples.length / 4)
  return middle(samples.slice(which * length, (which + 1) * length).map(value))
}

export const table = (recordings: ReadonlyArray<Recording>): string => {
  const [naive] = recordings
  const common = Math.min(...recordings.map(({ samples }) => samples.length))
  /** The last moment that both have lived to see. */
  const shared = recordings.map(({ samples }) => samples[common - 1] ?? none)
  const fewer = 1 - density(shared[1] ?? none) / density(shared[0] ?? none)

  const rows: ReadonlyArray<readonly [string, ReadonlyArray<string | number>]> = [
    ["", recordings.map(({ name }) => name)],
    ["turns answered", recordings.map((recording) => last(recording).turns)],
    ["conversations begun", recordings.map((recording) => last(recording).begun)],
    ["end", recordings.map(({ died }) => died === undefined ? "alive" : `died (${died})`)],
    ["memory of histories, second quarter", recordings.map((of) => megabytes(quarter(of, 1, ({ bytes }) => bytes)))],
    ["memory of histories, last quarter", recordings.map((of) => megabytes(quarter(of, 3, ({ bytes }) => bytes)))],
    ["bytes per 1,000 conversations begun", shared.map((sample) => megabytes(density(sample)))],
    ["median turn, second quarter", recordings.map((of) => `${quarter(of, 1, ({ median }) => median).toFixed(2)} ms`)],
    ["median turn, last quarter", recordings.map((of) => `${quarter(of, 3, ({ median }) => median).toFixed(2)} ms`)],
    ["histories checked", recordings.map((recording) => last(recording).checked)],
    ["histories that were wrong", recordings.map((recording) => last(recording).wrong)]
  ]
  const first = Math.max(...rows.map(([title]) => title.length))
  const text = rows.map(([title, cells]) =>
    title.padEnd(first) + cells.map((cell) => String(cell).padStart(16)).join("")
  )
  return [
    ...text,
    `\n${(fewer * 100).toFixed(0)} % fewer bytes per 1,000 conversations after ${shared[0]?.turns} turns, when ${
      naive?.died === undefined ? "both ended" : "the naive application died"
    }.`
  ].join("\n")
}
