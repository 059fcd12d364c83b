/** Servers on loopback that behave well or badly. What they hold ends with the scope. */
import { Effect, type Scope } from "effect"
import * as Http from "node:http"
import * as Net from "node:net"

/** What a server holds now. */
export interface Held {
  /** Where it listens: `127.0.0.1:12345`. */
  readonly host: string
  readonly sockets: ReadonlySet<Net.Socket>
  /** How many connections it has had. */
  readonly accepted: () => number
}

const listen = <S extends Net.Server>(server: S): Effect.Effect<Held, never, Scope.Scope> => {
  const sockets = new Set<Net.Socket>()
  let accepted = 0
  server.on("connection", (socket: Net.Socket) => {
    accepted++
    sockets.add(socket)
    socket.on("error", () => {})
    socket.on("close", () => sockets.delete(socket))
  })
  return Effect.acquireRelease(
    Effect.callback<Held>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const { port } = server.address() as Net.AddressInfo
        resume(Effect.succeed({ host: `127.0.0.1:${port}`, sockets, accepted: () => accepted }))
      })
    }),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        for (const socket of sockets) socket.destroy()
      })
  )
}

/** One that accepts connections and does with them what it is told: by default, it listens and says nothing. */
export const tcp = (onSocket: (socket: Net.Socket) => void = (socket) => socket.resume()) =>
  Effect.suspend(() => listen(Net.createServer(onSocket)))

/** A host and port where nobody listens. */
export const nobody = Effect.map(Effect.scoped(tcp()), ({ host }) => host)

export interface Requests extends Held {
  /** How many have come. */
  readonly begun: () => number
  /** How many are neither answered to the end nor given up by the client. */
  readonly open: () => number
}

/** One that answers each request, whose number it is told, from 0. */
export const http = (
  answer: (response: Http.ServerResponse, index: number) => void
): Effect.Effect<Requests, never, Scope.Scope> =>
  Effect.suspend(() => {
    let begun = 0
    let open = 0
    const server = Http.createServer((request, response) => {
      const index = begun++
      open++
      response.on("close", () => open--)
      request.resume().on("end", () => answer(response, index))
    })
    return Effect.map(listen(server), (held) => ({ ...held, begun: () => begun, open: () => open }))
  })

const data = (value: object) => `data: ${JSON.stringify(value)}\n\n`

/** An event with a piece of text. */
export const says = (content: string) =>
  data({ id: "chatcmpl-1", model: "gpt-5", choices: [{ index: 0, delta: { content }, finish_reason: null }] })

/** An answer up to its finish. */
export const finishedAnswer = says("Hello") + data({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] })

export const wholeAnswer = `${finishedAnswer}data: [DONE]\n\n`

/** Sends a stream's head, and these bytes. */
export const begin = (response: Http.ServerResponse, bytes = "") => {
  response.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders()
  if (bytes !== "") response.write(bytes)
}

/** Sends a stream to its end. */
export const answer = (response: Http.ServerResponse) => {
  begin(response, wholeAnswer)
  response.end()
}
