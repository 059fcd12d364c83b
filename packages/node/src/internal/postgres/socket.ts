/** Sockets to a server, TLS included. Both a connection and a request to cancel begin with one. */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import * as Tls from "node:tls"
import type { Address } from "./model.ts"

/** The length of the packet, and the code of SSLRequest. https://www.postgresql.org/docs/current/protocol-message-formats.html */
const sslRequest = Uint8Array.of(0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f)

/** Why a socket did not open. */
export class SocketFailed extends Data.TaggedError("SocketFailed")<{ readonly cause: Error }> {}

const failed = (cause: Error | string): SocketFailed =>
  new SocketFailed({ cause: typeof cause === "string" ? new Error(cause) : cause })

/** Waits for one event. Ignores what comes after. */
const once = (socket: Net.Socket, event: string): Effect.Effect<unknown, SocketFailed> =>
  Effect.callback((resume) => {
    const onEvent = (value: unknown) => end(Effect.succeed(value))
    const onError = (error: Error) => end(Effect.fail(failed(error)))
    const onClose = () => end(Effect.fail(failed("The server closed the connection")))
    const stop = () => socket.off(event, onEvent).off("error", onError).off("close", onClose)
    const end = (result: Effect.Effect<unknown, SocketFailed>) => {
      stop()
      resume(result)
    }
    socket.once(event, onEvent).once("error", onError).once("close", onClose)
    return Effect.sync(stop)
  })

const unsupported = "The server does not offer TLS. Set up its certificate, or use the option `tls: false`"

const secure = (socket: Net.Socket, { host }: Address, tls: Tls.ConnectionOptions) =>
  Effect.gen(function*() {
    socket.write(sslRequest)
    const answer = yield* once(socket, "data")
    // More than this one byte could only be an attacker's, who wants it to be taken for what comes encrypted.
    if (!(answer instanceof Uint8Array) || answer.length !== 1) {
      return yield* failed("The server's answer to the request for TLS is not PostgreSQL's")
    }
    if (answer[0] !== 0x53) return yield* failed(unsupported)
    const name = Net.isIP(host) === 0 ? { servername: host } : {}
    const secured = yield* held(() => Tls.connect({ host, ...name, ...tls, socket }))
    yield* once(secured, "secureConnect")
    return secured
  })

/** Destroys a socket with its scope, also one that is still connecting: then it never connects. */
const held = <S extends Net.Socket>(connect: () => S): Effect.Effect<S, never, Scope.Scope> =>
  Effect.acquireRelease(
    // An error after its last reader has gone changes nothing: "close" follows.
    Effect.sync(() => connect().on("error", () => {})),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** Opens a socket that is destroyed with the scope. */
export const open = (address: Address): Effect.Effect<Net.Socket, SocketFailed, Scope.Scope> =>
  Effect.gen(function*() {
    const { host, port, tls } = address
    const socket = yield* held(() =>
      host.startsWith("/") ? Net.connect(`${host}/.s.PGSQL.${port}`) : Net.connect({ host, port, noDelay: true })
    )
    yield* once(socket, "connect")
    return tls === undefined ? socket : yield* secure(socket, address, tls)
  })
