/**
 * What it costs to trace a call, exporting included: CPU of this process per call, over the same call without a tracer.
 *
 * The provider and the collector are one process of its own. Metrics are on in all cases. `--smoke` shows that all works;
 * `--only` with the name of a case (off, made, on, bySdk) runs that one for as long as all, as a profile wants it.
 */
import * as Credential from "@clawback/core/Credential"
import * as NodeTransport from "@clawback/node/NodeTransport"
import * as OpenAi from "@clawback/providers/OpenAi"
import * as Telemetry from "@clawback/telemetry/Telemetry"
import * as TelemetryOtlp from "@clawback/telemetry/TelemetryOtlp"
import { NodeHttpClient } from "@effect/platform-node"
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http"
import { BatchSpanProcessor } from "@opentelemetry/sdk-trace-base"
import { Context, Effect, Layer, Record, Redacted, Schema, Stream, Tracer } from "effect"
import { LanguageModel } from "effect/ai"
import { OtlpExporter } from "effect/observability"
import { fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { interleave } from "./internal/measure.ts"
import { atMostTimes, conclude } from "./internal/report.ts"

const { values: { only, smoke } } = parseArgs({
  options: { smoke: { type: "boolean", default: false }, only: { type: "string" } }
})
const plan = smoke ? { rounds: 2, warmUp: 1 } : { rounds: 31, warmUp: 10 }
const width = 16
const calls = smoke ? 32 : 800

const server = fork(fileURLToPath(new URL("./internal/chatServer.ts", import.meta.url)))
const [port] = await once(server, "message")
const origin = `http://127.0.0.1:${port}`

const modelOf = (path: string) =>
  OpenAi.layer({
    model: "gpt-5-mini",
    baseUrl: origin + path,
    credential: Credential.redacted("KEY", Redacted.make("sk-nobody"))
  })
const prompt = "Why do sockets leak? ".repeat(10)
const whole = LanguageModel.generateText({ prompt })
const streamed = Stream.runDrain(LanguageModel.streamText({ prompt }))

/** CPU µs per call, so many at a time. */
const cpu = <E, R>(
  call: Effect.Effect<unknown, E, R>,
  count: number,
  flush: Effect.Effect<unknown>
): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    let left = count
    const worker = Effect.whileLoop({ while: () => left-- > 0, body: () => call, step: () => {} })
    const before = process.cpuUsage()
    const all = Effect.forEach(Array.from({ length: width }), () => worker, { concurrency: "unbounded", discard: true })
    return Effect.map(
      Effect.andThen(all, flush),
      () => {
        const { system, user } = process.cpuUsage(before)
        return (system + user) / count
      }
    )
  })

/** Spans are sent within the round that made them, and not in one that has none. */
const never = "1 hour"
const otlp = TelemetryOtlp.layer({ baseUrl: origin, serviceName: "bench", interval: never, metricsInterval: never })
  .pipe(
    Layer.provide(NodeHttpClient.layerUndici)
  )
const processor = () =>
  // A queue that is full drops spans, and what is dropped costs less.
  new BatchSpanProcessor(new OTLPTraceExporter({ url: `${origin}/v1/traces` }), {
    maxQueueSize: 1_000_000,
    maxExportBatchSize: 1000,
    scheduledDelayMillis: 3_600_000
  })

/** Makes spans, and sends them nowhere. */
const unsent = Tracer.make({ span: (options) => new Tracer.NativeSpan(options) })

const Case = Schema.Literals(["off", "made", "on", "bySdk"])

const compare = (call: Effect.Effect<unknown, unknown, LanguageModel.LanguageModel>, count: number) =>
  Effect.gen(function*() {
    const model = yield* LanguageModel.LanguageModel
    const inContext = (context: Context.Context<never>, flush: Effect.Effect<unknown> = Effect.void) =>
      Effect.provideContext(cpu(call, count, flush), Context.add(context, LanguageModel.LanguageModel, model))
    const light = yield* Layer.build(Layer.fresh(otlp))
    const spanProcessor = processor()
    const heavy = yield* Layer.build(Telemetry.layer(() => ({ resource: { serviceName: "bench" }, spanProcessor })))
    const off = inContext(Context.empty())
    const on = inContext(light, Context.get(light, OtlpExporter.Flusher).flush)
    const bySdk = inContext(heavy, Effect.promise(() => spanProcessor.forceFlush()))
    const made = inContext(Context.make(Tracer.Tracer, unsent))
    const cases = { off, made, on, bySdk }
    if (only === undefined) return yield* interleave(plan, cases)
    const one = cases[yield* Schema.decodeUnknownEffect(Case)(only)]
    return yield* interleave(plan, Record.map(cases, () => one))
  }).pipe(Effect.scoped)

const program = Effect.gen(function*() {
  const limit = 1.25
  const stretch = 1.1
  const one = yield* Effect.provide(compare(whole, calls), modelOf("/v1"))
  const many = yield* Effect.provide(compare(streamed, Math.ceil(calls / 4)), modelOf("/100/v1"))
  return [
    atMostTimes(stretch, {
      name: "a call in one piece, spans made only, over untraced",
      unit: "us",
      ours: one.made,
      peer: one.off
    }),
    atMostTimes(limit, { name: "a call in one piece, traced, over untraced", unit: "us", ours: one.on, peer: one.off }),
    atMostTimes(limit, { name: "the same by the SDK", unit: "us", ours: one.bySdk, peer: one.off }),
    atMostTimes(stretch, {
      name: "a stream of 100 events, spans made only",
      unit: "us",
      ours: many.made,
      peer: many.off
    }),
    atMostTimes(limit, { name: "a stream of 100 events, traced", unit: "us", ours: many.on, peer: many.off }),
    atMostTimes(limit, { name: "the same by the SDK", unit: "us", ours: many.bySdk, peer: many.off })
  ]
})

const targets = await Effect.runPromise(Effect.provide(program, NodeTransport.layer()))
server.disconnect()
conclude("tracing", targets)
