/**
 * What a PostgreSQL server's own list of connections (`pg_stat_activity`) shows of an application over time, and the same
 * in Prometheus' text format, under the names that postgres_exporter uses.
 */
import { Effect } from "effect"
import { Client } from "pg"

export interface Sample {
  /** Milliseconds since the recording began. */
  readonly at: number
  readonly open: number
  /** Connections whose transaction is open while no statement runs. */
  readonly idleInTransaction: number
  /** Seconds since the oldest of those transactions began. */
  readonly oldest: number
}

const query = `
  SELECT count(*)::int AS "open",
    (count(*) FILTER (WHERE state = 'idle in transaction'))::int AS "idleInTransaction",
    coalesce(extract(epoch FROM max(clock_timestamp() - xact_start)
      FILTER (WHERE state = 'idle in transaction')), 0)::float8 AS "oldest"
  FROM pg_stat_activity WHERE usename = 'app'`

export interface Recording {
  readonly name: string
  readonly maxConnections: number
  readonly samples: ReadonlyArray<Sample>
}

/** Takes a sample at each interval, for as long as the scope is open. */
export const record = Effect.fnUntraced(
  function*(name: string, adminUrl: string, maxConnections: number, interval: number) {
    const client = yield* Effect.acquireRelease(
      Effect.promise(async () => {
        const client = new Client({ connectionString: adminUrl })
        await client.connect()
        return client
      }),
      (client) => Effect.promise(() => client.end())
    )
    const samples: Array<Sample> = []
    const start = performance.now()
    const sample = Effect.promise(async () => {
      const { rows: [row] } = await client.query<Omit<Sample, "at">>(query)
      if (row !== undefined) samples.push({ at: performance.now() - start, ...row })
    })
    yield* sample
    yield* sample.pipe(Effect.delay(interval), Effect.forever, Effect.forkScoped)
    return { name, maxConnections, samples } satisfies Recording
  }
)

/** The series of a recording: each with its value at one sample. */
export const series: ReadonlyArray<
  readonly [name: string, labels: string, value: (sample: Sample, of: Recording) => number]
> = [
  ["pg_stat_activity_count", `state="idle in transaction"`, (sample) => sample.idleInTransaction],
  ["pg_stat_activity_count", `state="other"`, (sample) => sample.open - sample.idleInTransaction],
  ["pg_stat_activity_max_tx_duration", `state="idle in transaction"`, (sample) => sample.oldest],
  ["pg_settings_max_connections", "", (_, { maxConnections }) => maxConnections]
]

/** The last sample, as an exporter would show it. */
export const exposition = (recording: Recording): string => {
  const last = recording.samples.at(-1)
  if (last === undefined) return ""
  return series.map(([name, labels, value]) => `${name}{${labels}} ${value(last, recording)}\n`).join("")
}
