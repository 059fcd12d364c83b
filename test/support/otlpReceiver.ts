/**
 * Receives OTLP over HTTP as JSON on loopback, and keeps the records.
 *
 * Source: opentelemetry-proto, `trace.proto`, `metrics.proto`, `logs.proto`.
 */
import { assert } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Http from "node:http"
import { gunzipSync } from "node:zlib"

const AnyValue = Schema.Struct({
  stringValue: Schema.optional(Schema.String),
  boolValue: Schema.optional(Schema.Boolean),
  intValue: Schema.optional(Schema.Union([Schema.Finite, Schema.String])),
  doubleValue: Schema.optional(Schema.Finite),
  arrayValue: Schema.optional(Schema.Struct({ values: Schema.Array(Schema.Unknown) }))
})
const Attributes = Schema.Array(Schema.Struct({ key: Schema.String, value: Schema.Unknown }))
const Count = Schema.Union([Schema.Finite, Schema.String])

const Span = Schema.Struct({
  traceId: Schema.String,
  spanId: Schema.String,
  parentSpanId: Schema.optional(Schema.String),
  name: Schema.String,
  kind: Schema.Finite,
  startTimeUnixNano: Schema.String,
  endTimeUnixNano: Schema.String,
  attributes: Attributes,
  events: Schema.Array(Schema.Struct({ name: Schema.String, attributes: Schema.optional(Attributes) })),
  status: Schema.Struct({ code: Schema.Finite, message: Schema.optional(Schema.String) })
})

const Point = Schema.Struct({
  attributes: Attributes,
  asInt: Schema.optional(Count),
  asDouble: Schema.optional(Schema.Finite),
  count: Schema.optional(Count),
  sum: Schema.optional(Schema.Finite)
})
const Points = Schema.optional(Schema.Struct({ dataPoints: Schema.Array(Point) }))

const Traces = Schema.Struct({
  resourceSpans: Schema.Array(
    Schema.Struct({ scopeSpans: Schema.Array(Schema.Struct({ spans: Schema.Array(Span) })) })
  )
})
const Metrics = Schema.Struct({
  resourceMetrics: Schema.Array(Schema.Struct({
    scopeMetrics: Schema.Array(Schema.Struct({
      metrics: Schema.Array(Schema.Struct({
        name: Schema.String,
        unit: Schema.String,
        sum: Points,
        gauge: Points,
        histogram: Points
      }))
    }))
  }))
})
const Logs = Schema.Struct({
  resourceLogs: Schema.Array(Schema.Struct({
    scopeLogs: Schema.Array(Schema.Struct({
      logRecords: Schema.Array(Schema.Struct({
        body: Schema.optional(AnyValue),
        severityText: Schema.optional(Schema.String)
      }))
    }))
  }))
})

type Values = Readonly<Record<string, unknown>>

export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly name: string
  readonly kind: number
  readonly start: bigint
  readonly end: bigint
  readonly attributes: Values
  readonly events: ReadonlyArray<{ readonly name: string; readonly attributes: Values }>
  readonly status: "unset" | "ok" | "error"
  readonly message: string | undefined
}

interface ReceivedPoint {
  readonly labels: Values
  /** What it counts; of a histogram how often it was recorded. */
  readonly value: number
  readonly sum: number | undefined
}

const plain = (value: unknown): unknown => {
  const { arrayValue, boolValue, doubleValue, intValue, stringValue } = Schema.decodeUnknownSync(AnyValue)(value)
  if (arrayValue !== undefined) return arrayValue.values.map(plain)
  return stringValue ?? boolValue ?? doubleValue ?? (intValue === undefined ? undefined : Number(intValue))
}

const values = (attributes: typeof Attributes.Type | undefined): Values =>
  Object.fromEntries((attributes ?? []).map(({ key, value }) => [key, plain(value)]))

const statuses = ["unset", "ok", "error"] as const

const received = (span: typeof Span.Type): ReceivedSpan => ({
  traceId: span.traceId,
  spanId: span.spanId,
  parentSpanId: span.parentSpanId === "" ? undefined : span.parentSpanId,
  name: span.name,
  kind: span.kind,
  start: BigInt(span.startTimeUnixNano),
  end: BigInt(span.endTimeUnixNano),
  attributes: values(span.attributes),
  events: span.events.map(({ attributes, name }) => ({ name, attributes: values(attributes) })),
  status: statuses[span.status.code] ?? assert.fail(`No status: ${span.status.code}`),
  message: span.status.message
})

