/** A client that sees bytes: what comes, in which pieces, and how the connection ends. */
import { FaultyProvider } from "@clawback/testing"
import { Effect, type Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Net from "node:net"
import * as Tls from "node:tls"

export interface Client {
  readonly socket: Net.Socket
  readonly pieces: ReadonlyArray<string>
  /** All that has come. */
  readonly text: () => string
  /** How the connection ended, once it has. */
  readonly ended: () => "close" | "reset" | undefined
  /** Ends the connection by a TCP reset, below TLS where there is TLS. */
  readonly reset: () => void
  /** Waits until it is so, for 5 seconds at most. */
  readonly until: (isSo: () => boolean) => Effect.Effect<void>
}

/** Real time: sockets do not wait for the test clock. */
const inTime = <A>(what: string, effect: Effect.Effect<A>) =>
  TestClock.withLive(Effect.timeoutOrElse(effect, {
    duration: "5 seconds",
    orElse: () => Effect.die(new Error(`Not within 5 seconds: ${what}`))
  }))

/** Opens a connection; what is left of it is reset with the scope. */
export const open = (
  url: string,
  { halfOpen = false, paused = false }: { readonly halfOpen?: boolean; readonly paused?: boolean } = {}
): Effect.Effect<Client, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync((): Client => {
      const { hostname: host, port, protocol } = new URL(url)
      const listeners = new Set<() => void>()
      const pieces: Array<string> = []
      let ended: "close" | "reset" | undefined
      const tell = () => listeners.forEach((listener) => listener())
      const tcp = Net.connect({ host, port: Number(port), allowHalfOpen: halfOpen })
      const socket = protocol === "https:"
        ? Tls.connect({ socket: tcp, ca: FaultyProvider.ca, servername: Net.isIP(host) === 0 ? host : "" })
        : tcp
      if (!paused) {
        socket.on("data", (data) => {
          pieces.push(data.toString("latin1"))
          tell()
        })
      }
      for (const each of new Set([tcp, socket])) {
        each.on("error", (error) => {
          if ("code" in error && error.code === "ECONNRESET") ended = "reset"
          tell()
        })
      }
      tcp.on("end", () => {
        ended ??= "close"
        tell()
      })
      tcp.on("close", () => {
        ended ??= "close"
        tell()
      })
      socket.on("connect", tell)
      const text = () => pieces.join("")
      return {
        socket,
        pieces,
        text,
        ended: () => ended,
        reset: () => void tcp.resetAndDestroy(),
        until: (isSo) =>
          inTime(
            `${isSo}, with ${JSON.stringify(text().slice(-500))}, ended by ${ended}`,
            Effect.callback<void>((resume) => {
              const look = () => {
                if (!isSo()) return
                listeners.delete(look)
                resume(Effect.void)
              }
              listeners.add(look)
              look()
              return Effect.sync(() => listeners.delete(look))
            })
          )
      }
    }),
    ({ socket }) => Effect.sync(() => socket.destroy())
  )

/** A request in text. */
export const request = (headers: Readonly<Record<string, string>> = {}, body = "", length = body.length) =>
  `POST /v1/chat HTTP/1.1\r\nhost: provider\r\ncontent-length: ${length}\r\n${
    Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("")
  }\r\n${body}`

/** Opens a connection and sends a request. */
export const send = (
  url: string,
  headers?: Readonly<Record<string, string>>,
  body?: string,
  options?: Parameters<typeof open>[1]
) => Effect.tap(open(url, options), ({ socket }) => Effect.sync(() => socket.write(request(headers, body))))

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Of chunked coding, what is in the chunks. */
  readonly body: string
}

/** Reads an answer from its text, if it is whole. */
export const parse = (text: string): Answer | undefined => {
  const end = text.indexOf("\r\n\r\n")
  if (end < 0) return undefined
  const [line = "", ...fields] = text.slice(0, end).split("\r\n")
  const headers = Object.fromEntries(fields.map((field) => {
    const colon = field.indexOf(":")
    return [field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim()]
  }))
  const status = Number(line.split(" ")[1])
  let rest = text.slice(end + 4)
  if (headers["transfer-encoding"] !== "chunked") {
    return rest.length < Number(headers["content-length"] ?? 0) ? undefined : { status, headers, body: rest }
  }
  let body = ""
  while (true) {
    const at = rest.indexOf("\r\n")
    const size = Number.parseInt(rest.slice(0, at), 16)
    if (at < 0 || rest.length < at + 2 + size + 2) return undefined
    if (size === 0) return { status, headers, body }
    body += rest.slice(at + 2, at + 2 + size)
    rest = rest.slice(at + 2 + size + 2)
  }
}

/** Sends a request and reads the whole answer. */
export const ask = (url: string, headers?: Readonly<Record<string, string>>, body?: string) =>
  Effect.scoped(Effect.gen(function*() {
    const client = yield* send(url, headers, body)
    yield* client.until(() => parse(client.text()) !== undefined || client.ended() !== undefined)
    const answer = parse(client.text())
    return answer ?? (yield* Effect.die(new Error(`No whole answer: ${client.text()}, ended by ${client.ended()}`)))
  }))
