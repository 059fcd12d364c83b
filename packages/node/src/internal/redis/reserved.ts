/** Connections that have one user at a time, in a pool. Effect's `Redis.make` has a pool of its own, without limits of time. */
import * as Pool from "@clawback/core/Pool"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Redis from "effect/persistence/Redis"
import { hasProperty } from "effect/Predicate"
import type * as Scope from "effect/Scope"
import * as Commands from "./commands.ts"
import { type Connection, open } from "./connection.ts"
import * as Errors from "./errors.ts"
import { type Arguments, nameOf, type Settings } from "./model.ts"
import * as Scripts from "./scripts.ts"

/** How connections of `reserve` are kept and lent. */
export interface ReserveOptions extends
  Pick<
    Pool.Options<never, never, never>,
    "min" | "idleTimeToLive" | "maxLifetime" | "acquireTimeout" | "maxWaiters" | "leakThreshold"
  >
{
  /** How many there may be. Default: 10. Too low, and callers wait; too high, and the server reaches its `maxclients`. */
  readonly max?: number | undefined
}

class Reserved {
  readonly connection: Connection
  private readonly settings: Settings
  private pending = 0
  /** What commands have left on the connection. */
  private trace: "none" | "begins" | "lasts" = "none"

  constructor(connection: Connection, settings: Settings) {
    this.connection = connection
    this.settings = settings
  }

  /** Whether it is as it was when it was opened. */
  get isClean(): boolean {
    return this.connection.isOpen && this.pending === 0 && this.trace === "none"
  }

  private mark(args: Arguments): void {
    const trace = Commands.traceOf(args)
    if (this.trace === "lasts" || trace === "none") return
    this.trace = trace === "ends" ? "none" : trace
  }

  private failed(args: Arguments, cause: unknown): Redis.RedisError {
    if (Errors.isAnswer(cause)) return Errors.failure(cause)
    const name = Commands.nameOf(args)
    if (cause instanceof TypeError) return Errors.notSent(name, cause.message, false, cause)
    return Errors.unknown(name, `the connection to ${nameOf(this.settings.address)} was lost.`, cause)
  }

  /** A command that is interrupted stays under way, so that the connection is not lent again. */
  send(args: Arguments): Effect.Effect<any, Redis.RedisError> {
    const sent = Effect.callback<unknown, Redis.RedisError>((resume) => {
      if (!this.connection.isOpen) {
        const detail = "its connection was lost before. Reserve another one."
        return resume(Effect.fail(Errors.notSent(Commands.nameOf(args), detail, true)))
      }
      this.pending++
      this.mark(args)
      this.connection.send(args, "text").then(
        (answer) => {
          this.pending--
          resume(Effect.succeed(answer))
        },
        (cause) => {
          this.pending--
          resume(Effect.fail(this.failed(args, cause)))
        }
      )
    })
    return Commands.isBlocking(args) ? sent : this.limited(args, sent)
  }

  private limited<A>(args: Arguments, sent: Effect.Effect<A, Redis.RedisError>): Effect.Effect<A, Redis.RedisError> {
    const { address, commandTimeout } = this.settings
    return Effect.timeoutOrElse(sent, {
      duration: commandTimeout,
      orElse: () => {
        this.connection.destroy()
        const detail =
          `${nameOf(address)} did not answer within ${Duration.format(commandTimeout)}, so the connection was ` +
          "closed."
        return Effect.fail(Errors.unknown(Commands.nameOf(args), detail))
      }
    })
  }
}

const isRedisError = (error: unknown): error is Redis.RedisError =>
  hasProperty(error, "_tag") && error._tag === "RedisError"

/** The effect that lends a connection until its scope closes. */
export const make = (
  settings: Settings,
  options: ReserveOptions
): Effect.Effect<Redis.Redis["Service"]["reserve"], never, Scope.Scope> =>
  Effect.gen(function*() {
    const runFork = Effect.runForkWith(yield* Effect.context<never>())
    const connections = new Set<Connection>()
    const acquire = Effect.map(open(settings), (connection) => {
      const reserved = new Reserved(connection, settings)
      connections.add(connection)
      connection.whenLost(() => {
        connections.delete(connection)
        runFork(Pool.invalidate(pool, reserved))
      })
      return reserved
    })
    const pool: Pool.Pool<Reserved, Redis.RedisError> = yield* Pool.make({
      name: `${settings.name}-reserved`,
      max: options.max ?? 10,
      min: options.min,
      acquire,
      validate: (reserved) => reserved.send(["PING"]),
      idleTimeToLive: options.idleTimeToLive ?? "1 minute",
      maxLifetime: options.maxLifetime,
      acquireTimeout: options.acquireTimeout,
      maxWaiters: options.maxWaiters,
      leakThreshold: options.leakThreshold,
      backoff: settings.backoff,
      connectTimeout: Duration.sum(settings.connectTimeout, Duration.seconds(1))
    })
    // A command that blocks would keep its caller from returning the connection.
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        for (const connection of connections) connection.destroy()
      })
    )
    const lent = Effect.tap(
      Pool.get(pool),
      (reserved) => Effect.addFinalizer(() => reserved.isClean ? Effect.void : Pool.invalidate(pool, reserved))
    )
    return Effect.mapBoth(lent, {
      onFailure: (error) => isRedisError(error) ? error : Errors.failure(error),
      onSuccess: (reserved): Redis.Connection => ({
        send: (command, ...args) => reserved.send([command, ...args]),
        eval: Scripts.evaluator((args) => reserved.send(args))
      })
    })
  })
