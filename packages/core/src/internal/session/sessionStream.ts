/** A stream inside of a session. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import { Current } from "./current.ts"
import * as Releasing from "./currentRelease.ts"
import type { SessionRevoked } from "./errors.ts"
import type { Kernel } from "./kernel.ts"
import * as Lifecycle from "./lifecycle.ts"
import type { SessionRecord } from "./record.ts"
import { type End, Pump } from "./streamFiber.ts"

/** The session ends when the stream does. */
export class SessionPump<A, E, R> extends Pump<A, E, R, SessionRevoked> {
  readonly context: Context.Context<R>
  private readonly record: SessionRecord
  private readonly leave: (record: SessionRecord) => void
  private readonly release: Releasing.Release

  constructor(
    stream: Stream.Stream<A, E, R>,
    record: SessionRecord,
    leave: (record: SessionRecord) => void,
    opener: Fiber.Fiber<unknown, unknown>
  ) {
    super(stream, opener)
    this.record = record
    this.leave = leave
    this.release = new Releasing.Release(record, opener)
    this.context = opener.context.pipe(
      Context.add(Current, record),
      Context.add(Releasing.Current, this.release),
      Context.add(Scope.Scope, this.scope)
    ) as Context.Context<R>
  }

  protected override outcome(end: End<E>) {
    return Lifecycle.revokedOr(this.record, end)
  }

  protected override closed() {
    return Lifecycle.whyEnded(this.record)
  }

  protected override onStart(fiber: Fiber.Fiber<unknown, unknown>) {
    Lifecycle.interruptWhenRevoked(this.record, fiber)
  }

  protected override onEnding() {
    this.release.begin()
  }

  protected override onPull() {
    if (this.record.isRevoked) this.interruptUnsafe()
  }

  /** Nothing is left to release, so this takes no step of a fiber. */
  protected override onEnd(exit: Exit.Exit<unknown, unknown>) {
    this.release.end()
    return Lifecycle.close(this.record, exit, this.leave)
  }
}

type Stoppable = {
  readonly stop: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
  readonly untold: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
}

/** The release of a stream's session. */
export const stop = (pump: Stoppable, exit: Exit.Exit<unknown, unknown>) => pump.stop(exit)

/** Ends the stream when the reader's scope closes. That closes the session, unless a revocation has done so meanwhile. */
export const stopping =
  (pump: Stoppable, record: SessionRecord, kernel: Kernel) => (exit: Exit.Exit<unknown, unknown>) =>
    pump.stop(exit).pipe(
      Effect.andThen(Effect.suspend(() => Lifecycle.close(record, exit, kernel.close))),
      Effect.andThen(pump.untold(exit))
    )
