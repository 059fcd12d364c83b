/** One undici `Client` on one socket that is already open: undici speaks HTTP, and does not manage connections. */
import * as TransportError from "@clawback/core/TransportError"
import type * as Wire from "@clawback/core/Wire"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Net from "node:net"
import type { Readable } from "node:stream"
import { Client, type Dispatcher, errors } from "undici"
import { filter, Interim } from "./interim.ts"
import { Upload } from "./upload.ts"

/** How many bytes are buffered for a slow reader before the socket is paused. */
const highWaterMark = 256 * 1024

const lost = (origin: string, phase: TransportError.ConnectionLost["phase"], cause: Error) => {
  // The bytes that are not HTTP. They may repeat the request with its secrets, so no error of ours quotes them.
  if (cause instanceof errors.HTTPParserError) Reflect.deleteProperty(cause, "data")
  return new TransportError.ConnectionLost({ origin, phase, cause })
}

type SendError =
  | TransportError.InvalidRequest
  | TransportError.ConnectionLost
  | TransportError.RequestBodyFailed
  | TransportError.HeadersTooLarge

/** Turns undici's callbacks into a head to wait for, and a body to pull. */
class Reception implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | undefined
  private chunks: Array<Uint8Array> = []
  private buffered = 0
  private end: Effect.Effect<never, TransportError.ConnectionLost | Cause.Done> | undefined
  private isAborted = false
  private isTelling = false
  /** Whether undici has begun to write the request. */
  private isBegun = false
  private hasHead = false
  /** Whether the head says where the body ends. If not, it ends with the connection. */
  private isFramed = false
  private reader: ((pulled: Effect.Effect<Wire.Chunks, TransportError.ConnectionLost | Cause.Done>) => void) | undefined

  private readonly origin: string
  private readonly method: string
  private readonly socket: Net.Socket
  private readonly interim: Interim
  private readonly maxHeaderSize: number
  /** Dropped once the head has come: it refers to the fiber that waited, and the exchange outlives that. */
  private onHead: ((head: Effect.Effect<Wire.Exchange, SendError>) => void) | undefined

  constructor(
    origin: string,
    method: string,
    socket: Net.Socket,
    interim: Interim,
    maxHeaderSize: number,
    onHead: (head: Effect.Effect<Wire.Exchange, SendError>) => void
  ) {
    this.origin = origin
    this.method = method
    this.socket = socket
    this.interim = interim
    this.maxHeaderSize = maxHeaderSize
    this.onHead = onHead
  }

  onRequestStart(controller: Dispatcher.DispatchController) {
    this.controller = controller
    if (this.isAborted) return controller.abort(new errors.RequestAbortedError())
    this.isBegun = true
    this.interim.expect()
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Wire.Headers) {
    this.hasHead = true
    this.isFramed = this.method === "HEAD" || status === 204 || status === 304 ||
      headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined
    const { abort, pull } = this
    const exchange = Effect.succeed({ status, headers, pull, abort })
    queueMicrotask(() => this.tellHead(exchange))
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array) {
    this.chunks.push(chunk)
    this.buffered += chunk.byteLength
    if (this.reader !== undefined) this.tell()
    if (this.buffered > highWaterMark) controller.pause()
  }

  onResponseEnd() {
    // undici takes any end of the connection for the end of such a body, also a reset and our own closing.
    this.end = this.isFramed || this.socket.readableEnded
      ? Cause.done()
      : Effect.fail(lost(this.origin, "body", new Error("The connection ended before the body did")))
    if (this.reader !== undefined) this.tell()
  }

  onResponseError(_: unknown, error: Error) {
    if (!this.hasHead) return this.tellHead(Effect.fail(this.failure(error)))
    this.end = Effect.fail(lost(this.origin, "body", error))
    if (this.reader !== undefined) this.tell()
  }

  private tellHead(head: Effect.Effect<Wire.Exchange, SendError>) {
    const { onHead } = this
    this.onHead = undefined
    onHead?.(head)
  }

  /**
   * Resumes the reader once undici has delivered all of one packet: its body in one piece, and the head with it. undici
   * also delivers the end before it closes a connection that is not kept: a reader that went on at once would send the next
   * request on that connection.
   */
  private tell() {
    if (this.isTelling) return
    this.isTelling = true
    queueMicrotask(() => {
      this.isTelling = false
      const { reader } = this
      if (reader === undefined) return
      this.reader = undefined
      reader(this.next)
    })
  }

  private failure(error: Error): SendError {
    const { origin } = this
    if (error instanceof TransportError.RequestBodyFailed) return error
    if (error instanceof errors.HeadersOverflowError) {
      return new TransportError.HeadersTooLarge({ origin, limit: this.maxHeaderSize })
    }
    return error instanceof errors.InvalidArgumentError || error instanceof errors.NotSupportedError
      ? new TransportError.InvalidRequest({ origin, detail: error.message })
      : lost(origin, this.isBegun ? "head" : "request", error)
  }

  giveUp() {
    this.isAborted = true
    this.onHead = undefined
    this.controller?.abort(new errors.RequestAbortedError())
  }

  private readonly abort = Effect.sync(() => this.giveUp())

  private take(): Effect.Effect<Wire.Chunks> {
    const chunks = this.chunks as [Uint8Array, ...Array<Uint8Array>]
    this.chunks = []
    this.buffered = 0
    if (this.controller?.paused === true) this.controller.resume()
    return Effect.succeed(chunks)
  }

  /** The bytes that have come, or else how the body ended. */
  private get next() {
    return this.chunks.length > 0 ? this.take() : this.end ?? this.pull
  }

  private readonly pull: Wire.Exchange["pull"] = Effect.suspend(() => {
    if (this.chunks.length > 0 || this.end !== undefined) return this.next
    return Effect.callback((resume) => {
      this.reader = resume
      return Effect.sync(() => {
        this.reader = undefined
      })
    })
  })
}

