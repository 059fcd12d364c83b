/** The connections of a `node:http` server, and what becomes of them when it stops. */
import * as Effect from "effect/Effect"
import type * as Http from "node:http"
import type * as Net from "node:net"
import process from "node:process"

const closed = (response: Http.ServerResponse): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (response.closed) return resume(Effect.void)
    response.once("close", () => resume(Effect.void))
  })

export class Connections {
  private readonly server: Http.Server
  private readonly sockets = new Set<Net.Socket>()
  private readonly answering = new Set<Http.ServerResponse>()
  private readonly onAnswer: (request: Http.IncomingMessage, closed: Effect.Effect<void>) => void
  private isStopping = false

  /** `onAnswer` is told of each request, and how to wait until its answer is sent or given up. */
  constructor(server: Http.Server, onAnswer: Connections["onAnswer"]) {
    this.server = server
    this.onAnswer = onAnswer
    server.on("connection", this.onConnection)
    // Before whoever answers, who may do so at once.
    server.prependListener("request", this.onRequest)
  }

  private readonly onConnection = (socket: Net.Socket) => {
    if (this.isStopping) return socket.destroy()
    this.sockets.add(socket)
    socket.once("close", () => this.sockets.delete(socket))
  }

  private readonly onRequest = (request: Http.IncomingMessage, response: Http.ServerResponse) => {
    response.shouldKeepAlive = response.shouldKeepAlive && !this.isStopping
    this.answering.add(response)
    response.once("close", () => {
      this.answering.delete(response)
      // The connection counts as idle only after this.
      if (this.isStopping) process.nextTick(() => this.server.closeIdleConnections())
    })
    this.onAnswer(request, closed(response))
  }

  stop() {
    this.isStopping = true
    for (const response of this.answering) if (!response.headersSent) response.shouldKeepAlive = false
    if (this.server.listening) this.server.close()
    this.server.closeIdleConnections()
  }

  destroy() {
    for (const socket of this.sockets) socket.destroy()
  }

  forget() {
    this.server.off("connection", this.onConnection)
    this.server.off("request", this.onRequest)
  }
}