interface OtlpReceiver {
  readonly url: string
  readonly spans: ReadonlyArray<ReceivedSpan>
  /** The last that was received of each metric, by its name. */
  readonly metrics: ReadonlyMap<string, { readonly unit: string; readonly points: ReadonlyArray<ReceivedPoint> }>
  readonly logs: ReadonlyArray<string>
  /** All that came, as it came. */
  readonly bodies: ReadonlyArray<string>
}

/** A receiver that answers, or one that never does. */
export const make = (options: { readonly isSilent?: boolean } = {}) =>
  Effect.gen(function*() {
    const spans: Array<ReceivedSpan> = []
    const metrics: Map<string, { unit: string; points: ReadonlyArray<ReceivedPoint> }> = new Map()
    const logs: Array<string> = []
    const bodies: Array<string> = []
    const take: Readonly<Record<string, (json: unknown) => void>> = {
      "/v1/traces": (json) => {
        for (const { scopeSpans } of Schema.decodeUnknownSync(Traces)(json).resourceSpans) {
          for (const scope of scopeSpans) spans.push(...scope.spans.map(received))
        }
      },
      "/v1/metrics": (json) => {
        for (const { scopeMetrics } of Schema.decodeUnknownSync(Metrics)(json).resourceMetrics) {
          for (const metric of scopeMetrics.flatMap(({ metrics }) => metrics)) {
            const points = metric.sum ?? metric.gauge ?? metric.histogram
            metrics.set(metric.name, {
              unit: metric.unit,
              points: points?.dataPoints.map(({ asDouble, asInt, attributes, count, sum }) => {
                const { unit: _, ...labels } = values(attributes)
                return { labels, value: Number(asInt ?? asDouble ?? count), sum }
              }) ?? []
            })
          }
        }
      },
      "/v1/logs": (json) => {
        for (const { scopeLogs } of Schema.decodeUnknownSync(Logs)(json).resourceLogs) {
          for (const { body } of scopeLogs.flatMap(({ logRecords }) => logRecords)) logs.push(String(plain(body ?? {})))
        }
      }
    }
    const server = yield* Effect.acquireRelease(
      Effect.callback<Http.Server>((resume) => {
        const server = Http.createServer((request, response) => {
          const chunks: Array<Buffer> = []
          request.on("data", (chunk: Buffer) => chunks.push(chunk))
          request.on("end", () => {
            if (options.isSilent === true) return
            const whole = Buffer.concat(chunks)
            const text = (request.headers["content-encoding"] === "gzip" ? gunzipSync(whole) : whole).toString()
            bodies.push(text)
            try {
              const taken = take[request.url ?? ""]
              if (taken === undefined) throw new Error(`Nothing is received at ${request.url}`)
              taken(JSON.parse(text))
              response.writeHead(200, { "content-type": "application/json" }).end("{}")
            } catch (error) {
              response.writeHead(400).end(String(error))
            }
          })
        })
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) =>
        Effect.callback<void>((resume) => {
          server.close(() => resume(Effect.void))
          server.closeAllConnections()
        })
    )
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : assert.fail("No port")
    const receiver: OtlpReceiver = { url: `http://127.0.0.1:${port}`, spans, metrics, logs, bodies }
    return receiver
  })

/** A span and all that is inside of it. */
export interface Tree {
  readonly span: ReceivedSpan
  readonly children: ReadonlyArray<Tree>
}

/** The trees that spans make. Each span has an id of its own and a parent that was received, and lies inside of it in time. */
export const trees = (spans: ReadonlyArray<ReceivedSpan>): ReadonlyArray<Tree> => {
  const byId = new Map(spans.map((span) => [span.spanId, span]))
  assert.strictEqual(byId.size, spans.length, "two spans have the same id")
  for (const span of spans) {
    assert.match(span.traceId, /^[0-9a-f]{32}$/)
    assert.match(span.spanId, /^[0-9a-f]{16}$/)
    assert.isTrue(span.start <= span.end, `${span.name} ends before it begins`)
    if (span.parentSpanId === undefined) continue
    const parent = byId.get(span.parentSpanId) ?? assert.fail(`the parent of ${span.name} was never received`)
    assert.strictEqual(span.traceId, parent.traceId)
    assert.isTrue(span.start >= parent.start && span.end <= parent.end, `${span.name} is not inside of ${parent.name}`)
  }
  const inside = (id: string | undefined): ReadonlyArray<Tree> =>
    spans
      .filter(({ parentSpanId }) => parentSpanId === id)
      .toSorted((one, other) => one.start < other.start ? -1 : 1)
      .map((span) => ({ span, children: inside(span.spanId) }))
  return inside(undefined)
}

/** A tree by the names of its spans, for comparing: `call(attempt(connect))`. */
export const shape = ({ children, span }: Tree): string =>
  children.length === 0 ? span.name : `${span.name}(${children.map(shape).join(" ")})`
