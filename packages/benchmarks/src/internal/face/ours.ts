/** Our two faces, as a program uses them: from the built packages, by their public names. */
import type * as Clawback from "@clawback/core"
import type * as ClawbackNode from "@clawback/node"
import type * as Providers from "@clawback/providers"
import type * as Telemetry from "@clawback/telemetry/Telemetry"
import type * as TelemetryOtlp from "@clawback/telemetry/TelemetryOtlp"
import type * as PlatformNode from "@effect/platform-node"
import type * as Exporter from "@opentelemetry/exporter-trace-otlp-http"
import type * as Sdk from "@opentelemetry/sdk-trace-base"
import type * as Effects from "effect"
import type { Effect as Effectful, Layer as Layered } from "effect"
import type * as Ai from "effect/ai"
import type * as Observability from "effect/observability"
import { baseUrl, checkEvents, checkTokens, messages, model, type Place, type Work } from "./work.ts"

type Needs = Ai.LanguageModel.LanguageModel | Providers.Target.ChatModel
type Call = Effectful.Effect<void, unknown, Needs>

/** How a program is traced: its layer, and how to send what was recorded. */
interface Tracing {
  readonly layer: Layered.Layer<never, unknown>
  readonly flush: Effectful.Effect<unknown>
}

type Traced = (place: Place) => Promise<Tracing>

export const off: Traced = async ({ load }) => {
  const { Effect, Layer } = await load<typeof Effects>("effect")
  return { layer: Layer.empty, flush: Effect.void }
}

/** Long enough that spans are sent at the end of a window only, within what it measures. */
const never = "1 hour"

/** By Effect's own exporter. */
export const plain: Traced = async ({ load, origin }) => {
  const { Context, Effect, Layer } = await load<typeof Effects>("effect")
  const { NodeHttpClient } = await load<typeof PlatformNode>("@effect/platform-node")
  const { OtlpExporter } = await load<typeof Observability>("effect/observability")
  const exporting = await load<typeof TelemetryOtlp>("@clawback/telemetry/TelemetryOtlp")
  let flush: Effectful.Effect<unknown> = Effect.void
  const layer = exporting.layer({ baseUrl: origin, serviceName: "bench", interval: never, metricsInterval: never })
  const noted = Layer.effectContext(Effect.contextWith((context: Effects.Context.Context<Flusher>) => {
    ;({ flush } = Context.get(context, OtlpExporter.Flusher))
    return Effect.succeed(context)
  }))
  return {
    layer: noted.pipe(Layer.provideMerge(layer), Layer.provide(NodeHttpClient.layerUndici)),
    flush: Effect.suspend(() => flush)
  }
}

type Flusher = Observability.OtlpExporter.Flusher

/** By OpenTelemetry's SDK. */
export const bySdk: Traced = async ({ load, origin }) => {
  const { Effect } = await load<typeof Effects>("effect")
  const { BatchSpanProcessor } = await load<typeof Sdk>("@opentelemetry/sdk-trace-base")
  const { OTLPTraceExporter } = await load<typeof Exporter>("@opentelemetry/exporter-trace-otlp-http")
  const { layer } = await load<typeof Telemetry>("@clawback/telemetry/Telemetry")
  // A full queue drops spans, and a dropped span costs less.
  const spanProcessor = new BatchSpanProcessor(new OTLPTraceExporter({ url: `${origin}/v1/traces` }), {
    maxQueueSize: 1_000_000,
    maxExportBatchSize: 1000,
    scheduledDelayMillis: 3_600_000
  })
  return {
    layer: layer(() => ({ resource: { serviceName: "bench" }, spanProcessor })),
    flush: Effect.promise(() => spanProcessor.forceFlush())
  }
}

type Face = (place: Place) => Promise<Call>

/** `Target.generate` and `Target.stream`. */
export const target: Face = async ({ isStreamed, load }) => {
  const { Effect, Stream } = await load<typeof Effects>("effect")
  const { Target } = await load<typeof Providers>("@clawback/providers")
  if (!isStreamed) {
    return Effect.map(
      Effect.suspend(() => Target.generate({ messages })),
      ({ usage }) => checkTokens(usage?.outputTokens)
    )
  }
  return Effect.suspend(() =>
    Target.stream({ messages }).pipe(
      Stream.runFold(() => 0, (found, event) => event._tag === "TextDelta" ? found + 1 : found),
      Effect.map(checkEvents)
    )
  )
}

/** `LanguageModel.generateText` and `LanguageModel.streamText`. */
export const languageModel: Face = async ({ isStreamed, load }) => {
  const { Effect, Stream } = await load<typeof Effects>("effect")
  const { LanguageModel } = await load<typeof Ai>("effect/ai")
  if (!isStreamed) {
    return Effect.map(
      Effect.suspend(() => LanguageModel.generateText({ prompt: messages })),
      ({ usage }) => checkTokens(usage.outputTokens.total)
    )
  }
  return Effect.suspend(() =>
    LanguageModel.streamText({ prompt: messages }).pipe(
      Stream.runFold(() => 0, (found, part) => part.type === "text-delta" ? found + 1 : found),
      Effect.map(checkEvents)
    )
  )
}

/** The same with a toolkit, from which the model calls nothing. */
export const languageModelWithTools: Face = async ({ load }) => {
  const { Effect, Schema } = await load<typeof Effects>("effect")
  const { LanguageModel, Tool, Toolkit } = await load<typeof Ai>("effect/ai")
  const search = Tool.make("search", {
    description: "Searches the web.",
    parameters: Schema.Struct({ query: Schema.String }),
    success: Schema.String
  })
  const toolkit = Toolkit.make(search)
  const handlers = toolkit.toLayer({ search: ({ query }) => Effect.succeed(query) })
  return Effect.map(
    Effect.suspend(() => LanguageModel.generateText({ prompt: messages, toolkit })),
    ({ usage }) => checkTokens(usage.outputTokens.total)
  ).pipe(Effect.provide(handlers))
}

/** A program that calls OpenAI by one of the faces. */
export const program = (face: Face, tracing: Traced) => async (place: Place): Promise<Work> => {
  const { load } = place
  const { Effect, Layer, ManagedRuntime, Redacted } = await load<typeof Effects>("effect")
  const { Credential } = await load<typeof Clawback>("@clawback/core")
  const { NodeTransport } = await load<typeof ClawbackNode>("@clawback/node")
  const { OpenAi } = await load<typeof Providers>("@clawback/providers")
  const call = await face(place)
  const { flush, layer } = await tracing(place)
  const credential = Credential.redacted("KEY", Redacted.make("sk-nobody"))
  const runtime = ManagedRuntime.make(
    OpenAi.layer({ model, baseUrl: baseUrl(place), credential }).pipe(
      Layer.provide(NodeTransport.layer()),
      Layer.provideMerge(layer)
    )
  )
  return (width, goesOn) => {
    const worker = Effect.whileLoop({ while: goesOn, body: () => call, step: () => {} })
    const workers = Array.from({ length: width }, () => worker)
    return runtime.runPromise(
      Effect.andThen(Effect.all(workers, { concurrency: "unbounded", discard: true }), flush)
    )
  }
}
