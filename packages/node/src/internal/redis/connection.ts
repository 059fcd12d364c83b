/**
 * One connection to Redis: a client of node-redis that never connects again by itself. Whoever opens it decides what follows
 * when it is lost.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { RedisError } from "effect/persistence/Redis"
import type * as Scope from "effect/Scope"
import { createClient, RESP_TYPES, type TypeMapping } from "redis"
import * as Errors from "./errors.ts"
import { type Address, type Arguments, type Form, type Settings } from "./model.ts"

type Client = ReturnType<typeof createClient>

const mappings: Readonly<Record<Form, TypeMapping>> = {
  text: {},
  // Keys of maps are bytes as well, which objects cannot have.
  bytes: { [RESP_TYPES.BLOB_STRING]: Buffer, [RESP_TYPES.VERBATIM_STRING]: Buffer, [RESP_TYPES.MAP]: Array }
}

/** The encoder takes texts and Buffers. */
const encoded = (arg: string | Uint8Array): string | Buffer => {
  if (typeof arg === "string" || arg instanceof Buffer) return arg
  return Buffer.from(arg.buffer, arg.byteOffset, arg.byteLength)
}

/** Copies bytes out of the chunk that they came in, which would be kept with them. */
const owned = (answer: unknown): unknown =>
  answer instanceof Uint8Array ? new Uint8Array(answer) : Array.isArray(answer) ? answer.map(owned) : answer

export class Connection {
  private readonly client: Client
  private readonly abort: AbortController
  private lost: { readonly cause: unknown } | undefined
  private readonly onLost: Array<(cause: unknown) => void> = []

  constructor(client: Client, abort: AbortController) {
    this.client = client
    this.abort = abort
    client.on("error", (cause) => this.lose(cause))
    client.on("end", () => this.lose(new Error("The connection was closed")))
  }

  get isOpen(): boolean {
    return this.lost === undefined
  }

  /** Resolves once commands can be sent. */
  async connect(): Promise<void> {
    await this.client.connect()
  }

  /** Calls `f` when the connection is lost, or at once if it is. */
  whenLost(f: (cause: unknown) => void): void {
    if (this.lost === undefined) this.onLost.push(f)
    else f(this.lost.cause)
  }

  private lose(cause: unknown): void {
    if (this.lost !== undefined) return
    this.lost = { cause }
    this.destroy()
    for (const f of this.onLost.splice(0)) f(cause)
  }

  /** Closes the socket, also while it connects. Commands that were sent are rejected. */
  destroy(): void {
    this.lost ??= { cause: new Error("The connection was closed") }
    this.client.destroy()
    // A socket that is not connected yet is unknown to the client.
    this.abort.abort()
    for (const f of this.onLost.splice(0)) f(this.lost.cause)
  }

  async send(args: Arguments, form: Form): Promise<unknown> {
    const answer = await this.client.sendCommand(args.map(encoded), { typeMapping: mappings[form] })
    return form === "bytes" ? owned(answer) : answer
  }

  async subscribe(channel: string, onMessage: (message: string) => void): Promise<void> {
    await this.client.subscribe(channel, onMessage)
  }

  /** Fails once the connection is lost, with the reason. */
  readonly awaitLost: Effect.Effect<unknown> = Effect.callback((resume) => {
    this.whenLost((cause) => resume(Effect.succeed(cause)))
  })
}

const socketOf = ({ host, port, tls }: Address, signal: AbortSignal) => {
  const socket = { reconnectStrategy: false as const, signal }
  if (host.startsWith("/")) return { ...socket, path: host }
  return tls === undefined ? { ...socket, host, port } : { ...socket, ...tls, host, port, tls: true as const }
}

const make = (settings: Settings, password: string | undefined): Connection => {
  const { address, database, name, user } = settings
  const abort = new AbortController()
  const client = createClient({
    name,
    database,
    socket: socketOf(address, abort.signal),
    credentialsProvider: {
      type: "async-credentials-provider",
      credentials: () =>
        Promise.resolve({
          ...user === undefined ? {} : { username: user },
          ...password === undefined ? {} : { password }
        })
    },
    disableOfflineQueue: true,
    maintNotifications: "disabled"
  })
  return new Connection(client as unknown as Client, abort)
}

/** Runs a promise of a connection. If it is interrupted, or takes too long, the connection is destroyed. */
export const within = <A>(
  settings: Settings,
  connection: Connection,
  run: () => Promise<A>
): Effect.Effect<A, RedisError> =>
  Effect.callback<A, RedisError>((resume) => {
    run().then(
      (value) => resume(Effect.succeed(value)),
      (cause) => resume(Effect.fail(Errors.ofConnect(cause, settings.address)))
    )
    return Effect.sync(() => connection.destroy())
  }).pipe(Effect.timeoutOrElse({
    duration: settings.connectTimeout,
    orElse: () => {
      const limit = Duration.format(settings.connectTimeout)
      return Effect.fail(
        Errors.ofConnect(new Error(`It did not answer within ${limit}`), settings.address)
      )
    }
  }))

/** Opens a connection that is destroyed with the scope. */
export const open = (settings: Settings): Effect.Effect<Connection, RedisError, Scope.Scope> =>
  Effect.gen(function*() {
    const password = yield* settings.password
    const connection = yield* Effect.acquireRelease(
      Effect.sync(() => make(settings, password)),
      (connection) => Effect.sync(() => connection.destroy())
    )
    yield* within(settings, connection, () => connection.connect())
    return connection
  })

/** Pings while the connection is open. One that does not answer is destroyed: its network may be gone. */
export const keptAlive = (settings: Settings, connection: Connection): Effect.Effect<never, RedisError> =>
  Effect.forever(Effect.andThen(
    Effect.sleep(settings.keepAlive),
    Effect.onError(
      within(
        { ...settings, connectTimeout: settings.commandTimeout },
        connection,
        () => connection.send(["PING"], "text")
      ),
      () => Effect.sync(() => connection.destroy())
    )
  ))
