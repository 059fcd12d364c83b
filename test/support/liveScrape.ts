/** What Prometheus scrapes from a program that is busy. */
import { Pool, SessionRegistry, Transport } from "@clawback/core"
import { NodeTransport } from "@clawback/node"
import * as NodePostgres from "@clawback/node/NodePostgres"
import { ProcessMetrics, Prometheus } from "@clawback/telemetry"
import { Behavior, FaultyProvider } from "@clawback/testing"
import { type Duration, Effect, Fiber, Latch, Layer, Metric, Redacted, Result } from "effect"
import { assert } from "vitest"
import * as Postgres from "./postgres.ts"

/** A pool whose one item is in use, by a caller that had to wait for it. */
const usePool = Effect.gen(function*() {
  const pool = yield* Pool.make({ name: "database", acquire: Effect.succeed("connection"), max: 1 })
  const returned = yield* Latch.make()
  const borrowed = yield* Latch.make()
  yield* Effect.forkChild(Pool.use(pool, () => returned.await))
  yield* Effect.forkScoped(Pool.use(pool, () => Effect.andThen(borrowed.open, Effect.never)))
  yield* Effect.repeat(Effect.andThen(Effect.yieldNow, Pool.stats(pool)), { until: ({ waiting }) => waiting === 1 })
  yield* returned.open
  yield* borrowed.await
})

/** A transport whose one connection is in use, after one request gave up waiting for it, and another one waited and got it. */
const useConnection = Effect.gen(function*() {
  const provider = yield* FaultyProvider.make()
  const transport = yield* Transport.Transport
  const request = (name: string, queue: Duration.Input) =>
    Effect.scoped(transport.execute({
      method: "GET",
      url: provider.url,
      headers: FaultyProvider.header(Behavior.stall, name),
      timeouts: { queue }
    }))
  const untilArrived = (name: string) => provider.untilRequest(({ id, state }) => id === name && state === "answering")
  const using = yield* Effect.forkChild(request("first", "1 minute"))
  yield* untilArrived("first")
  yield* Effect.forkScoped(request("second", "1 minute"))
  const gaveUp = yield* Effect.result(request("third", "20 millis"))
  assert.strictEqual(Result.isFailure(gaveUp) && gaveUp.failure._tag, "QueueTimeout")
  yield* Fiber.interrupt(using)
  yield* untilArrived("second")
})

/** A client of PostgreSQL, where there is a server. */
const useDatabase = Effect.gen(function*() {
  if (!Postgres.isAvailable) return
  const { password, ...address } = yield* Postgres.available
  yield* Layer.build(NodePostgres.layer({
    ...address,
    database: "postgres",
    password: password === undefined ? undefined : Redacted.make(password)
  }))
})

const scrape = Effect.andThen(Effect.all([usePool, useConnection, useDatabase], { discard: true }), Prometheus.format)
  .pipe(
    Effect.scoped,
    Effect.provide(Layer.provideMerge(
      Layer.merge(NodeTransport.layer({ connections: 1 }), ProcessMetrics.layer),
      SessionRegistry.layer()
    )),
    (effect) => Effect.suspend(() => Effect.provideService(effect, Metric.MetricRegistry, new Map()))
  )

/** Metrics of a server that is not there. */
const isMissing = (name: string) => !Postgres.isAvailable && name.startsWith("clawback_postgres_")

/** Our metrics and labels in queries that a busy program does not export. */
export const unknownNames = (queries: string) =>
  Effect.map(scrape, (text): ReadonlyArray<string> => {
    const used = new Set([...queries.matchAll(/\b(?:clawback|gen_ai)_\w+/g)].map(([name]) => name))
    const names = text.matchAll(/^(\w+)(?=[ {])|(?<=[{,])(\w+)(?==")/gm)
    const exported = new Set([...names].map(([, metric, label]) => metric ?? label))
    assert.isNotEmpty(used)
    return [...used].filter((name) => !exported.has(name) && !isMissing(name))
  })
