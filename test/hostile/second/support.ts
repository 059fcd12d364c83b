/** What the programs of a hostile user share: a frame that watches what they leave, and servers that misbehave. */
import { SessionRegistry, Transport } from "@clawback/core"
import { NodeTransport } from "@clawback/node"
import { OpenAi } from "@clawback/providers"
import { Behavior, Dialect, FaultyProvider } from "@clawback/testing"
import { expect, it } from "@effect/vitest"
import { Cause, Context, type Duration, Effect, Exit, Layer, type Scope } from "effect"
import { createServer as createHttpServer, type RequestListener, type Server as HttpServer } from "node:http"
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"

/** Waits until something is so; fails with what it was at last. */
export const eventually = <A, E, R>(
  look: Effect.Effect<A, E, R>,
  isSo: (found: A) => boolean,
  what = "what was waited for"
): Effect.Effect<A, E, R> =>
  Effect.gen(function*() {
    for (let n = 0; n < 1500; n++) {
      const found = yield* look
      if (isSo(found)) return found
      yield* Effect.sleep("4 millis")
    }
    return yield* Effect.die(new Error(`${what} never came; at last it was ${JSON.stringify(yield* look)}`))
  })

/** Waits until the registry in force holds exactly this. */
export const holds = (expected: Readonly<Record<string, number>>) =>
  eventually(
    SessionRegistry.counts,
    (counts) =>
      JSON.stringify(Object.entries(counts).toSorted()) === JSON.stringify(Object.entries(expected).toSorted()),
    `sessions ${JSON.stringify(expected)}`
  )

/** What must not take for ever. */
export const promptly =
  (what: string, limit: Duration.Input = "6 seconds") => <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.timeoutOrElse(self, { duration: limit, orElse: () => Effect.die(new Error(`${what} hung`)) })

/** One program: it ends, and when its scope has closed no session is left. */
export const program = <A, E>(name: string, body: () => Effect.Effect<A, E, Scope.Scope>) =>
  it.live(
    name,
    () =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(promptly("the program", "12 seconds")(Effect.scoped(Effect.suspend(body))))
        if (Exit.isSuccess(exit)) yield* holds({})
        return yield* exit
      }).pipe(Effect.provide(SessionRegistry.layer({ sampleAll: true }))),
    25_000
  )

/** The tag of the typed error with which it failed; a success, a defect or an interruption is told apart. */
export const outcome = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<string, never, R> =>
  Effect.map(Effect.exit(self), (exit) => {
    if (Exit.isSuccess(exit)) return "success"
    const { cause } = exit
    const failed = cause.reasons.find(Cause.isFailReason)
    const died = cause.reasons.find(Cause.isDieReason)
    if (died !== undefined) return `defect ${String(died.defect)}`
    if (failed === undefined) return "interrupted"
    const { error } = failed
    return typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : String(error)
  })

/** The service of a layer that is open for as long as the scope. */
export const opened = <I, S, O, E, R>(service: Context.Key<I, S>, layer: Layer.Layer<O | I, E, R>) =>
  Effect.map(Layer.build(layer), (context) => Context.get(context as Context.Context<I>, service))

/** The transport of Node, for as long as the scope. */
export const transportOf = (options?: NodeTransport.Options) =>
  opened(Transport.Transport, NodeTransport.layer(options))

/** One request, its body as text. */
export const fetchText = (
  transport: Transport.Transport["Service"],
  url: string,
  request: Partial<Transport.Request> = {}
) => Effect.scoped(Effect.flatMap(transport.execute({ method: "GET", url, headers: {}, ...request }), Transport.text))

const listening = <S extends Server | HttpServer>(server: S, host: string) =>
  Effect.callback<S>((resume) => {
    server.listen(0, host, () => resume(Effect.succeed(server)))
  })

