/**
 * The names under which the SDK shows itself: attributes of spans, and metrics.
 *
 * Where OpenTelemetry has a name for a thing, that is the name. Its conventions for generative AI and for connections
 * are still in development, so the names are pinned here, and change with us alone. Sources: semantic-conventions 1.45
 * (`error.*`, `server.*`, `v8js.*`, `nodejs.*`, `process.*`; `db.client.connection.*` is the pattern for
 * `clawback.connection.*`, which counts every kind of pool) and the repository semantic-conventions-genai, which took
 * `gen_ai.*` over from it. Our own names begin with `clawback.`.
 *
 * No attribute and no label holds a secret, or anything of what was asked and answered. No label holds a tenant, subject
 * or conversation.
 */
import type { Instrument, Kind } from "./Instrument.ts"

/** Attributes of spans, and labels of metrics. */
export const Attribute = {
  /** `chat`, `embeddings`. */
  operation: "gen_ai.operation.name",
  provider: "gen_ai.provider.name",
  requestModel: "gen_ai.request.model",
  requestStream: "gen_ai.request.stream",
  requestMaxTokens: "gen_ai.request.max_tokens",
  requestTemperature: "gen_ai.request.temperature",
  requestTopP: "gen_ai.request.top_p",
  requestSeed: "gen_ai.request.seed",
  /** `base64` or `float`, in a list. */
  requestEncodingFormats: "gen_ai.request.encoding_formats",
  /** How long the vectors are to be. */
  requestDimensions: "gen_ai.embeddings.dimension.count",
  responseId: "gen_ai.response.id",
  responseModel: "gen_ai.response.model",
  finishReasons: "gen_ai.response.finish_reasons",
  /** In seconds, from when the call began. */
  timeToFirstChunk: "gen_ai.response.time_to_first_chunk",
  inputTokens: "gen_ai.usage.input_tokens",
  outputTokens: "gen_ai.usage.output_tokens",
  cacheReadTokens: "gen_ai.usage.cache_read.input_tokens",
  cacheCreationTokens: "gen_ai.usage.cache_creation.input_tokens",
  reasoningTokens: "gen_ai.usage.reasoning.output_tokens",
  /** `input` or `output`. */
  tokenType: "gen_ai.token.type",
  conversation: "gen_ai.conversation.id",
  /** The tag of the error; absent where there was none. */
  errorType: "error.type",
  serverAddress: "server.address",
  serverPort: "server.port",
  /** `major`, `minor`, `incremental` or `weakcb`. */
  gcType: "v8js.gc.type",
  heapSpace: "v8js.heap.space.name",
  resourceType: "v8js.resource.type",
  /** `active` or `idle`. */
  eventLoopState: "nodejs.eventloop.state",
  /** `user` or `system`. */
  cpuMode: "cpu.mode",
  sessionKind: "clawback.session.kind",
  /** The origin that the connections of a pool go to. */
  pool: "clawback.connection.pool.name",
  /** `connecting`, `used`, `idle` or `closing`. */
  connectionState: "clawback.connection.state",
  /** Counts up from 1 within a call. */
  attempt: "clawback.attempt.number",
  /** `queue`, `connect`, `first_token`, `idle` or `total`. */
  timeoutKind: "clawback.timeout.kind",
  /** As the kernel names it, in lower case: `established`, `close_wait`. */
  socketState: "clawback.socket.state",
  /** `external`, `array_buffers`, or `other` for what is resident beside those and the heap. */
  memoryKind: "clawback.memory.kind"
} as const

/** Names of spans. A call is named after its operation and model: `chat gpt-5`. */
export const SpanName = {
  /** One try of a call, which has as many of them as it takes. */
  attempt: "attempt",
  /** Waiting for a connection; absent where one was free. */
  wait: "wait",
  /** Opening a connection; absent where one was open. */
  connect: "connect",
  /** From sending the request to the first of the output. */
  firstToken: "first token",
  /** From the first of the output to its end. */
  stream: "stream"
} as const

