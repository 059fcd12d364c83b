/** The names of attributes and spans. */

/** Attributes of spans, and labels of metrics. */
export const Attribute = {
  /** `chat`, `embeddings`, `execute_tool`. */
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
  toolName: "gen_ai.tool.name",
  /** The provider's id of the tool call. */
  toolCallId: "gen_ai.tool.call.id",
  /** `function`: a tool that the app executes. */
  toolType: "gen_ai.tool.type",
  conversation: "gen_ai.conversation.id",
  /** The caller's tenant. */
  tenant: "clawback.caller.tenant",
  /** The caller's subject. */
  subject: "enduser.id",
  /** Followed by a dot and the name of one of the caller's tags. */
  callerTag: "clawback.caller.tag",
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
  /** The name of a pool of items other than HTTP connections. */
  poolName: "clawback.pool.name",
  /** The name of a client of Redis. */
  redisName: "clawback.redis.name",
  /** `idle`, `busy`, `opening`, `validating`, `resetting` or `closing`. */
  itemState: "clawback.pool.item.state",
  /** Why a pool closed an item, such as `idle` or `lifetime`. */
  closeReason: "clawback.pool.close.reason",
  /** The sort of store that keeps a lease: `memory`, `file`, `redis`, `sql`. */
  leaseStore: "clawback.lease.store",
  /** `granted`, `busy`, `failed` or `interrupted`. */
  leaseOutcome: "clawback.lease.outcome",
  /** `expired` or `refused`. */
  leaseLoss: "clawback.lease.loss.reason",
  /** `transmit` or `receive`. */
  ioDirection: "network.io.direction",
  /** The fields of the request that the provider's protocol lacks, in a list. A field that is not listed there is `other`. */
  requestDropped: "clawback.request.dropped",
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