export interface Peer {
  readonly url: string
  readonly port: number
  /** Everything that came in, by connection. */
  readonly received: Array<string>
  /** Connections that are open at this side. */
  readonly open: Set<Socket>
  readonly accepted: () => number
  /** How many connections the other side has left. */
  readonly left: () => number
}

/** A server of plain TCP that does with each connection as it is told; `n` counts connections from 0. */
export const tcp = (
  onConnection: (socket: Socket, n: number, peer: Peer) => void,
  host = "127.0.0.1"
): Effect.Effect<Peer, never, Scope.Scope> =>
  Effect.gen(function*() {
    const received: Array<string> = []
    const open = new Set<Socket>()
    let accepted = 0
    let left = 0
    const server = createServer({ allowHalfOpen: false }, (socket) => {
      const n = accepted++
      received[n] = ""
      open.add(socket)
      socket.setNoDelay(true)
      socket.on("error", () => {})
      socket.on("data", (data) => received[n] += data.toString("latin1"))
      socket.on("close", () => {
        left++
        open.delete(socket)
      })
      onConnection(socket, n, peer)
    })
    yield* Effect.acquireRelease(listening(server, host), (server) =>
      Effect.callback<void>((resume) => {
        for (const socket of open) socket.destroy()
        server.close(() => resume(Effect.void))
      }))
    const { port } = server.address() as AddressInfo
    const peer: Peer = {
      url: `http://127.0.0.1:${port}`,
      port,
      received,
      open,
      accepted: () => accepted,
      left: () => left
    }
    return peer
  })

/** Answers each request (by the end of its head) with these bytes, one answer after the other; the last one again. */
export const answering = (...answers: ReadonlyArray<string | ((socket: Socket) => void)>) => {
  let next = 0
  return tcp((socket) => {
    let seen = ""
    socket.on("data", (data) => {
      seen += data.toString("latin1")
      for (let at = seen.indexOf("\r\n\r\n"); at >= 0; at = seen.indexOf("\r\n\r\n")) {
        const head = seen.slice(0, at)
        const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0)
        if (seen.length < at + 4 + length) return
        seen = seen.slice(at + 4 + length)
        const answer = answers[Math.min(next++, answers.length - 1)]
        if (typeof answer === "string") socket.write(answer, "latin1")
        else answer?.(socket)
      }
    })
  })
}

/** A server of node:http. */
export const http = (
  listener: RequestListener
): Effect.Effect<{ url: string; server: HttpServer }, never, Scope.Scope> =>
  Effect.gen(function*() {
    const server = createHttpServer(listener)
    server.on("clientError", (_, socket) => socket.destroy())
    yield* Effect.acquireRelease(listening(server, "127.0.0.1"), (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      }))
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
  })

/** An answer whose length is right. */
export const ok = (body: string, headers = "") =>
  `HTTP/1.1 200 OK\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`

export { expect }

/** A key that must never be seen. */
export const secret = "sk-hostile-5ecret-0123456789abcdef"

/** A provider on this machine that says what it is told to. */
export const speaking = (options: Partial<Dialect.Options> = {}) =>
  FaultyProvider.make({
    handler: Dialect.handler({ say: () => "Because someone opened them in one step.", ...options })
  })

/** A stream that goes on until its reader leaves. */
export const endless = Behavior.sse(
  [{ data: { id: "1", model: "m", choices: [{ index: 0, delta: { content: "word " } }] } }],
  { every: "2 millis", endless: true }
)

/** A model at that provider, both faces. */
export const modelAt = (
  { url }: { readonly url: string },
  options: Partial<OpenAi.Options> = {},
  transport: NodeTransport.Options = {}
) =>
  OpenAi.layer({ model: "m", baseUrl: `${url}/v1`, credential: Dialect.credential(secret), ...options }).pipe(
    Layer.provide(NodeTransport.layer(transport))
  )

/** Waits until no request is in flight at the server. */
export const idle = (provider: FaultyProvider.FaultyProvider["Service"]) =>
  provider.until(({ inFlight }) => inFlight === 0, "8 seconds")