const instrument = <K extends Kind, const Label extends string>(instrument: Instrument<K, Label>) => instrument

const call = [Attribute.operation, Attribute.provider, Attribute.requestModel] as const

/** Bounds in seconds, as OpenTelemetry's conventions for generative AI give them. */
const seconds = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
const tokens = [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864]
const shortSeconds = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

const delay = (which: string, words: string): Instrument<"gauge", never> => ({
  kind: "gauge",
  name: `nodejs.eventloop.delay.${which}`,
  unit: "s",
  description: `${words} delay of the event loop, in the last interval`,
  labels: []
})

/** Every metric of the SDK. */
export const Metrics = {
  sessionsOpen: instrument({
    kind: "gauge",
    name: "clawback.session.open",
    unit: "{session}",
    description: "Sessions that are open",
    labels: [Attribute.sessionKind]
  }),
  sessionsOpened: instrument({
    kind: "counter",
    name: "clawback.session.opened",
    unit: "{session}",
    description: "Sessions that were opened",
    labels: [Attribute.sessionKind]
  }),
  sessionsClosed: instrument({
    kind: "counter",
    name: "clawback.session.closed",
    unit: "{session}",
    description: "Sessions that were closed: opened less closed is open, always",
    labels: [Attribute.sessionKind]
  }),
  sessionAge: instrument({
    kind: "gauge",
    name: "clawback.session.age",
    unit: "s",
    description: "Age of the oldest session that is open",
    labels: [Attribute.sessionKind],
    combine: Math.max
  }),
  callDuration: instrument({
    kind: "histogram",
    name: "gen_ai.client.operation.duration",
    unit: "s",
    description: "Time from the beginning of a call to its end, however it ended",
    labels: [...call, Attribute.errorType],
    boundaries: seconds
  }),
  timeToFirstChunk: instrument({
    kind: "histogram",
    name: "gen_ai.client.operation.time_to_first_chunk",
    unit: "s",
    description: "Time from the beginning of a streamed call to the first of its output",
    labels: call,
    boundaries: seconds
  }),
  tokenUsage: instrument({
    kind: "histogram",
    name: "gen_ai.client.token.usage",
    unit: "{token}",
    description: "Tokens of a call, as its provider counted them",
    labels: [...call, Attribute.tokenType],
    boundaries: tokens
  }),
  outputRate: instrument({
    kind: "histogram",
    name: "clawback.call.output_rate",
    unit: "{token}/s",
    description: "Output tokens of a streamed call by the time from the first of its output to the last",
    labels: call,
    boundaries: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]
  }),
  attempts: instrument({
    kind: "counter",
    name: "clawback.call.attempts",
    unit: "{attempt}",
    description: "Attempts that calls have made, and how they ended",
    labels: [...call, Attribute.errorType]
  }),
  retries: instrument({
    kind: "counter",
    name: "clawback.call.retries",
    unit: "{attempt}",
    description: "Attempts beyond the first of their call, by why the one before failed",
    labels: [...call, Attribute.errorType]
  }),
  timeouts: instrument({
    kind: "counter",
    name: "clawback.call.timeouts",
    unit: "{timeout}",
    description: "Attempts that took longer than they may, by the limit that they passed",
    labels: [...call, Attribute.timeoutKind]
  }),
  connections: instrument({
    kind: "gauge",
    name: "clawback.connection.open",
    unit: "{connection}",
    description: "Connections by what they do",
    labels: [Attribute.pool, Attribute.connectionState]
  }),
  connectionsMax: instrument({
    kind: "gauge",
    name: "clawback.connection.max",
    unit: "{connection}",
    description: "Connections that a pool may have",
    labels: [Attribute.pool]
  }),
  connectionsPending: instrument({
    kind: "gauge",
    name: "clawback.connection.pending_requests",
    unit: "{request}",
    description: "Requests that wait for a connection",
    labels: [Attribute.pool]
  }),
  connectionTimeouts: instrument({
    kind: "counter",
    name: "clawback.connection.timeouts",
    unit: "{timeout}",
    description: "Requests that got no connection in time",
    labels: [Attribute.pool]
  }),
  connectionWaitTime: instrument({
    kind: "histogram",
    name: "clawback.connection.wait_time",
    unit: "s",
    description: "Time that requests waited for a connection, where none was free at once",
    labels: [Attribute.pool],
    boundaries: shortSeconds
  }),
  connectionCreateTime: instrument({
    kind: "histogram",
    name: "clawback.connection.create_time",
    unit: "s",
    description: "Time that it took to connect",
    labels: [Attribute.pool],
    boundaries: shortSeconds
  }),
  memory: instrument({
    kind: "gauge",
    name: "process.memory.usage",
    unit: "By",
    description: "Physical memory of the process",
    labels: []
  }),
  nonHeap: instrument({
    kind: "gauge",
    name: "clawback.process.memory.non_heap",
    unit: "By",
    description: "Memory of the process outside of the JavaScript heap",
    labels: [Attribute.memoryKind]
  }),
  heapUsed: instrument({
    kind: "gauge",
    name: "v8js.memory.heap.used",
    unit: "By",
    description: "Heap that is in use",
    labels: [Attribute.heapSpace]
  }),
  heapSize: instrument({
    kind: "gauge",
    name: "v8js.memory.heap.space.size",
    unit: "By",
    description: "Heap that is set aside",
    labels: [Attribute.heapSpace]
  }),
  heapLimit: instrument({
    kind: "gauge",
    name: "clawback.process.memory.heap_limit",
    unit: "By",
    description: "What the heap may grow to before the process dies",
    labels: []
  }),
  gcDuration: instrument({
    kind: "histogram",
    name: "v8js.gc.duration",
    unit: "s",
    description: "Time that garbage collections took",
    labels: [Attribute.gcType],
    // Those of the conventions begin at 0.01, where most collections are over.
    boundaries: [0.001, 0.01, 0.1, 1, 10]
  }),
  resources: instrument({
    kind: "gauge",
    name: "v8js.resource.active",
    unit: "{resource}",
    description: "Resources that keep the event loop alive",
    labels: [Attribute.resourceType]
  }),
  eventLoopDelayMin: delay("min", "Least"),
  eventLoopDelayMax: delay("max", "Greatest"),
  eventLoopDelayMean: delay("mean", "Mean"),
  eventLoopDelayStddev: delay("stddev", "Standard deviation of the"),
  eventLoopDelayP50: delay("p50", "Median"),
  eventLoopDelayP90: delay("p90", "90th percentile of the"),
  eventLoopDelayP99: delay("p99", "99th percentile of the"),
  eventLoopUtilization: instrument({
    kind: "gauge",
    name: "nodejs.eventloop.utilization",
    unit: "1",
    description: "Share of the time that the event loop was busy, in the last interval",
    labels: []
  }),
  eventLoopTime: instrument({
    kind: "counter",
    name: "nodejs.eventloop.time",
    unit: "s",
    description: "Time that the event loop was busy and idle",
    labels: [Attribute.eventLoopState]
  }),
  cpuTime: instrument({
    kind: "counter",
    name: "process.cpu.time",
    unit: "s",
    description: "CPU time of the process",
    labels: [Attribute.cpuMode]
  }),
  uptime: instrument({
    kind: "gauge",
    name: "process.uptime",
    unit: "s",
    description: "Time since the process began",
    labels: []
  }),
  descriptors: instrument({
    kind: "gauge",
    name: "process.unix.file_descriptor.count",
    unit: "{file_descriptor}",
    description: "File descriptors that the process has open",
    labels: []
  }),
  descriptorLimit: instrument({
    kind: "gauge",
    name: "clawback.process.file_descriptor.limit",
    unit: "{file_descriptor}",
    description: "File descriptors that the process may have open",
    labels: []
  }),
  sockets: instrument({
    kind: "gauge",
    name: "clawback.process.sockets",
    unit: "{socket}",
    description: "TCP sockets that the process holds, as the kernel counts them",
    labels: [Attribute.socketState]
  })
} as const
