import type * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import type * as Stream from "effect/Stream"
import * as Timers from "../time/timers.ts"
import { failBeside } from "./defects.ts"
import { SessionRevoked } from "./errors.ts"
import { scopeClosedReason } from "./lifecycle.ts"
import { type End, Pump } from "./streamFiber.ts"

/** A stream that ends with an error when a moment has come. */
export abstract class LimitedPump<A, E, R, E2> extends Pump<A, E, R, E2 | SessionRevoked> implements Timers.Timer {
  abstract readonly at: number
  slot = Timers.unset
  protected readonly timers: Timers.Timers
  protected readonly context: Context.Context<R>
  /** The error of the limit that has passed. */
  protected passed: E2 | undefined
  private readonly name: string

  constructor(
    name: string,
    stream: Stream.Stream<A, E, R>,
    opener: Fiber.Fiber<unknown, unknown>,
    context: Context.Context<R>
  ) {
    super(stream, opener)
    this.name = name
    this.context = context
    this.timers = Timers.of(opener)
  }

  /** The error of the limit that passes now. */
  protected abstract error(): E2

  fire(): void {
    this.passed ??= this.error()
    this.interruptUnsafe()
  }

  protected override outcome(end: End<E>): End<E | E2 | SessionRevoked> {
    return this.passed === undefined ? end : failBeside(end, this.passed)
  }

  protected override closed(): SessionRevoked {
    return new SessionRevoked({ id: 0, kind: "stream", session: this.name, reason: scopeClosedReason })
  }

  protected override onEnd(): void {
    this.timers.clear(this)
  }
}
