/** The listening socket of a faulty provider, and its faults before any request. */
import * as Effect from "effect/Effect"
import * as Net from "node:net"
import { Worker } from "node:worker_threads"
import { type Listening, Unavailable } from "./control.ts"

/**
 * A thread that listens, fills its own queue and then accepts no connection. It must stop in the turn in which it connects: the
 * next turn would accept.
 */
const deaf = `
const { parentPort, workerData } = require("node:worker_threads")
const net = require("node:net")
const server = net.createServer()
server.on("error", (error) => parentPort.postMessage({ error: error.code }))
server.listen({ port: workerData.port, host: workerData.host, backlog: 1 }, () => {
  for (let i = 0; i < 2; i++) net.connect(workerData.port, workerData.host).on("error", () => {})
  process.nextTick(() => process.nextTick(() => {
    parentPort.postMessage({})
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  }))
})`

const fillBacklog = (port: number, host: string) =>
  Effect.callback<Worker, Unavailable>((resume) => {
    const worker = new Worker(deaf, { eval: true, execArgv: [], workerData: { port, host } })
    worker.once("error", (error) => resume(Effect.fail(new Unavailable({ cause: error }))))
    worker.once("message", ({ error }: { readonly error?: string }) =>
      resume(error === undefined ? Effect.succeed(worker) : Effect.fail(new Unavailable({ cause: error }))))
  })

const listen = (server: Net.Server, port: number, host: string) =>
  Effect.callback<number, Unavailable>((resume) => {
    const failed = (cause: Error) => resume(Effect.fail(new Unavailable({ cause })))
    server.once("error", failed)
    server.listen(port, host, () => {
      server.off("error", failed)
      const address = server.address()
      resume(Effect.succeed(typeof address === "object" ? address?.port ?? port : port))
    })
  })

export class Listener {
  port = 0
  readonly sockets = new Set<Net.Socket>()
  private how: Listening = "accept"
  private server: Net.Server | undefined
  private worker: Worker | undefined
  private readonly host: string
  private readonly onSocket: (socket: Net.Socket, isGood: boolean) => void

  /** Called for each connection. A good one must be served. */
  constructor(host: string, onSocket: (socket: Net.Socket, isGood: boolean) => void) {
    this.host = host
    this.onSocket = onSocket
  }

  private accept(socket: Net.Socket): void {
    // The callback may change the connection.
    const { how } = this
    this.sockets.add(socket)
    socket.on("error", () => {})
    socket.on("close", () => this.sockets.delete(socket))
    this.onSocket(socket, how === "accept")
    // If a client that got nothing ends its side, this side ends too.
    if (how === "silent") socket.on("end", () => socket.end()).resume()
    if (how === "close") socket.destroySoon()
    if (how === "reset") socket.resetAndDestroy()
  }

  /** Stops listening. Connections that were accepted stay. */
  private readonly unlisten = Effect.gen({ self: this }, function*() {
    const { server, worker } = this
    this.server = undefined
    this.worker = undefined
    // The callback of `close` would also wait for the connections.
    server?.close()
    if (worker !== undefined) yield* Effect.promise(() => worker.terminate())
  })

  set(how: Listening): Effect.Effect<void, Unavailable> {
    return Effect.gen({ self: this }, function*() {
      const listens = how !== "refuse" && how !== "fullBacklog"
      this.how = how
      if (listens && this.server !== undefined) return
      yield* this.unlisten
      if (how === "fullBacklog") this.worker = yield* fillBacklog(this.port, this.host)
      if (!listens) return
      const server = Net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.accept(socket))
      this.port = yield* listen(server, this.port, this.host)
      this.server = server
    }).pipe(Effect.uninterruptible)
  }

  /** Resets the open connections, and waits until they are closed. */
  readonly close = Effect.gen({ self: this }, function*() {
    this.how = "reset"
    const { server } = this
    const closed = server === undefined
      ? Effect.void
      : Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
    for (const socket of this.sockets) socket.destroy()
    yield* closed
    this.server = undefined
    yield* this.unlisten
  })
}
