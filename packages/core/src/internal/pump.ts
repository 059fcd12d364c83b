/**
 * Runs a stream on a fiber of its own, one pull at a time, as its reader asks.
 *
 * So that a revocation can interrupt the stream and not its reader, and so that what the stream forks, acquires and sets
 * up lives for as long as the stream, not as long as one pull. A pull that is interrupted ends the stream.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { SessionRevoked } from "../SessionError.ts"
import { defectsOf } from "./defects.ts"
import * as Hold from "./hold.ts"
import type { Entry } from "./ledger.ts"

type Pulled<A, E> = Pull.Pull<readonly [A, ...Array<A>], E>

export class Pump<A, E, R> {
  private fiber: Fiber.Fiber<unknown, unknown> | undefined
  /** The reader that waits, if one does. */
  private reader: ((pulled: Pulled<A, E | SessionRevoked>) => void) | undefined
  /** Wakes the stream, which waits to be asked. */
  private ask: (() => void) | undefined
  private readonly stream: Stream.Stream<A, E, R>

  constructor(stream: Stream.Stream<A, E, R>) {
    this.stream = stream
  }

  /** The stream's next elements. The first pull starts it, inside of the session. */
  pull(entry: Entry, current: Context.Context<never>): Pulled<A, E | SessionRevoked> {
    return Effect.callback((resume) => {
      if (entry.revoked !== undefined) return resume(Effect.fail(entry.revoked))
      const ended = this.fiber?.pollUnsafe()
      if (ended !== undefined) return resume(Hold.revokedOr(entry, ended as Exit.Exit<never, E>))
      this.reader = resume
      if (this.fiber === undefined) this.start(entry, current)
      else {
        const ask = this.ask
        this.ask = undefined
        ask?.()
      }
      return Effect.suspend(() => {
        this.reader = undefined
        return this.stop
      })
    })
  }

  /**
   * Ends the stream and waits until what it held is given back. A reader that waits is told why. What the stream dies of
   * then, no reader hears of, so whoever stops it does.
   */
  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    const fiber = this.fiber
    return fiber === undefined || fiber.pollUnsafe() !== undefined
      ? Effect.void
      : Effect.andThen(Fiber.interrupt(fiber), defectsOf(fiber))
  })

  private answer(pulled: Pulled<A, E | SessionRevoked>) {
    const reader = this.reader
    this.reader = undefined
    reader?.(pulled)
  }

  private start(entry: Entry, current: Context.Context<never>) {
    const asked = Effect.callback<void>((resume) => {
      if (this.reader !== undefined) return resume(Effect.void)
      this.ask = () => resume(Effect.void)
    })
    const serve = (pull: Pulled<A, E>) =>
      Effect.forever(
        Effect.flatMap(asked, () => Effect.map(Effect.exit(pull), (exit) => this.answer(exit))),
        { disableYield: true }
      )
    const run = Effect.scoped(Effect.flatMap(Stream.toPull(this.stream), serve))
    const fiber = Effect.runForkWith(current as Context.Context<Exclude<R, Scope.Scope>>)(run)
    this.fiber = fiber
    fiber.addObserver((exit) => {
      const ended = Hold.revokedOr(entry, exit as Exit.Exit<never, E>)
      this.answer(Exit.isFailure(ended) ? Exit.failCause(ended.cause) : Effect.never)
    })
    Hold.interruptWhenRevoked(entry, fiber)
  }
}
