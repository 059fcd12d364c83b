/** The connections of clients that ask for an upgrade, and leave before they get a response. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Http from "node:http"

/** Node stops watching a connection that asks for an upgrade. This listener consumes no bytes of what follows. */
const onUpgrade = ({ socket }: Http.IncomingMessage): void => {
  const { bytesWritten } = socket
  // A connection that is upgraded has sent its 101, and may be closed in one direction alone.
  socket.once("end", () => {
    if (socket.bytesWritten === bytesWritten) socket.destroy()
  })
}

/** Closes the connection of a client that leaves before its upgrade, for as long as the scope is open. */
export const closeAbandoned = (server: Http.Server): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(Effect.acquireRelease(
    Effect.sync(() => server.prependListener("upgrade", onUpgrade)),
    () => Effect.sync(() => server.off("upgrade", onUpgrade))
  ))