export interface Options {
  /** The limit on the bytes of a response's headers. */
  readonly maxHeaderSize: number
  /**
   * Begins a connection. Returns the socket that belongs to it from the first packet on. It may settle with another socket
   * on top of that one.
   */
  readonly connect: (url: URL, settled: (outcome: ConnectError | Net.Socket) => void) => Net.Socket
}

type ConnectError = TransportError.ConnectFailed | TransportError.ProxyFailed

/** The longest delay of Node's timers, some 24 days. The transport ends idle connections long before. */
const longestTimer = 2 ** 31 - 1

/** Begins to connect. `close` closes the socket, whether or not it is connected by then. */
export const open = (url: URL, options: Options): Wire.Connection => {
  const { origin } = url
  let failure: ConnectError | undefined
  let established: Net.Socket | undefined
  const interim = new Interim(options.maxHeaderSize)
  let waiting: ((ready: Effect.Effect<void, ConnectError>) => void) | undefined

  // The client comes first: if it rejects its options, there is no socket yet to leak.
  let isOffered = false
  const client = new Client(origin, {
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: options.maxHeaderSize,
    keepAliveTimeout: longestTimer,
    keepAliveMaxTimeout: longestTimer,
    connect: (_, callback) => {
      // At the second call, undici asks for another socket than the one that it lost.
      const offered = isOffered ? undefined : established
      isOffered = true
      // undici does not continue its queue if the callback runs during the call.
      queueMicrotask(() =>
        offered === undefined ? callback(new Error("The connection was closed"), null) : callback(null, offered)
      )
    }
  })

  const base = options.connect(url, (outcome) => {
    if (outcome instanceof Error) failure = outcome
    else {
      established = outcome
      filter(outcome, interim, () => new errors.HeadersOverflowError())
      // Without a listener, an error after the connection was closed would end the process.
      outcome.on("error", () => {})
    }
    waiting?.(failure === undefined ? Effect.void : Effect.fail(failure))
    waiting = undefined
  })
  base.on("error", () => {})

  const dispatch = (
    request: Wire.Request,
    body: string | Uint8Array | Readable | null
  ): Effect.Effect<Wire.Exchange, SendError> =>
    Effect.callback((resume) => {
      const { maxHeaderSize } = options
      const reception = new Reception(origin, request.method, established ?? base, interim, maxHeaderSize, resume)
      client.dispatch({ method: request.method, path: request.path, headers: request.headers, body }, reception)
      return Effect.sync(() => reception.giveUp())
    })

  /** However the exchange ends, the body has released its resources by then. */
  const upload = (request: Wire.Request, body: Exclude<Wire.Body, string | Uint8Array>) =>
    Effect.contextWith((context: Context.Context<never>) => {
      const sent = new Upload(origin, body, context)
      const orStop = (exit: Exit.Exit<unknown, unknown>) => Exit.isSuccess(exit) ? undefined : sent.stop
      return Effect.map(
        Effect.onExitPrimitive(dispatch(request, sent), orStop),
        (exchange): Wire.Exchange => ({
          ...exchange,
          pull: Effect.onExitPrimitive(exchange.pull, orStop),
          abort: Effect.andThen(exchange.abort, sent.stop)
        })
      )
    })

  return {
    ready: Effect.callback((resume) => {
      if (failure !== undefined) return resume(Effect.fail(failure))
      if (established !== undefined) return resume(Effect.void)
      waiting = resume
      return Effect.sync(() => {
        waiting = undefined
      })
    }),
    closed: Effect.callback((resume) => {
      if (base.closed) return resume(Effect.void)
      const onClose = () => resume(Effect.void)
      base.once("close", onClose)
      return Effect.sync(() => base.off("close", onClose))
    }),
    isUsable: () =>
      established !== undefined && !established.destroyed && !base.destroyed && established.writable &&
      !established.readableEnded &&
      // The server may respond before it has read the whole body: the next request would wait behind the rest.
      established.writableLength === 0,
    send: (request) =>
      request.body === undefined || typeof request.body === "string" || request.body instanceof Uint8Array
        ? dispatch(request, request.body ?? null)
        : upload(request, request.body),
    // The socket nearest to the network: under a tunnel, what the proxy gets.
    transferred: () => ({ sent: base.bytesWritten, received: base.bytesRead }),
    close: Effect.sync(() => {
      established?.destroy()
      base.destroy()
      client.destroy().catch(() => {})
    })
  }
}
