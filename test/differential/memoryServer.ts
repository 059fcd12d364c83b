/** A server in memory, and the ways to reach it: a wire for our transport, a minimal transport and a minimal client. */
import { Transport, TransportError, type Wire } from "@clawback/core"
import { Cause, Deferred, Effect, Exit, Inspectable, Option, Pipeable, type Pull, Stream } from "effect"
import {
  Cookies,
  Headers,
  HttpClient,
  HttpClientError,
  type HttpClientRequest,
  HttpClientResponse,
  HttpIncomingMessage
} from "effect/http"

/** Nothing more is sent, and the connection stays open. */
export const silence = Symbol("silence")
/** The connection breaks. */
export const reset = Symbol("reset")

export interface Reply {
  readonly status?: number | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** How long the head takes, in milliseconds. */
  readonly after?: number | typeof silence | undefined
  /** Texts, and how long to wait before the next one. */
  readonly body?: ReadonlyArray<string | number | typeof silence | typeof reset> | undefined
  /** Whether the head says how long the body is. */
  readonly isSized?: boolean | undefined
}

/** What is answered to the so-manieth request for a path. */
export type Handler = (path: string, times: number, body: string) => Reply

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly pull: Pull.Pull<Wire.Chunks, TransportError.ConnectionLost>
}

const bytes = (text: string) => new TextEncoder().encode(text)

/** Whatever is sent as a body, as text. */
const textOf = (body: Wire.Body | undefined): Effect.Effect<string> =>
  body === undefined
    ? Effect.succeed("")
    : typeof body === "string"
    ? Effect.succeed(body)
    : body instanceof Uint8Array
    ? Effect.succeed(new TextDecoder().decode(body))
    : Effect.orDie(Stream.mkString(Stream.decodeText(body)))

export class MemoryServer {
  /** What was asked for, in order. */
  readonly requests: Array<string> = []
  readonly connections: Array<MemoryConnection> = []
  /** What happened to a connection that must not. */
  readonly faults = new Set<string>()
  private readonly handler: Handler

  constructor(handler: Handler) {
    this.handler = handler
  }

  /** The answer, once its head has come. `broken` ends everything. */
  readonly answer = (path: string, body: Wire.Body | undefined): Effect.Effect<Answer> =>
    Effect.flatMap(textOf(body), (text) => {
      const times = this.requests.filter((one) => one === path).length + 1
      this.requests.push(path)
      const { after = 0, body: pieces = [], headers = {}, isSized = true, status = 200 } = this.handler(
        path,
        times,
        text
      )
      const rest = [...pieces]
      const length = rest.reduce<number>((sum, one) => sum + (typeof one === "string" ? bytes(one).byteLength : 0), 0)
      const pull: Answer["pull"] = Effect.suspend(() => {
        const piece = rest[0]
        if (piece === undefined) return Cause.done()
        if (piece === silence) return Effect.never
        if (piece === reset) return lost("body")
        if (typeof piece === "number") {
          return Effect.andThen(Effect.sleep(piece), Effect.suspend(() => (rest.shift(), pull)))
        }
        return Effect.map(Effect.yieldNow, () => {
          rest.shift()
          return [bytes(piece)] as const
        })
      })
      const answered = { status, headers: { ...headers, ...(isSized && { "content-length": String(length) }) }, pull }
      return after === silence ? Effect.never : Effect.as(Effect.sleep(after), answered)
    })

  /** The wire to it. */
  readonly wire: Wire.Wire = {
    connect: () =>
      Effect.sync(() => {
        const connection = new MemoryConnection(this)
        this.connections.push(connection)
        return connection
      })
  }

  /** What is wrong with its connections when nothing goes on any more. */
  get amiss(): ReadonlyArray<string> {
    const open = this.connections.filter(({ state }) => state !== "closed").length
    return [...this.faults, ...open === 0 ? [] : [`${open} connections open`]]
  }
}

const lost = (phase: "head" | "body") =>
  Effect.fail(new TransportError.ConnectionLost({ origin: "http://server.test", phase, cause: "reset" }))

class MemoryConnection implements Wire.Connection {
  state: "connecting" | "open" | "closed" = "connecting"
  private isBusy = false
  private isRead = false
  private readonly gone = Deferred.makeUnsafe<void>()
  private readonly server: MemoryServer

  constructor(server: MemoryServer) {
    this.server = server
  }

