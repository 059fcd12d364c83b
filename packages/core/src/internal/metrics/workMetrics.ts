/** The metrics of sessions, calls and connections. */
import { Attribute } from "./attributes.ts"
import { define } from "./model.ts"

const call = [Attribute.operation, Attribute.provider, Attribute.requestModel] as const

/** Bounds in seconds, as OpenTelemetry's conventions for generative AI give them. */
const seconds = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
const tokens = [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216, 67_108_864]
const shortSeconds = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export const workMetrics = {
  sessionsOpen: define({
    kind: "gauge",
    name: "clawback.session.open",
    unit: "{session}",
    description: "Sessions that are open",
    labels: [Attribute.sessionKind]
  }),
  sessionsOpened: define({
    kind: "counter",
    name: "clawback.session.opened",
    unit: "{session}",
    description: "Sessions that were opened",
    labels: [Attribute.sessionKind]
  }),
  sessionsClosed: define({
    kind: "counter",
    name: "clawback.session.closed",
    unit: "{session}",
    description: "Sessions that were closed: opened less closed is open, always",
    labels: [Attribute.sessionKind]
  }),
  sessionAge: define({
    kind: "gauge",
    name: "clawback.session.age",
    unit: "s",
    description: "Age of the oldest session that is open",
    labels: [Attribute.sessionKind],
    combine: Math.max
  }),
  callDuration: define({
    kind: "histogram",
    name: "gen_ai.client.operation.duration",
    unit: "s",
    description: "Time from the beginning of a call to its end, however it ended",
    labels: [...call, Attribute.errorType],
    boundaries: seconds
  }),
  timeToFirstChunk: define({
    kind: "histogram",
    name: "gen_ai.client.operation.time_to_first_chunk",
    unit: "s",
    description: "Time from the beginning of a streamed call to the first of its output",
    labels: call,
    boundaries: seconds
  }),
  tokenUsage: define({
    kind: "histogram",
    name: "gen_ai.client.token.usage",
    unit: "{token}",
    description: "Tokens of a call, as its provider counted them",
    labels: [...call, Attribute.tokenType],
    boundaries: tokens
  }),
  outputRate: define({
    kind: "histogram",
    name: "clawback.call.output_rate",
    unit: "{token}/s",
    description: "Output tokens of a streamed call by the time from the first of its output to the last",
    labels: call,
    boundaries: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]
  }),
  attempts: define({
    kind: "counter",
    name: "clawback.call.attempts",
    unit: "{attempt}",
    description: "Attempts that calls have made, and how they ended",
    labels: [...call, Attribute.errorType]
  }),
  retries: define({
    kind: "counter",
    name: "clawback.call.retries",
    unit: "{attempt}",
    description: "Attempts beyond the first of their call, by why the one before failed",
    labels: [...call, Attribute.errorType]
  }),
  timeouts: define({
    kind: "counter",
    name: "clawback.call.timeouts",
    unit: "{timeout}",
    description: "Attempts that took longer than they may, by the limit that they passed",
    labels: [...call, Attribute.timeoutKind]
  }),
  connections: define({
    kind: "gauge",
    name: "clawback.connection.open",
    unit: "{connection}",
    description: "Connections by what they do",
    labels: [Attribute.pool, Attribute.connectionState]
  }),
  connectionsMax: define({
    kind: "gauge",
    name: "clawback.connection.max",
    unit: "{connection}",
    description: "Connections that a pool may have",
    labels: [Attribute.pool]
  }),
  connectionsPending: define({
    kind: "gauge",
    name: "clawback.connection.pending_requests",
    unit: "{request}",
    description: "Requests that wait for a connection",
    labels: [Attribute.pool]
  }),
  connectionIo: define({
    kind: "counter",
    name: "clawback.connection.io",
    unit: "By",
    description: "Bytes that connections sent and received, with headers",
    labels: [Attribute.pool, Attribute.ioDirection]
  }),
  connectionTimeouts: define({
    kind: "counter",
    name: "clawback.connection.timeouts",
    unit: "{timeout}",
    description: "Requests that got no connection in time",
    labels: [Attribute.pool]
  }),
  connectionWaitTime: define({
    kind: "histogram",
    name: "clawback.connection.wait_time",
    unit: "s",
    description: "Time that requests waited for a connection, where none was free at once",
    labels: [Attribute.pool],
    boundaries: shortSeconds
  }),
  connectionCreateTime: define({
    kind: "histogram",
    name: "clawback.connection.create_time",
    unit: "s",
    description: "Time that it took to connect",
    labels: [Attribute.pool],
    boundaries: shortSeconds
  })
} as const
