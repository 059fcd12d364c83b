/** The connection that everybody shares. It is opened in the background, and again whenever it is lost. */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { RedisError } from "effect/persistence/Redis"
import * as Commands from "./commands.ts"
import type { Connection } from "./connection.ts"
import * as Errors from "./errors.ts"
import { type Due, Machine } from "./machine.ts"
import type { Metrics } from "./metrics.ts"
import { type Arguments, type Form, nameOf, type Settings } from "./model.ts"
import * as Policy from "./policy.ts"
import * as Reconnect from "./reconnect.ts"

interface Command extends Due {
  readonly args: Arguments
  readonly form: Form
  readonly resume: (outcome: Effect.Effect<unknown, RedisError>) => void
}

export class Link {
  private readonly machine: Machine<Command>
  private readonly settings: Settings
  private readonly metrics: Metrics
  private readonly clock: Clock.Clock
  private connection: Connection | undefined
  /** Why no connection is up. */
  private cause: unknown
  /** Wakes the fiber that looks for commands that are due. */
  private wake: (() => void) | undefined

  constructor(settings: Settings, metrics: Metrics, clock: Clock.Clock) {
    this.settings = settings
    this.metrics = metrics
    this.clock = clock
    this.machine = new Machine(settings)
  }

  get isConnected(): boolean {
    return this.machine.isUp
  }

  get inFlight(): number {
    return this.machine.inFlight
  }

  get waiting(): number {
    return this.machine.waiters
  }

  private get now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1e6
  }

  /** Sends a command, and waits for its answer. If the caller leaves, one that waits is not sent. */
  send(args: Arguments, form: Form): Effect.Effect<unknown, RedisError> {
    return Effect.callback((resume) => {
      const refusal = Commands.refusal(args)
      if (refusal !== undefined) {
        return resume(Effect.fail(Errors.notSent(Commands.nameOf(args), refusal, false)))
      }
      const deadline = this.now + Duration.toMillis(this.settings.commandTimeout)
      const command: Command = { args, form, resume, deadline }
      const what = this.machine.submit(command)
      if (what === "full" || what === "closed") return resume(Effect.fail(this.rejected(command, what)))
      if (what === "send") this.perform([command])
      this.notify()
      return Effect.sync(() => void this.machine.abandon(command))
    })
  }

  private rejected({ args }: Command, why: "full" | "closed"): RedisError {
    const name = Commands.nameOf(args)
    return why === "closed"
      ? Errors.notSent(name, "its client is closed. Make calls while the layer is open.", false)
      : Errors.notSent(
        name,
        `${this.machine.waiters} commands wait already. Shed load, or raise \`maxWaiting\`.`,
        true,
        this.cause
      )
  }

  private perform(commands: ReadonlyArray<Command>): void {
    const { connection } = this
    for (const command of commands) {
      const { args, form } = command
      connection?.send(args, form).then(
        (answer) => this.settle(command, Effect.succeed(answer)),
        (cause) => this.settle(command, Effect.fail(this.failed(command, cause)))
      )
    }
  }

  private failed({ args }: Command, cause: unknown): RedisError {
    if (Errors.isAnswer(cause)) return Errors.failure(cause)
    const name = Commands.nameOf(args)
    return cause instanceof TypeError
      ? Errors.notSent(name, cause.message, false, cause)
      : Errors.unknown(name, `the connection to ${nameOf(this.settings.address)} was lost.`, cause)
  }

  private settle(command: Command, outcome: Effect.Effect<unknown, RedisError>): void {
    const next = this.machine.answered(command)
    // The caller may go on at once.
    command.resume(outcome)
    this.perform(next)
  }

  private lost(cause: unknown, wasOpen: boolean): void {
    this.connection = undefined
    this.cause = cause
    if (wasOpen) this.metrics.lost++
    for (const command of this.machine.down()) command.resume(Effect.fail(this.failed(command, cause)))
  }

  /** Keeps a connection open. */
  readonly run: Effect.Effect<never> = Effect.suspend(() => {
    let checked: string | undefined
    return Reconnect.forever(this.settings, {
      use: (connection) =>
        Effect.suspend(() => {
          this.connection = connection
          this.cause = undefined
          this.metrics.opened++
          connection.whenLost((cause) => this.lost(cause, false))
          this.perform(this.machine.up())
          return Effect.map(Policy.check(connection, this.settings, checked), (policy) => {
            checked = policy
          })
        }),
      onLost: (cause, wasOpen) => this.lost(cause, wasOpen)
    })
  })

  private notify(): void {
    const { wake } = this
    this.wake = undefined
    wake?.()
  }

  private readonly awaitCommand: Effect.Effect<void> = Effect.callback((resume) => {
    this.wake = () => resume(Effect.void)
    if (this.machine.nextDeadline !== undefined) this.notify()
  })

  private expire(): void {
    const { expired, isStuck } = this.machine.due(this.now)
    const { address, commandTimeout } = this.settings
    const limit = Duration.format(commandTimeout)
    for (const command of expired) {
      this.metrics.timeouts++
      const detail = this.machine.isUp
        ? `${this.machine.inFlight} commands were under way for ${limit}. Send less at once, or raise \`maxInFlight\`.`
        : `there was no connection to ${nameOf(address)} within ${limit}. Check that Redis runs and can be reached.`
      command.resume(Effect.fail(Errors.notSent(Commands.nameOf(command.args), detail, true, this.cause)))
    }
    if (!isStuck) return
    const stuck = this.machine.down()
    this.metrics.timeouts += stuck.length
    const detail = `${nameOf(address)} did not answer within ${limit}, so the connection was closed.`
    for (const command of stuck) command.resume(Effect.fail(Errors.unknown(Commands.nameOf(command.args), detail)))
    this.connection?.destroy()
  }

  /** Ends commands that are due. */
  readonly watch: Effect.Effect<never> = Effect.forever(Effect.suspend(() => {
    const next = this.machine.nextDeadline
    if (next === undefined) return this.awaitCommand
    return Effect.andThen(Effect.sleep(Math.max(1, next - this.now)), Effect.sync(() => this.expire()))
  }))

  /** Takes no more commands, and ends those that wait. The others end with the connection. */
  readonly close: Effect.Effect<void> = Effect.sync(() => {
    for (const command of this.machine.close()) command.resume(Effect.fail(this.rejected(command, "closed")))
  })
}
