/** The connections of a `node:http` server, and how they end when the server stops. */
import * as Effect from "effect/Effect"
import type * as Http from "node:http"
import * as Net from "node:net"

/** One request and its response, until the response is sent or the connection is closed. */
class Exchange {
  readonly response: Http.ServerResponse
  private isOver = false
  private readonly listeners: Array<() => void> = []

  constructor(response: Http.ServerResponse) {
    this.response = response
    response.once("close", this.end)
  }

  /** Calls `listener` when the exchange is over: at once if it is over already. */
  onOver(listener: () => void): void {
    if (this.isOver) listener()
    else this.listeners.push(listener)
  }

  readonly over: Effect.Effect<void> = Effect.callback((resume) => this.onOver(() => resume(Effect.void)))

  readonly end = (): void => {
    this.isOver = true
    for (const listener of this.listeners.splice(0)) listener()
  }
}

/** A connection that has brought a request. */
class Connection {
  readonly socket: Net.Socket
  private readonly exchanges = new Set<Exchange>()
  /** How much the connection had brought when its last exchange was over. */
  private bytesRead = 0

  constructor(socket: Net.Socket) {
    this.socket = socket
    // A pipelined response emits no event of its own when its connection closes.
    socket.once("close", () => {
      for (const exchange of this.exchanges) exchange.end()
    })
  }

  add(exchange: Exchange): void {
    this.exchanges.add(exchange)
    exchange.onOver(() => {
      this.exchanges.delete(exchange)
      this.bytesRead = this.socket.bytesRead
    })
  }

  /** Whether no request is under way, and none has begun to arrive. */
  get isIdle(): boolean {
    return this.exchanges.size === 0 && this.bytesRead === this.socket.bytesRead
  }
}

type OnRequest = (request: Http.IncomingMessage, over: Effect.Effect<void>) => void

export class Connections {
  private readonly server: Http.Server
  private readonly events: ReadonlyArray<"request" | "checkContinue">
  private readonly announce: OnRequest
  private readonly sockets = new Set<Net.Socket>()
  private readonly connections = new Map<Net.Socket, Connection>()
  /** The exchanges that are not over. */
  private readonly exchanges = new Map<Http.IncomingMessage, Exchange>()
  private isStopping = false
  private isAbandoned = false

  /** Watches the requests of these events. `announce` gets each request before the server's own handler does. */
  constructor(server: Http.Server, events: Connections["events"], announce: OnRequest = () => {}) {
    this.server = server
    this.events = events
    this.announce = announce
    server.on("connection", this.onConnection)
    // The handler may respond at once.
    for (const event of events) server.prependListener(event, this.onRequest)
  }

  private readonly onConnection = (socket: Net.Socket) => {
    if (this.isStopping) return socket.destroy()
    this.sockets.add(socket)
    socket.once("close", () => this.sockets.delete(socket))
  }

  private readonly onRequest = (request: Http.IncomingMessage, response: Http.ServerResponse) => {
    response.shouldKeepAlive = response.shouldKeepAlive && !this.isStopping
    const exchange = new Exchange(response)
    const connection = this.connectionOf(request.socket)
    connection.add(exchange)
    this.exchanges.set(request, exchange)
    exchange.onOver(() => {
      this.exchanges.delete(request)
      // The response's head may have promised to keep the connection.
      if (this.isStopping && connection.isIdle) connection.socket.destroySoon()
    })
    this.announce(request, exchange.over)
  }

  /** With TLS, this socket is not the one that the server's `connection` event brings. */
  private connectionOf(socket: Net.Socket): Connection {
    const known = this.connections.get(socket)
    if (known !== undefined) return known
    const connection = new Connection(socket)
    this.connections.set(socket, connection)
    socket.once("close", () => this.connections.delete(socket))
    return connection
  }

  /** Waits until the client has received a response that the server has written, or is gone. */
  sent(request: Http.IncomingMessage): Effect.Effect<void> {
    return Effect.suspend(() => {
      const exchange = this.exchanges.get(request)
      const isWritten = exchange?.response.writableEnded === true
      return exchange !== undefined && isWritten && !this.isAbandoned ? exchange.over : Effect.void
    })
  }

  /** Whether this request waits for a response. A request that asks for an upgrade has none here. */
  has(request: Http.IncomingMessage): boolean {
    return this.exchanges.has(request)
  }

  /** Drops a response, or what is written of it, that its client has not received. */
  dropUnread(request: Http.IncomingMessage): void {
    const response = this.exchanges.get(request)?.response
    if (response !== undefined && (response.writableEnded || response.writableLength > 0)) response.destroy()
  }

  /** Closes the listener and the idle connections. A connection in use is closed after its response. */
  stop(): void {
    this.isStopping = true
    for (const { response } of this.exchanges.values()) if (!response.headersSent) response.shouldKeepAlive = false
    // `Http.Server.close` also destroys connections whose responses are written but not sent.
    if (this.server.listening) Net.Server.prototype.close.call(this.server)
    for (const { isIdle, socket } of this.connections.values()) if (isIdle) socket.destroy()
  }

  /** Drops the responses that are written and that their clients do not read. */
  abandon(): void {
    this.isAbandoned = true
    for (const { response } of this.exchanges.values()) if (response.writableEnded) response.destroy()
  }

  /** Closes every connection, and what else the server holds. */
  destroy(): void {
    for (const socket of this.sockets) socket.destroy()
    // `stop` closes the listener only. This ends the timer that checks the connections. A closed listener is no fault here.
    this.server.close(() => {})
  }

  /** Watches the server no longer. */
  detach(): void {
    this.server.off("connection", this.onConnection)
    for (const event of this.events) this.server.off(event, this.onRequest)
  }
}
