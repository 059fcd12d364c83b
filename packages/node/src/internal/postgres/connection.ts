/**
 * One connection to PostgreSQL: a `pg.Client` on a socket of ours.
 *
 * One statement runs at a time; others wait for it. A statement that is interrupted is cancelled at the server. If the server
 * does not confirm that in time, the socket is destroyed.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Semaphore from "effect/Semaphore"
import type { SqlError } from "effect/sql/SqlError"
import type * as Net from "node:net"
import type { Client, Submittable } from "pg"
import * as Cancel from "./cancel.ts"
import * as Errors from "./errors.ts"
import { Machine, type TransactionStatus } from "./machine.ts"
import { nameOf, type Settings } from "./model.ts"

/** What pg's types leave out of its client. */
interface Internals {
  readonly processID: number | null
  readonly secretKey: number | null
}

/** What a connection uses of the fiber that opened it. */
export interface Surroundings {
  /** Runs an effect in its context. */
  readonly apart: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Monotonic milliseconds of its clock. */
  readonly now: () => number
}

/** Why a connection is gone. */
interface Lost {
  readonly cause: unknown
}

export class Connection {
  private readonly machine = new Machine()
  private readonly turn = Semaphore.makeUnsafe(1)
  private readonly client: Client
  private readonly socket: Net.Socket
  private readonly settings: Settings
  private readonly surroundings: Surroundings
  /** When the server was last ready for a statement. */
  private readyAt: number
  private lost: Lost | undefined
  /** Called once the server is ready for the next statement, or the connection is lost. */
  private wake: (() => void) | undefined
  private readonly onLost: Array<() => void> = []

  /** The client must be connected. */
  constructor(client: Client, socket: Net.Socket, settings: Settings, surroundings: Surroundings) {
    this.client = client
    this.socket = socket
    this.settings = settings
    this.surroundings = surroundings
    this.readyAt = surroundings.now()
    client.on("error", (cause) => this.lose(cause))
    client.on("end", () => this.lose(new Error("The server closed the connection")))
    // After pg's own listener, which reports the result of the statement.
    client.connection.on("readyForQuery", () => this.ready(client.getTransactionStatus() ?? "I"))
  }

  /** The process of the server that serves this connection. */
  get processId(): number | null {
    return (this.client as unknown as Internals).processID
  }

  get isOpen(): boolean {
    return this.machine.state !== "closed"
  }

  get isInTransaction(): boolean {
    return this.machine.isInTransaction
  }

  /** Whether another borrower may use it as it is. */
  get isReusable(): boolean {
    return this.machine.isReusable
  }

  /** How many milliseconds it has been in a transaction in which no statement runs. Undefined if it is not. */
  get idleInTransaction(): number | undefined {
    const { machine, readyAt, surroundings } = this
    return machine.state === "idle" && machine.isInTransaction ? surroundings.now() - readyAt : undefined
  }

  /** Calls `f` when the connection is lost, or at once if it is. */
  whenLost(f: () => void): void {
    if (this.lost === undefined) this.onLost.push(f)
    else f()
  }

  private ready(status: TransactionStatus) {
    this.machine.ready(status)
    this.readyAt = this.surroundings.now()
    this.notify()
  }

  private lose(cause: unknown) {
    if (this.lost !== undefined) return
    this.lost = { cause }
    this.machine.close()
    this.socket.destroy()
    // Before the borrower knows, which may ask for a connection again in this step.
    for (const f of this.onLost.splice(0)) f()
    this.notify()
  }

  private notify() {
    const { state } = this.machine
    if (state === "running" || state === "cancelling") return
    const { wake } = this
    this.wake = undefined
    wake?.()
  }

  private gone(operation: string): SqlError {
    const server = nameOf(this.settings.address)
    const { cause } = this.lost ?? {}
    const why = cause instanceof Error ? `: ${cause.message}` : ""
    return Errors.lost(`The connection to ${server} was lost${why}`, operation, cause)
  }

