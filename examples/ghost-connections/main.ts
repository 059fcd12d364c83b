/**
 * Ghost connections: what becomes of PostgreSQL if a model call inside a transaction times out, and its connection is not given
 * back: `npm run example -- ghost-connections`. Needs PostgreSQL's programs, and uses Prometheus' if they are there.
 *
 * Two applications get the same requests at the same time, each with a PostgreSQL server of its own. Both answer a question
 * inside a transaction. A third of the model calls hang, and both stop waiting for it after 0.4 seconds.
 *
 * - `--seconds 10` sets how long requests come (5 at least, or the alerts have no time to fire).
 * - `--out FILE` is where the plot goes, by default `ghost-connections.svg` in the current folder.
 */
import { NodeShutdown } from "@clawback/node"
import { Console, Effect, Layer } from "effect"
import { writeFile } from "node:fs/promises"
import { parseArgs } from "node:util"
import * as Activity from "./Activity.ts"
import * as Alerts from "./alerts.ts"
import * as Clawback from "./clawback.ts"
import * as Load from "./load.ts"
import * as Naive from "./naive.ts"
import { plot } from "./plot.ts"
import * as PostgresServer from "./PostgresServer.ts"
import { table } from "./table.ts"

const { values: { out, seconds } } = parseArgs({
  options: { seconds: { type: "string", default: "10" }, out: { type: "string", default: "ghost-connections.svg" } }
})

const duration = Number(seconds)
if (!(duration >= 5 && duration <= 600)) {
  console.error(`--seconds must be a number from 5 to 600, not ${seconds}`)
  process.exit(2)
}

/** Three of them are for superusers, as PostgreSQL does by default. */
const maxConnections = 25
/** How long a request waits for the model, in milliseconds. */
const patience = 400
/** Milliseconds between samples. */
const interval = 100
/** Milliseconds between Prometheus' scrapes. A scrape that takes longer fails, which makes an alert begin anew. */
const scrapeInterval = 500

const program = Effect.gen(function*() {
  const modelUrl = yield* Load.model
  const databases = yield* Effect.all([PostgresServer.make(maxConnections), PostgresServer.make(maxConnections)], {
    concurrency: 2
  })
  const [naiveDatabase, ourDatabase] = databases
  const naive = Naive.make(naiveDatabase.url, modelUrl, patience)
  // The first calls of a process are slow, and would time out.
  yield* Effect.promise(() => Promise.all(Array.from({ length: 20 }, () => Naive.ask(modelUrl, "Why?", 10_000))))
  yield* Console.log(`Requests come for ${seconds} seconds …`)

  const recordings = yield* Effect.all([
    Activity.record("naive", naiveDatabase.adminUrl, maxConnections, interval),
    Activity.record("clawback", ourDatabase.adminUrl, maxConnections, interval)
  ])
  const prometheus = Alerts.has("prometheus") ? yield* Alerts.byPrometheus(recordings, scrapeInterval) : undefined
  const ours = yield* Layer.build(Clawback.layer(ourDatabase.url, modelUrl, patience))
  const outcomes = yield* Effect.all([
    Load.run(duration, (question) => Effect.tryPromise(() => naive(question))),
    Load.run(duration, (question) => Effect.provideContext(Clawback.answer(question), ours))
  ], { concurrency: 2 })
  // No request is left. What is held now is held for good, and the alerts get the time that they wait for.
  yield* Effect.sleep("3 seconds")

  const promtool = Alerts.has("promtool")
    ? yield* Effect.forEach(recordings, (recording) => Alerts.byPromtool(recording, interval))
    : undefined
  const asked = prometheus && (yield* Effect.forEach(recordings, prometheus))
  yield* Console.log(table(recordings, outcomes, { promtool, Prometheus: asked }))
  yield* Effect.promise(() =>
    writeFile(
      out,
      plot([
        ["Naive: the connection is not given back when the model call times out", recordings[0]],
        ["Clawback: the same requests", recordings[1]]
      ])
    )
  )
  yield* Console.log(`\nThe plot is in ${out}`)
})

NodeShutdown.runMain(Effect.scoped(program))
