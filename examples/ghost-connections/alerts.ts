/**
 * Asks Prometheus' own programs whether the alerts that `@clawback/telemetry` ships fire on what was recorded.
 *
 * A run takes seconds, and the alerts think in minutes. So each minute in the rules becomes a second here, and nothing else
 * changes.
 */
import { Effect, Schedule } from "effect"
import { execFile, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { exposition, type Recording, series } from "./Activity.ts"
import { freePort } from "./freePort.ts"

const rulesFile = fileURLToPath(import.meta.resolve("@clawback/telemetry/prometheus/alerts.yml"))

/** The alerts of a naive application, which has no metrics of its own: they come from the server. */
export const alerts = ["PostgresIdleInTransaction", "PostgresConnectionsExhausted"]

const hastened = async () =>
  (await readFile(rulesFile, "utf8")).replaceAll(/\b(\d+)m\b/g, "$1s").replaceAll("/ 60 ", "/ 1 ")

export const has = (program: "promtool" | "prometheus"): boolean =>
  spawnSync(program, ["--version"], { stdio: "ignore" }).status === 0

const folder = Effect.acquireRelease(
  Effect.promise(async () => {
    const path = await mkdtemp(join(tmpdir(), "ghost-connections-alerts-"))
    await writeFile(join(path, "alerts.yml"), await hastened())
    return path
  }),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

/** Whether the alert fired at any time. */
const fired = (alert: string, labels = "") => (range: string) =>
  `max_over_time((max(ALERTS{alertname="${alert}",alertstate="firing",${labels}}) or vector(0))[${range}])`

const accepts = async (test: string): Promise<boolean> => {
  try {
    await promisify(execFile)("promtool", ["test", "rules", test])
    return true
  } catch {
    return false
  }
}

/** Evaluates the rules over a recording with `promtool`. */
export const byPromtool = Effect.fnUntraced(function*(recording: Recording, interval: number) {
  const path = yield* folder
  const end = recording.samples.at(-1)?.at ?? 0
  const until = `${Math.floor(end / interval) * interval}ms`
  const times = Array.from({ length: Math.floor(end / interval) + 1 }, (_, index) => index * interval)
  /** The sample that was the latest at a time. */
  const latest = times.map((time) => recording.samples.findLast(({ at }) => at <= time)).filter((_) => _ !== undefined)
  const input = series.map(([name, labels, value]) => ({
    series: `${name}{${labels}}`,
    values: latest.map((sample) => value(sample, recording)).join(" ")
  }))
  const test = (alert: string, expected: number) => ({
    rule_files: ["alerts.yml"],
    evaluation_interval: `${interval}ms`,
    tests: [{
      interval: `${interval}ms`,
      input_series: input,
      promql_expr_test: [{
        expr: fired(alert)(`${until}:${interval}ms`),
        eval_time: until,
        exp_samples: [{ labels: "{}", value: expected }]
      }]
    }]
  })
  // A test says whether a value is as expected. So the value is the one whose test passes.
  return yield* Effect.promise(() =>
    Promise.all(alerts.map(async (alert) => {
      const passing = await Promise.all([0, 1].map(async (expected) => {
        const file = join(path, `${alert}-${expected}.yml`)
        await writeFile(file, JSON.stringify(test(alert, expected)))
        return await accepts(file)
      }))
      if (passing[0] === passing[1]) throw new Error(`promtool could not evaluate ${alert}`)
      return passing[1] === true
    }))
  )
})

/** Serves what is recorded at the moment, each recording at its name, as postgres_exporter would. */
const serve = (recordings: ReadonlyArray<Recording>) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const server = createServer(({ url }, response) => {
        const recording = recordings.find(({ name }) => url === `/${name}`)
        response.writeHead(recording === undefined ? 404 : 200, { "content-type": "text/plain; version=0.0.4" })
        response.end(recording === undefined ? "" : exposition(recording))
      }).listen(0, "127.0.0.1")
      await once(server, "listening")
      return server
    }),
    (server) =>
      Effect.promise(async () => {
        server.close()
        server.closeAllConnections()
        await once(server, "close")
      })
  )

/**
 * Starts a Prometheus that scrapes the recordings while they are made. Returns an effect that asks it which alerts have fired
 * on one of them.
 */
export const byPrometheus = Effect.fnUntraced(function*(recordings: ReadonlyArray<Recording>, interval: number) {
  const path = yield* folder
  const server = yield* serve(recordings)
  const address = server.address()
  const target = `127.0.0.1:${typeof address === "object" ? address?.port : ""}`
  const config = {
    global: { scrape_interval: `${interval}ms`, scrape_timeout: `${interval}ms`, evaluation_interval: `${interval}ms` },
    rule_files: ["alerts.yml"],
    scrape_configs: recordings.map(({ name }) => ({
      job_name: name,
      metrics_path: `/${name}`,
      static_configs: [{ targets: [target] }]
    }))
  }
  yield* Effect.promise(() => writeFile(join(path, "prometheus.yml"), JSON.stringify(config)))
  const port = yield* Effect.promise(freePort)
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn("prometheus", [
        `--config.file=${join(path, "prometheus.yml")}`,
        `--storage.tsdb.path=${join(path, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`
      ], { stdio: "ignore" })
    ),
    (child) =>
      Effect.promise(async () => {
        if (child.exitCode !== null || child.signalCode !== null) return
        child.kill("SIGKILL")
        await once(child, "exit")
      })
  )
  const get = (path: string) =>
    Effect.tryPromise(async () => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`)
      if (!response.ok) throw new Error(`Prometheus responded ${response.status}: ${await response.text()}`)
      return await response.text()
    })
  yield* get("/-/ready").pipe(Effect.retry({ schedule: Schedule.spaced("100 millis"), times: 100 }))
  return ({ name }: Recording) =>
    Effect.forEach(alerts, (alert) => {
      const query = fired(alert, `job="${name}"`)(`1h:${interval}ms`)
      return Effect.map(get(`/api/v1/query?query=${encodeURIComponent(query)}`), (text) => {
        const { data: { result: [found] } } = JSON.parse(text)
        return found.value[1] === "1"
      })
    })
})
