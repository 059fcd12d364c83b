/**
 * Nothing grows with the number of layers, models, providers or kinds of sessions that a process has ever had.
 *
 * `npm run prove -- growthLayers [--scale small|full]`: full, the default, opens and closes 1,000 layers, each with a
 * transport, a registry of sessions and its metrics, a provider of its own name and ten models of their own names, and
 * makes ten calls by each: 100,000 calls by 10,000 models. One layer with one model stays open. Small has 12 layers with
 * three models. Each sample is taken after a garbage collection, with no other layer open. Required: the number of series is
 * the same in all samples, and below the one of `docs/telemetry.md`; an exporter that reads once a sample misses no call; nothing of a layer is open. At full scale also:
 * the upper end of the 95 % confidence interval of the heap's slope is at most 16 bytes per call.
 */
import { Retry, Session, SessionMetrics, SessionRegistry } from "@clawback/core"
import { Metrics } from "@clawback/core/Conventions"
import { NodeTransport } from "@clawback/node"
import { OpenAi, Target } from "@clawback/providers"
import { Dialect, FaultyProvider } from "@clawback/testing"
import { Console, Effect, Layer, Metric, Stream } from "effect"
import { readFileSync } from "node:fs"
import { collected } from "../support/collected.ts"
import type { Wanted } from "../support/growthHandler.ts"
import * as Proof from "../support/proof.ts"
import { scale } from "../support/scale.ts"
import { slope } from "../support/slope.ts"

const isSmall = scale() === "small"
const layers = isSmall ? 12 : 1_000
const samples = isSmall ? 4 : 40
/** Samples before there have been as many names as are kept. */
const warmUp = isSmall ? 2 : 8
const modelsOfLayer = isSmall ? 3 : 10

const page = readFileSync(new URL("../../docs/telemetry.md", import.meta.url), "utf8")
const documented = Number(/fewer than (\d+) series/.exec(page)?.[1])

const request = (wanted: Wanted): Target.Request => ({ messages: [{ role: "user", content: `[${wanted}] Why?` }] })

/** What each model is asked. */
const calls: ReadonlyArray<Effect.Effect<unknown, unknown, Target.ChatModel>> = [
  ...Array.from({ length: 5 }, () => Target.generate(request("text"))),
  ...Array.from({ length: 3 }, () => Stream.runDrain(Target.stream(request("text")))),
  Effect.flip(Target.generate(request("refused"))),
  Effect.flip(Stream.runDrain(Target.stream(request("busy"))))
]

const targetOf = (baseUrl: string, provider: string, model: string): Target.Target => {
  const target = OpenAi.target(model, {
    baseUrl,
    credential: Dialect.credential("sk-no-real-key"),
    retry: Retry.jittered({ attempts: 2, base: "1 millis", budget: Retry.unlimited })
  })
  return { ...target, provider: { ...target.provider, name: provider } }
}

/** One layer, from its opening to its closing. */
const round = (baseUrl: string, index: number) =>
  Effect.forEach(
    Array.from({ length: modelsOfLayer }, (_, model) => `model-${index}-${model}`),
    (model) =>
      Effect.forEach(calls, (call) => call, { discard: true }).pipe(
        Effect.provide(Layer.fresh(Target.layer(targetOf(baseUrl, `provider-${index}`, model)))),
        Session.scoped({ kind: `job-${index}`, name: model })
      ),
    { concurrency: modelsOfLayer, discard: true }
  ).pipe(
    Effect.provide(Layer.fresh(
      SessionMetrics.layer.pipe(
        Layer.merge(NodeTransport.layer({ connections: modelsOfLayer })),
        Layer.provideMerge(SessionRegistry.layer())
      )
    ))
  )

/** An exporter: how many series there are, and by how much the calls that they count have risen since it looked last. */
const exporter = () => {
  let before: ReadonlyMap<string, number> = new Map()
  return Effect.map(Metric.snapshot, (all) => {
    const counts = new Map<string, number>()
    let risen = 0
    for (const { attributes, id, ...one } of all) {
      if (id !== Metrics.callDuration.name || one.type !== "Histogram") continue
      const key = JSON.stringify(attributes)
      counts.set(key, one.state.count)
      risen += one.state.count - (before.get(key) ?? 0)
    }
    before = counts
    return { series: all.length, risen }
  })
}

const program = Effect.gen(function*() {
  const provider = yield* FaultyProvider.makeProcess({
    handler: new URL("../support/growthHandler.ts", import.meta.url),
    keep: 16
  })
  const baseUrl = `${provider.url}/v1`
  const look = exporter()
  const seen: Array<{ readonly calls: number; readonly bytes: number; readonly series: number }> = []
  let made = 0
  let counted = 0
  const all = Effect.forEach(calls, (call) => call, { discard: true })
  yield* Effect.gen(function*() {
    for (let index = 0; index < layers; index++) {
      yield* round(baseUrl, index)
      yield* all
      made += calls.length * (modelsOfLayer + 1)
      if ((index + 1) % (layers / samples) !== 0) continue
      yield* provider.until(({ inFlight }) => inFlight === 0)
      const { risen, series } = yield* look
      counted += risen
      const { bytes } = yield* collected
      seen.push({ calls: made, bytes, series })
      yield* Console.log(`${made} calls by ${(index + 1) * modelsOfLayer} models: ${bytes} bytes, ${series} series`)
    }
  }).pipe(
    Effect.provide(
      Target.layer(targetOf(baseUrl, "openai", "gpt-5")).pipe(Layer.provide(NodeTransport.layer({ connections: 1 })))
    )
  )
  const open = yield* SessionRegistry.counts
  const { open: connections } = yield* provider.until(({ inFlight, open }) => inFlight === 0 && open === 0)
  const judged = seen.slice(warmUp)
  const heap = slope(judged.map(({ bytes, calls }) => ({ x: calls, y: bytes })))
  const series = [...new Set(judged.map(({ series }) => series))]
  return {
    met: series.length === 1 && series.every((count) => count < documented) && counted === made && connections === 0 &&
      Object.keys(open).length === 0 &&
      (isSmall || heap.upper <= 16),
    calls: made,
    counted,
    layers,
    models: layers * modelsOfLayer,
    samples,
    series,
    documented,
    bytesPerCall: Object.fromEntries(Object.entries(heap).map(([name, value]) => [name, Number(value.toFixed(2))])),
    leftOpen: open,
    leftConnections: connections
  }
}).pipe(
  Effect.provide(SessionRegistry.layer()),
  Effect.provideService(Metric.MetricRegistry, new Map())
)

Proof.run("growthLayers", isSmall ? 55 : 2400, program)
