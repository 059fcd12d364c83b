/** The server itself: a listener in front, HTTP behind it, and a fiber for each request. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Http from "node:http"
import * as Https from "node:https"
import type * as Net from "node:net"
import { pid } from "node:process"
import * as Answer from "./answer.ts"
import * as Certificates from "./certificates.ts"
import type { Control, Server, Unavailable } from "./control.ts"
import { type Entry, Journal, type Received } from "./journal.ts"
import { Listener } from "./listener.ts"
import { Behavior } from "./script.ts"

export type Handler = (request: Received) => Behavior | undefined

export interface Options {
  readonly tls: boolean
  readonly host: string
  readonly port: number
  readonly keep: number
  readonly otherwise: Behavior
  readonly behaviors: Readonly<Record<string, Behavior>>
  readonly handler: Handler | undefined
}

export const behaviorHeader = "x-faulty-behavior"
export const idHeader = "x-faulty-id"

/** The monotonic clock that all processes of a machine share. */
const liveClock = Context.get(Context.empty(), Clock.Clock)
const now = () => Number(liveClock.monotonicTimeNanosUnsafe()) / 1e6

const originOf = (socket: Net.Socket) => `${socket.remoteAddress} ${socket.remotePort}`

const single = (value: string | ReadonlyArray<string> | undefined) => typeof value === "string" ? value : value?.[0]

const decodeBehavior = Schema.decodeUnknownOption(Schema.fromJsonString(Behavior))

const wrong = (text: string): Behavior => ({
  name: "not a behavior",
  steps: [
    { _tag: "Head", status: 500, headers: { "content-type": "text/plain" } },
    { _tag: "Body", source: { text } }
  ]
})

const unescape = (value: string): string => {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

/** A behavior by name, or written out. */
const byHeader = (value: string, known: Options["behaviors"]): Behavior => {
  const found = Object.hasOwn(known, value) ? known[value] : undefined
  if (found !== undefined) return found
  const text = unescape(value)
  return Option.getOrElse(
    decodeBehavior(text),
    () => wrong(`${behaviorHeader} is neither the name of a behavior nor one in JSON: ${text.slice(0, 200)}\n`)
  )
}

/** A TCP connection. */
interface Connection {
  readonly socket: Net.Socket
  /** Counted from 1. */
  readonly number: number
  isReset: boolean
}

export const make = Effect.fnUntraced(function*(options: Options): Effect.fn.Return<Server, Unavailable, Scope.Scope> {
  const journal = new Journal(options.keep, now)
  const queue: Array<Behavior> = []
  let otherwise = options.otherwise
  let isOver = false
  /** The connections by their remote address: a TLS socket has nothing else in common with its TCP socket. */
  const connections = new Map<string, Connection>()

  const choose = (entry: Entry): Behavior | undefined => {
    const header = single(entry.headers[behaviorHeader])
    if (header !== undefined) return byHeader(header, options.behaviors)
    const next = queue.shift()
    if (next !== undefined) return next
    // A handler gets the body, so it is called when the body has been read.
    return options.handler === undefined ? otherwise : undefined
  }

  const handled = ({ entry, whole = [] }: Answer.Exchange): Behavior => {
    try {
      return options.handler?.({ ...entry, body: Buffer.concat(whole).toString("utf8") }) ?? otherwise
    } catch (error) {
      return wrong(`The handler failed: ${String(error)}\n`)
    }
  }

  const serve = Effect.fnUntraced(function*(request: Omit<Answer.Exchange, "whole">) {
    const { entry } = request
    const chosen = choose(entry)
    const exchange: Answer.Exchange = { ...request, whole: chosen === undefined ? [] : undefined }
    if (chosen !== undefined) journal.began(entry, chosen.name)
    yield* Answer.read(exchange, chosen?.reading ?? "whole")
    const behavior = chosen ?? handled(exchange)
    if (chosen === undefined) journal.began(entry, behavior.name)
    yield* Answer.perform(exchange, behavior).pipe(
      // What Node refuses to write, such as a status of 1000.
      Effect.catchDefect((defect) =>
        Answer.perform(
          exchange,
          exchange.response.headersSent
            ? Answer.brokenOff
            : wrong(`${behavior.name} cannot be done: ${String(defect)}\n`)
        )
      )
    )
  })

  const run = yield* FiberSet.makeRuntime<never, void, never>()

  const onRequest: Http.RequestListener = (request, response) => {
    const connection = connections.get(originOf(request.socket))
    if (connection === undefined) return
    const { number, socket } = connection
    const entry = journal.received({
      id: single(request.headers[idHeader]),
      connection: number,
      method: request.method ?? "",
      url: request.url ?? "",
      headers: request.headers
    })
    const fiber = run(serve({ request, response, socket, entry, journal }))
    request.on("error", () => {})
    response.on("error", () => {})
    response.on("close", () => {
      // The script may continue after a complete response.
      if (response.writableFinished) return
      journal.ended(entry, "aborted", connection.isReset ? "reset" : "close")
      fiber.interruptUnsafe()
    })
  }

  const httpOptions = { maxHeaderSize: 16 * 1024 * 1024, keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }
  const server = options.tls
    ? Https.createServer(
      { ...httpOptions, ca: Certificates.ca, cert: Certificates.cert, key: Certificates.key },
      onRequest
    )
    : Http.createServer(httpOptions, onRequest)
  server.on("clientError", (_, socket) => socket.destroy())
  // The socket below TLS does not get this.
  server.on("tlsClientError", (_, secure) => connections.get(originOf(secure))?.socket.destroy())
  // Errors below TLS are reported above it.
  server.on("secureConnection", (secure: Net.Socket) => {
    const connection = connections.get(originOf(secure))
    secure.on("error", (error) => {
      if (connection !== undefined && "code" in error && error.code === "ECONNRESET") connection.isReset = true
    })
  })

  const listener = new Listener(options.host, (socket, isGood) => {
    journal.accepted()
    const origin = originOf(socket)
    const connection: Connection = { socket, number: journal.counts(0).accepted, isReset: false }
    connections.set(origin, connection)
    socket.once("error", () => void (connection.isReset = true))
    socket.once("close", () => {
      connections.delete(origin)
      journal.closed()
    })
    if (isOver) socket.destroy()
    else if (isGood) server.emit("connection", socket)
  })
  yield* Effect.acquireRelease(
    Effect.suspend(() => {
      listener.port = options.port
      return listener.set("accept")
    }),
    () =>
      Effect.suspend(() => {
        isOver = true
        return listener.close
      })
  )

  const control: Control = {
    snapshot: () => Effect.sync(() => ({ version: journal.version, counts: journal.counts(queue.length) })),
    requests: () => Effect.sync(() => journal.requests()),
    changed: (version) =>
      Effect.callback<void>((resume) => {
        if (journal.version > version) return resume(Effect.void)
        const stop = journal.listen(() => {
          stop()
          // One reply covers all changes of a turn.
          resume(Effect.yieldNow)
        })
        return Effect.sync(stop)
      }),
    enqueue: (behaviors) =>
      Effect.sync(() => {
        queue.push(...behaviors)
        journal.changed()
      }),
    otherwise: (behavior) => Effect.sync(() => void (otherwise = behavior)),
    listening: (how) => listener.set(how),
    disconnect: (how) =>
      Effect.sync(() => {
        for (const socket of listener.sockets) {
          if (how === "close") socket.destroySoon()
          else socket.resetAndDestroy()
        }
      }),
    forget: () => Effect.sync(() => journal.forget())
  }
  return { address: { port: listener.port, pid }, control }
})
