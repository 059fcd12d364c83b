/** Opens connections. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import type * as Net from "node:net"
import { Client } from "pg"
import { Connection, type Surroundings } from "./connection.ts"
import * as Errors from "./errors.ts"
import { nameOf, type Settings } from "./model.ts"
import * as Socket from "./socket.ts"

/** pg connects the stream that it gets. Ours is connected, with TLS if that is wanted. */
const connected = (socket: Net.Socket): Net.Socket =>
  Object.assign(socket, {
    connect: () => {
      queueMicrotask(() => socket.emit("connect"))
      return socket
    }
  })

/** Written as `-c name=value`, with a backslash before what would end the value. */
const optionsOf = (parameters: Readonly<Record<string, string>>): string =>
  Object.entries(parameters).map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\\s]/g, "\\$&")}`).join(" ")

/** pg keeps the password for as long as the client lives. It is not needed any more. */
const forgetPassword = (client: Client): void => {
  const { connectionParameters } = client as unknown as { readonly connectionParameters: { password: unknown } }
  connectionParameters.password = null
  Reflect.set(client, "password", null)
}

const start = (socket: Net.Socket, password: string | undefined, settings: Settings) =>
  Effect.callback<Client, SqlError>((resume) => {
    const { address: { host, port }, applicationName, database, parameters, user } = settings
    const client = new Client({
      host,
      port,
      user,
      database,
      ssl: false,
      stream: () => connected(socket),
      application_name: applicationName,
      options: optionsOf(parameters),
      // Called only if the server asks for it. A function, since pg takes an empty text for none, and looks elsewhere.
      password: () => {
        if (password === undefined) throw Errors.noPassword(settings)
        return password
      }
    })
    // Its errors come through `connect`, and later to the listeners of the connection.
    client.on("error", () => {})
    client.connect((error: Error | null) => {
      forgetPassword(client)
      resume(error === null ? Effect.succeed(client) : Effect.fail(Errors.ofConnect(error, settings)))
    })
  })

/**
 * Opens a connection that is closed with the scope. An interruption and the limit of time destroy its socket, also before it
 * is connected.
 */
export const open = (settings: Settings): Effect.Effect<Connection, SqlError, Scope.Scope> =>
  Effect.gen(function*() {
    const password = yield* settings.password
    const socket = yield* Effect.mapError(
      Socket.open(settings.address),
      ({ cause }) => Errors.ofConnect(cause, settings)
    )
    const client = yield* start(socket, password, settings)
    const context = yield* Effect.context<never>()
    const clock = yield* Clock.Clock
    const surroundings: Surroundings = {
      apart: (effect) => Effect.updateContext(effect, () => context),
      now: () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    }
    return yield* Effect.acquireRelease(
      Effect.sync(() => new Connection(client, socket, settings, surroundings)),
      (connection) => connection.close
    )
  }).pipe(
    Effect.timeoutOrElse({
      duration: settings.connectTimeout,
      orElse: () => {
        const server = nameOf(settings.address)
        const limit = Duration.format(settings.connectTimeout)
        return Effect.fail(
          Errors.lost(
            `${server} did not open a connection within ${limit}. Check that it runs and can be reached, or allow more time.`,
            "connect"
          )
        )
      }
    })
  )