  /**
   * Runs one statement, from its submission until the server is ready for the next one. `submit` gets a function that takes
   * the result. `isOver` is asked when it is the statement's turn: whether the connection was returned before.
   */
  run<A>(
    operation: string,
    submit: (report: (error: unknown, value?: A) => void) => Submittable,
    isOver: () => boolean
  ): Effect.Effect<A, SqlError> {
    const statement = Effect.callback<A, SqlError>((resume) => {
      if (isOver()) return resume(Effect.fail(Errors.returned(operation)))
      if (!this.machine.begin()) return resume(Effect.fail(this.gone(operation)))
      let outcome: Effect.Effect<A, SqlError> | undefined
      this.wake = () => resume(outcome ?? Effect.fail(this.gone(operation)))
      this.client.query(submit((error, value) => {
        // pg also reports a success after the failure to write a parameter.
        outcome ??= error ? Effect.fail(Errors.ofStatement(error, operation)) : Effect.succeed(value as A)
      }))
      return this.cancel
    })
    return this.turn.withPermit(statement)
  }

  /** Waits until the server is ready, or the connection lost. */
  private readonly settled: Effect.Effect<void> = Effect.callback((resume) => {
    this.wake = () => resume(Effect.void)
    this.notify()
  })

  /** Ends the running statement at the server, or else the connection. */
  private readonly cancel: Effect.Effect<void> = Effect.suspend(() => {
    const { machine } = this
    if (!machine.interrupt()) return Effect.void
    this.wake = undefined
    const { address, cancelTimeout } = this.settings
    const { processID: processId, secretKey: secret } = this.client as unknown as Internals
    const request = processId === null || secret === null
      ? Effect.void
      : Cancel.send({
        address,
        key: { processId, secret },
        isWanted: () => machine.isCancelWanted,
        onSend: () => machine.sent()
      })
    // Not as work of the borrower: nothing could be sent once its session is revoked.
    const work = Effect.exit(this.surroundings.apart(request)).pipe(
      Effect.tap((exit) =>
        Effect.sync(() => {
          machine.cancelled(Exit.isSuccess(exit))
          if (!this.isOpen) this.lose(new Error("It is unknown whether a request to cancel still arrives"))
        })
      ),
      Effect.andThen(this.settled)
    )
    return this.orDestroy(work, cancelTimeout, "an interrupted statement")
  })

  /** Destroys the connection if `work` does not succeed in time. Works where interruption is not allowed, too. */
  private orDestroy<A, E>(work: Effect.Effect<A, E>, limit: Duration.Duration, what: string): Effect.Effect<void> {
    const lose = () => this.lose(new Error(`The server did not end ${what} within ${Duration.format(limit)}`))
    return Effect.raceFirst(
      Effect.match(work, { onFailure: lose, onSuccess: () => {} }),
      Effect.map(Effect.sleep(limit), lose)
    )
  }

  /** Runs a statement that cleans up, whatever its result. Destroys the connection if it does not end in time. */
  tidy(what: string, statement: Effect.Effect<unknown, SqlError>): Effect.Effect<void> {
    return this.orDestroy(Effect.exit(statement), this.settings.cancelTimeout, what)
  }

  /**
   * Runs a statement to its end even if this fiber is interrupted, such as a commit, whose result would be unknown. From
   * then on it has as long as a cancellation. Call it where interruption is not allowed.
   */
  finish<A>(what: string, statement: Effect.Effect<A, SqlError>): Effect.Effect<A, SqlError> {
    return Effect.flatMap(
      Effect.forkChild(statement, { startImmediately: true }),
      (fiber) =>
        Effect.catchCause(Effect.interruptible(Fiber.join(fiber)), (cause) =>
          fiber.pollUnsafe() === undefined
            ? Effect.andThen(this.tidy(what, Fiber.join(fiber)), Fiber.join(fiber))
            : Effect.failCause(cause))
    )
  }

  /** Destroys the connection at once. */
  readonly destroy: Effect.Effect<void> = Effect.sync(() => this.lose(new Error("The connection was destroyed")))

  /** Says goodbye to the server and waits until it has closed the connection. Destroys it if that takes too long. */
  readonly close: Effect.Effect<void> = Effect.suspend(() => {
    this.onLost.length = 0
    if (this.machine.state !== "idle") return this.destroy
    this.machine.close()
    const closed = Effect.callback<void>((resume) => {
      this.socket.once("close", () => resume(Effect.void))
      this.client.end(() => {})
    })
    return this.orDestroy(closed, this.settings.closeTimeout, "a connection that was closed")
  })
}
