/** One undici `Client` on one socket that is already open: undici speaks HTTP, and never decides about connections. */
import * as TransportError from "@clawback/core/TransportError"
import type * as Wire from "@clawback/core/Wire"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Net from "node:net"
import { Client, type Dispatcher, errors } from "undici"

/** Bytes that a response may run ahead of its reader before the socket is no longer read. */
const highWaterMark = 256 * 1024

const lost = (origin: string, phase: "head" | "body", cause: Error) => {
  // The bytes that are no HTTP. They may repeat the request, secrets included, so no error of ours quotes them.
  if (cause instanceof errors.HTTPParserError) Reflect.deleteProperty(cause, "data")
  return new TransportError.ConnectionLost({ origin, phase, cause })
}

/** Turns undici's calls into one awaited head, and a body that is pulled. */
class Reception implements Dispatcher.DispatchHandler {
  private controller: Dispatcher.DispatchController | undefined
  private chunks: Array<Uint8Array> = []
  private buffered = 0
  private end: Effect.Effect<never, TransportError.ConnectionLost | Cause.Done> | undefined
  private isAborted = false
  private hasHead = false
  /** Whether the head says where the body ends. If not, it ends with the connection. */
  private isFramed = false
  private reader: ((pulled: Effect.Effect<Wire.Chunks, TransportError.ConnectionLost | Cause.Done>) => void) | undefined

  private readonly origin: string
  private readonly method: string
  private readonly socket: Net.Socket
  private readonly onHead: (
    head: Effect.Effect<Wire.Exchange, TransportError.InvalidRequest | TransportError.ConnectionLost>
  ) => void

  constructor(origin: string, method: string, socket: Net.Socket, onHead: Reception["onHead"]) {
    this.origin = origin
    this.method = method
    this.socket = socket
    this.onHead = onHead
  }

  onRequestStart(controller: Dispatcher.DispatchController) {
    this.controller = controller
    if (this.isAborted) controller.abort(new errors.RequestAbortedError())
  }

  onResponseStart(_: Dispatcher.DispatchController, status: number, headers: Wire.Headers) {
    // Informational responses precede the real one. (undici refuses `100 Continue`, which nobody asked for.)
    if (status < 200) return
    this.hasHead = true
    this.isFramed = this.method === "HEAD" || status === 204 || status === 304 ||
      headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined
    this.onHead(Effect.succeed({ status, headers, pull: this.pull, abort: Effect.sync(() => this.abort()) }))
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array) {
    this.chunks.push(chunk)
    this.buffered += chunk.byteLength
    if (this.reader !== undefined) this.answer(this.take())
    else if (this.buffered > highWaterMark) controller.pause()
  }

  onResponseEnd() {
    // undici takes any end of the connection for the end of such a body, a reset and our own closing included.
    const end = this.end = this.isFramed || this.socket.readableEnded
      ? Cause.done()
      : Effect.fail(lost(this.origin, "body", new Error("The connection ended before the body did")))
    // undici tells of the end first, and closes a connection that is not to be kept after that: whoever goes on at once
    // would send the next request on it.
    if (this.reader !== undefined) queueMicrotask(() => this.answer(end))
  }

  onResponseError(_: unknown, error: Error) {
    if (!this.hasHead) {
      return this.onHead(Effect.fail(
        error instanceof errors.InvalidArgumentError || error instanceof errors.NotSupportedError
          ? new TransportError.InvalidRequest({ origin: this.origin, detail: error.message })
          : lost(this.origin, "head", error)
      ))
    }
    this.end = Effect.fail(lost(this.origin, "body", error))
    if (this.reader !== undefined) this.answer(this.end)
  }

  abort() {
    this.isAborted = true
    this.controller?.abort(new errors.RequestAbortedError())
  }

  private take(): Effect.Effect<Wire.Chunks> {
    const [first, ...rest] = this.chunks
    this.chunks = []
    this.buffered = 0
    if (this.controller?.paused === true) this.controller.resume()
    return Effect.succeed([first!, ...rest])
  }

  private answer(pulled: Effect.Effect<Wire.Chunks, TransportError.ConnectionLost | Cause.Done>) {
    const reader = this.reader
    this.reader = undefined
    reader?.(pulled)
  }

  private readonly pull: Wire.Exchange["pull"] = Effect.suspend(() => {
    if (this.chunks.length > 0) return this.take()
    if (this.end !== undefined) return this.end
    return Effect.callback((resume) => {
      this.reader = resume
      return Effect.sync(() => {
        this.reader = undefined
      })
    })
  })
}

export interface Options {
  readonly keepAliveTimeout: number
  readonly connect: (url: URL, settled: (outcome: Error | Net.Socket) => void) => Net.Socket
  readonly connectFailed: (origin: string, error: Error) => TransportError.ConnectFailed
}

/** Begins to connect. What is born is closed by `close`, whether or not it was established by then. */
export const open = (url: URL, options: Options): Wire.Connection => {
  const { origin } = url
  let failure: TransportError.ConnectFailed | undefined
  let established: Net.Socket | undefined
  let waiting: ((ready: Effect.Effect<void, TransportError.ConnectFailed>) => void) | undefined

  // The client comes first: should it refuse its options, there is no socket yet to be left behind.
  let isOffered = false
  const client = new Client(origin, {
    pipelining: 1,
    headersTimeout: 0,
    bodyTimeout: 0,
    keepAliveTimeout: options.keepAliveTimeout,
    keepAliveMaxTimeout: options.keepAliveTimeout,
    keepAliveTimeoutThreshold: 1_000,
    connect: (_, callback) => {
      // Asked a second time, undici wants another socket than the one that it lost.
      const offered = isOffered ? undefined : established
      isOffered = true
      // undici does not go on with what it queued if it is answered while it asks.
      queueMicrotask(() =>
        offered === undefined ? callback(new Error("The connection was closed"), null) : callback(null, offered)
      )
    }
  })

  const socket = options.connect(url, (outcome) => {
    if (outcome instanceof Error) failure = options.connectFailed(origin, outcome)
    else established = outcome
    waiting?.(failure === undefined ? Effect.void : Effect.fail(failure))
    waiting = undefined
  })
  // Without a listener an error that comes after the connection was given up would end the process.
  socket.on("error", () => {})

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
      if (socket.closed) return resume(Effect.void)
      const onClose = () => resume(Effect.void)
      socket.once("close", onClose)
      return Effect.sync(() => socket.off("close", onClose))
    }),
    isUsable: () => established !== undefined && !socket.destroyed && socket.writable && !socket.readableEnded,
    send: (request) =>
      Effect.callback((resume) => {
        const reception = new Reception(origin, request.method, socket, resume)
        client.dispatch({
          method: request.method,
          path: request.path,
          headers: request.headers,
          body: request.body ?? null
        }, reception)
        return Effect.sync(() => reception.abort())
      }),
    close: Effect.sync(() => {
      socket.destroy()
      client.destroy().catch(() => {})
    })
  }
}
