/** Servers on loopback that live as long as the scope, and know the sockets that are open to them. */
import { Effect, type Scope } from "effect"
import type * as Http from "node:http"
import { createServer as createHttp } from "node:http"
import * as Https from "node:https"
import * as Net from "node:net"

export interface Server {
  readonly port: number
  readonly url: string
  /** Open now. */
  readonly sockets: ReadonlySet<Net.Socket>
  /** How many there ever were. */
  readonly accepted: () => number
}

export const listen = (
  server: Net.Server,
  protocol: string,
  host = "127.0.0.1"
): Effect.Effect<Server, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<{ readonly server: Server; readonly close: Effect.Effect<void> }>((resume) => {
      const sockets = new Set<Net.Socket>()
      let accepted = 0
      server.on("connection", (socket) => {
        accepted++
        sockets.add(socket)
        socket.on("error", () => {})
        socket.on("close", () => sockets.delete(socket))
      })
      const close = Effect.callback<void>((closed) => {
        server.close(() => closed(Effect.void))
        for (const socket of sockets) socket.destroy()
      })
      server.listen(0, host, () => {
        const { port } = server.address() as Net.AddressInfo
        const name = host.includes(":") ? `[${host}]` : host
        resume(Effect.succeed({
          server: { port, url: `${protocol}://${name}:${port}`, sockets, accepted: () => accepted },
          close
        }))
      })
    }),
    ({ close }) => close
  ).pipe(Effect.map(({ server }) => server))

export const http = (handle: Http.RequestListener, host?: string) =>
  listen(createHttp({ keepAlive: true }, handle), "http", host)

export const https = (options: Https.ServerOptions, handle: Http.RequestListener) =>
  listen(Https.createServer(options, handle), "https")

/** Bytes, and nothing that knows HTTP. */
export const tcp = (handle: (socket: Net.Socket) => void) => listen(Net.createServer(handle), "http")