  readonly ready = Effect.andThen(
    Effect.yieldNow,
    Effect.sync(() => {
      if (this.state === "connecting") this.state = "open"
    })
  )
  readonly closed = Deferred.await(this.gone)
  readonly isUsable = () => this.state === "open"
  readonly close = Effect.sync(() => {
    this.state = "closed"
    Deferred.doneUnsafe(this.gone, Exit.void)
  })

  private unlessGone<A, E>(phase: "head" | "body", effect: Effect.Effect<A, E>) {
    return Effect.raceFirst(effect, Effect.andThen(this.closed, lost(phase)))
  }

  /** A connection's bytes are for one who waits: a second one would take his place. */
  private oneReader<A, E>(pull: Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      if (this.isRead) this.server.faults.add("a body was read by two at once")
      this.isRead = true
      return Effect.onExit(pull, () =>
        Effect.sync(() => {
          this.isRead = false
        }))
    })
  }

  readonly send = ({ body, path }: Wire.Request) =>
    Effect.suspend(() => {
      if (this.isBusy) this.server.faults.add("a connection was shared")
      if (this.state !== "open") this.server.faults.add("a connection was used that was not open")
      this.isBusy = true
      return this.unlessGone("head", this.server.answer(path, body)).pipe(
        Effect.map(({ headers, pull, status }) => ({
          status,
          headers,
          pull: Effect.tapCause(this.unlessGone("body", this.oneReader(pull)), (cause) =>
            Effect.suspend(() => {
              if (cause.reasons.some((reason) => Cause.isFailReason(reason) && Cause.isDone(reason.error))) {
                this.isBusy = false
                return Effect.void
              }
              return Cause.hasInterrupts(cause) ? Effect.void : this.close
            })),
          abort: this.close
        })),
        Effect.onInterrupt(() => this.close)
      )
    })
}

const pathOf = (url: string) => new URL(url).pathname

/** As simple as a transport can be: no connections, no limits, no sessions. */
export const plainTransport = (server: MemoryServer): Transport.Transport["Service"] =>
  Transport.Transport.of({
    execute: ({ body, url }) =>
      Effect.map(server.answer(pathOf(url), body), ({ headers, pull, status }) => ({
        status,
        headers,
        sentAt: 0,
        body: pull
      }))
  })

/** The same as an `HttpClient`. */
export const plainClient = (server: MemoryServer): HttpClient.HttpClient =>
  HttpClient.make((request, url) =>
    Effect.map(
      server.answer(url.pathname, request.body._tag === "Uint8Array" ? request.body.body : undefined),
      (answer) => new PlainResponse(request, url, answer)
    )
  )

const unused = Effect.die(new Error("No program of the table asks for this"))

class PlainResponse extends Inspectable.Class implements HttpClientResponse.HttpClientResponse {
  readonly [HttpClientResponse.TypeId]: typeof HttpClientResponse.TypeId = HttpClientResponse.TypeId
  readonly [HttpIncomingMessage.TypeId]: typeof HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly request: HttpClientRequest.HttpClientRequest
  readonly url: string
  readonly status: number
  readonly headers: Headers.Headers
  readonly cookies = Cookies.empty
  readonly remoteAddress = Option.none<string>()
  readonly formData = unused
  readonly upgrade = unused
  readonly urlParamsBody = unused
  readonly stream: Stream.Stream<Uint8Array, HttpClientError.HttpClientError>
  private whole: string | undefined

  constructor(request: HttpClientRequest.HttpClientRequest, url: URL, { headers, pull, status }: Answer) {
    super()
    this.request = request
    this.url = url.href
    this.status = status
    this.headers = Headers.fromInput(headers)
    this.stream = Stream.fromPull(
      Effect.succeed(
        Effect.mapError(pull, (cause) =>
          Cause.isDone(cause) ? cause : new HttpClientError.HttpClientError({
            reason: new HttpClientError.TransportError({ request, cause, description: cause.message })
          }))
      )
    )
  }

  get text() {
    return Effect.suspend(() =>
      this.whole !== undefined
        ? Effect.succeed(this.whole)
        : Effect.map(Stream.mkString(Stream.decodeText(this.stream)), (text) => this.whole = text)
    )
  }

  get json() {
    return Effect.map(this.text, (text) => JSON.parse(text))
  }

  get arrayBuffer() {
    return Effect.map(this.text, (text) => bytes(text).buffer)
  }

  toJSON() {
    return { status: this.status }
  }

  pipe() {
    return Pipeable.pipeArguments(this, arguments)
  }
}
