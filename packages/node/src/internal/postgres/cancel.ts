/** CancelRequest: a packet on a connection of its own that ends the running statement of another connection. */
import * as Session from "@clawback/core/Session"
import type { SessionError } from "@clawback/core/SessionError"
import * as Effect from "effect/Effect"
import type * as Net from "node:net"
import { type Address, nameOf } from "./model.ts"
import * as Socket from "./socket.ts"

/** What the server gave a connection, so that it can be cancelled. */
interface Key {
  readonly processId: number
  readonly secret: number
}

/** The code of CancelRequest. https://www.postgresql.org/docs/current/protocol-message-formats.html */
const code = 80877102

const packet = ({ processId, secret }: Key): Uint8Array => {
  const bytes = new DataView(new ArrayBuffer(16))
  bytes.setInt32(0, 16)
  bytes.setInt32(4, code)
  bytes.setInt32(8, processId)
  bytes.setInt32(12, secret)
  return new Uint8Array(bytes.buffer)
}

const closed = (socket: Net.Socket): Effect.Effect<void> =>
  Effect.callback((resume) => {
    if (socket.closed) return resume(Effect.void)
    socket.resume().once("close", () => resume(Effect.void))
  })

export interface Request {
  readonly address: Address
  readonly key: Key
  /** Asked once the connection for the request is open. If it is not wanted any more, nothing is sent. */
  readonly isWanted: () => boolean
  /** Runs right before the packet is sent. */
  readonly onSend: () => void
}

/**
 * Sends a CancelRequest, as a session of the kind `"connection"`. Returns when the server has closed the connection for it: by
 * then the server has signalled the process that runs the statement, so the signal cannot hit a later statement. The caller
 * limits its time.
 */
export const send = (
  { address, isWanted, key, onSend }: Request
): Effect.Effect<void, Socket.SocketFailed | SessionError> =>
  Effect.flatMap(Socket.open(address), (socket) => {
    if (!isWanted()) return Effect.void
    onSend()
    // The server closes the connection, not we: over TLS it would not read on after our end.
    socket.write(packet(key))
    return closed(socket)
  }).pipe(
    Session.scoped({ kind: "connection", name: nameOf(address), attributes: { request: "cancel" } })
  )
