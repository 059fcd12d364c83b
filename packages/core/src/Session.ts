/**
 * One temporary hold on something that must be given back: a socket, a stream, a slot, a secret.
 *
 * Its law: a session is open from before it acquires until its release has ended, and the release runs exactly once, on
 * success, failure, interruption and revocation alike. What is opened while a session is current becomes its child;
 * children are released before their parent.
 *
 * A session can be revoked from outside (`SessionRegistry.revoke`): whoever works in it is interrupted, and gets
 * `SessionRevoked` as a typed error, never a bare interruption. For that, the work of `use`, `scoped` and `scopedStream` runs
 * on a fiber of its own: what it forks as a child ends with it. Work that nothing may interrupt, such as that of a session
 * in a finalizer or in `Effect.uninterruptible`, is not interrupted by a revocation either: it goes on to its end, though
 * what it holds is released under it when the revocation's deadline has passed. Work that may never end needs a limit:
 * `Deadline.within` ends it also there.
 *
 * A release may use all of this itself, as one that takes a call to another machine does. It runs without the deadlines of
 * the work, and what it opens is not refused, whatever was revoked around it, be the registry closed or the quota used up.
 * That ends with the release. A finalizer in the scope of `scoped` is a part of its release, and so is all that a stream does
 * once it is told to end. One inside of other work is a part of the work, and opens nothing once that was revoked.
 *
 * Choose `use` where a function can hold it, `scoped` to group what an effect acquires, `scopedStream` for as long as a
 * stream is read, and `acquire` where a `Scope` of yours decides.
 */

import * as Channel from "effect/Channel"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { dual } from "effect/Function"
import { NodeInspectSymbol } from "effect/Inspectable"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Interop from "./internal/interop.ts"
import * as Releasing from "./internal/session/currentRelease.ts"
import { besideDefects } from "./internal/session/defects.ts"
import type { SessionError, SessionRevoked } from "./internal/session/errors.ts"
import { type Kernel, kernelOf } from "./internal/session/kernel.ts"
import * as Lifecycle from "./internal/session/lifecycle.ts"
import type { Acquisition, Handle, Info, Session } from "./internal/session/model.ts"
import { type Held, SessionRecord } from "./internal/session/record.ts"
import { contextOf, Unowned } from "./internal/session/releaseContext.ts"
import * as Site from "./internal/session/site.ts"
import { type End, pullOf, Pump, tokenOf } from "./internal/session/streamFiber.ts"
import { CutOff } from "./internal/time/cutOff.ts"
import * as Deadline from "./internal/time/deadline.ts"
import * as Timers from "./internal/time/timers.ts"
import { LeakProbe } from "./LeakProbe.ts"
import * as OptionCheck from "./OptionCheck.ts"
import { SessionRegistry } from "./SessionRegistry.ts"

export type { Acquisition, Handle, Info, Restore, Session } from "./internal/session/model.ts"

/**
 * The session inside of which this fiber works.
 *
 * What outlives it must not be opened inside of it. Something shared that is made for whoever asks first, such as what an
 * `RcMap` looks up, is made with `Effect.provideService(Session.Current, undefined)`.
 */
export const Current: Context.Reference<Session | undefined> = Context.Reference<Session | undefined>(
  "@clawback/core/Session/Current",
  { defaultValue: () => undefined }
)

/** Opens a session, acquires what it holds, and goes on with it. Closed again where nothing was acquired. */
const opened = <A, E, R, B, E2, R2>(
  fiber: Fiber.Fiber<unknown, unknown>,
  info: Info,
  site: Error | undefined,
  acquisition: Acquisition<A, E, R>,
  restore: Lifecycle.Mask,
  then: (record: SessionRecord, value: A, kernel: Kernel) => Effect.Effect<B, E2, R2>
): Effect.Effect<B, E | E2 | SessionError, R | R2> => {
  const kernel = kernelOf(fiber.getRef(SessionRegistry))
  const record = kernel.open(info, fiber, fiber.getRef(Current), site)
  if (!(record instanceof SessionRecord)) return Effect.fail(record)
  const acquire: Effect.Effect<A, E, R> = Effect.isEffect(acquisition)
    ? acquisition
    : Effect.suspend(() => acquisition(Lifecycle.restoring(record, restore)))
  return Effect.matchCauseEffectEager(acquire, {
    onFailure: (cause) => {
      kernel.close(record)
      return Effect.failCause(cause)
    },
    onSuccess: (value) => then(record, value, kernel)
  })
}

/** From here on there is something to give back. The release is given what it was made for: this value, this exit. */
const hold = <A, X, E, R>(
  record: SessionRecord,
  value: A,
  release: (value: A, exit: X) => Effect.Effect<unknown, E, R>,
  services: Context.Context<R> | Unowned
) => {
  record.hold({ value, release, services } as unknown as Held)
}

/**
 * Holds something for as long as `f` runs, and releases it when `f` ends, however it ends.
 *
 * `acquire` (but for the parts that it restores) and `release` cannot be interrupted, `f` can. A release that fails is tried again; one that fails to the end
 * or dies does not hide how `f` failed: the cause holds both.
 */
export const use = <A, E, R, B, E2, R2, E3 = never, R3 = never>(
  info: Info,
  acquire: Acquisition<A, E, R>,
  release: (value: A, exit: Exit.Exit<B, E2 | SessionRevoked>) => Effect.Effect<unknown, E3, R3>,
  f: (value: A) => Effect.Effect<B, E2, R2>
): Effect.Effect<B, E | E2 | SessionError, R | R2 | R3> => {
  const site = Site.sample()
  return Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((fiber) =>
      opened(fiber, info, site, acquire, restore, (record, value, kernel) => {
        const context = fiber.context as Context.Context<R2 | R3>
        hold(record, value, release, context)
        return Effect.onExitPrimitive(
          Lifecycle.region(record, Context.add(context, Current, record), Effect.suspend(() => f(value)), restore),
          (exit) => Lifecycle.close(record, exit, kernel.close),
          true
        )
      })
    )
  )
}

/** Groups what an effect acquires into one session, which takes the place of its `Scope` and ends with it. */
export const scoped: {
  (
    info: Info
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | SessionError, Exclude<R, Scope.Scope>>
  <A, E, R>(self: Effect.Effect<A, E, R>, info: Info): Effect.Effect<A, E | SessionError, Exclude<R, Scope.Scope>>
} = dual(
  2,
  <A, E, R>(self: Effect.Effect<A, E, R>, info: Info): Effect.Effect<A, E | SessionError, Exclude<R, Scope.Scope>> =>
    use(info, Scope.make(), Scope.close, (scope) => Scope.provide(self, scope))
)

/** Ends the work of `scopedWithin` as its deadline says, if that has passed before the session was released. */
const unlessOver = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  end: CutOff,
  limit: Deadline.Limit,
  restore: Lifecycle.Mask
): Effect.Effect<A, E | Deadline.DeadlineExceeded, R> => {
  const judge = (exit: Exit.Exit<A, E>): Effect.Effect<A, E | Deadline.DeadlineExceeded> => {
    end.stop()
    return end.isOver ? besideDefects(exit, restore(Deadline.exceeded(limit))) : exit
  }
  return Effect.matchCauseEffect(self, {
    onFailure: (cause) => judge(Exit.failCause(cause)),
    onSuccess: (value) => judge(Exit.succeed(value))
  })
}

/**
 * Like `Deadline.within` around `scoped`, on one fiber instead of two. The deadline interrupts the work even where
 * interruption is not allowed around it. The error comes once the session is released.
 */
export const scopedWithin: {
  (
    info: Info,
    duration: Duration.Input
  ): <A, E, R>(
    self: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | SessionError | Deadline.DeadlineExceeded, Exclude<R, Scope.Scope>>
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    info: Info,
    duration: Duration.Input
  ): Effect.Effect<A, E | SessionError | Deadline.DeadlineExceeded, Exclude<R, Scope.Scope>>
} = dual(
  3,
  <A, E, R>(
    self: Effect.Effect<A, E, R>,
    info: Info,
    duration: Duration.Input
  ): Effect.Effect<A, E | SessionError | Deadline.DeadlineExceeded, Exclude<R, Scope.Scope>> => {
    const budget = OptionCheck.duration("deadline", duration)
    const site = Site.sample()
    type Needs = Exclude<R, Scope.Scope>
    return Effect.uninterruptibleMask((restore) =>
      Effect.withFiber((fiber): Effect.Effect<A, E | SessionError | Deadline.DeadlineExceeded, Needs> => {
        const limit = Deadline.earliest(budget, fiber)
        if (Deadline.isNever(limit)) return restore(scoped(self, info))
        const end = new CutOff(limit.deadline.at, Timers.of(fiber))
        const work = opened(fiber, info, site, Effect.void, restore, (record, _, kernel) => {
          const { context } = fiber
          const scope = Scope.makeUnsafe()
          hold(record, scope, (scope, exit: Exit.Exit<unknown, unknown>) => Scope.close(scope, exit), context)
          const within = Context.add(context, Deadline.Current, limit.deadline)
          const inside = Context.add(Context.add(within, Current, record), Scope.Scope, scope) as Context.Context<R>
          return Effect.onExitPrimitive(
            Lifecycle.region(record, inside, self, restore, end),
            (exit) => {
              const released = Lifecycle.close(record, exit, kernel.close)
              // The deadline also bounds a release that takes time, though the work has ended at once.
              if (released !== Effect.void) end.set()
              return released
            },
            true
          )
        })
        return unlessOver(work, end, limit, restore)
      })
    )
  }
)

/** Made apart, so that a scope that keeps it keeps nothing of what was acquired, once that was released. */
const closing = (record: SessionRecord, kernel: Kernel) => (exit: Exit.Exit<unknown, unknown>) =>
  Lifecycle.close(record, exit, kernel.close)

class Acquired<A> implements Handle<A> {
  readonly session: SessionRecord
  readonly value: A
  private readonly release: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>

  constructor(session: SessionRecord, value: A, release: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>) {
    this.session = session
    this.value = value
    this.release = release
  }

  get awaitRevoked() {
    return Lifecycle.revoked(this.session)
  }

  get close() {
    return Effect.uninterruptible(Effect.suspend(() => this.release(Exit.void)))
  }

  [Symbol.asyncDispose]() {
    return Interop.runPromise(this.close)
  }

  /** Not the value, which may hold what is secret. */
  toJSON(): unknown {
    return { session: this.session }
  }

  [NodeInspectSymbol](): unknown {
    return this.toJSON()
  }
}

/**
 * Holds something until the surrounding `Scope` closes.
 *
 * The acquisition and the registration of its release are one step: no interruption fits between them. Should the scope
 * be closed already, the release runs at once. A revocation completes `awaitRevoked`, and after its deadline releases
 * what is held whether or not it is still used.
 */
export const acquire = <A, E, R, E2 = never, R2 = never>(
  info: Info,
  acquire: Acquisition<A, E, R>,
  release: (value: A, exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown, E2, R2>
): Effect.Effect<Handle<A>, E | SessionError, R | R2 | Scope.Scope> => {
  const site = Site.sample()
  return Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((fiber) => {
      // Nothing is acquired where nobody could release it.
      const scope = Context.get(fiber.context as Context.Context<Scope.Scope>, Scope.Scope)
      return opened(fiber, info, site, acquire, restore, (record, value, kernel) => {
        const isWatched = record.site !== undefined
        hold(record, value, release, isWatched ? new Unowned(fiber, scope) : contextOf(fiber) as Context.Context<R2>)
        if (isWatched) Lifecycle.watch(record, scope, fiber.getRef(LeakProbe))
        const close = closing(record, kernel)
        if (record.revoked !== undefined) {
          const failure = Exit.fail(record.revoked)
          return Effect.andThen(close(failure), failure)
        }
        return Effect.as(Scope.addFinalizerExit(scope, close), new Acquired(record, value, close))
      })
    })
  )
}

/** A stream inside of a session, which ends when the stream does. */
class SessionPump<A, E, R> extends Pump<A, E, R, SessionRevoked> {
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

  /** There is nothing left to release, so this takes no step of anybody's. */
  protected override onEnd(exit: Exit.Exit<unknown, unknown>) {
    this.release.end()
    return Lifecycle.close(this.record, exit, this.leave)
  }
}

type Stoppable = {
  readonly stop: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
  readonly untold: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>
}

const stop = (pump: Stoppable, exit: Exit.Exit<unknown, unknown>) => pump.stop(exit)

/** Work is under way in the session until the stream has stopped, which closes it. A revocation may do so meanwhile. */
const stopping = (pump: Stoppable, record: SessionRecord, kernel: Kernel) => (exit: Exit.Exit<unknown, unknown>) =>
  pump.stop(exit).pipe(
    Effect.andThen(Effect.suspend(() => Lifecycle.close(record, exit, kernel.close))),
    Effect.andThen(pump.untold(exit))
  )

/**
 * A session for as long as the stream is read: from when it is set up, which comes with its first pull in all but
 * `Stream.toPull`, until it ends, fails or is given up.
 *
 * The stream runs on a fiber of its own: what it forks, acquires and sets up lives as long as the stream. A pull that is
 * interrupted ends nothing: the stream's work goes on, and the next pull gets what came of it. A stream whose scope is
 * closed by another fiber fails with `SessionRevoked`, also where its reader pulls only then.
 */
export const scopedStream: {
  (
    info: Info
  ): <A, E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A, E | SessionError, Exclude<R, Scope.Scope>>
  <A, E, R>(self: Stream.Stream<A, E, R>, info: Info): Stream.Stream<A, E | SessionError, Exclude<R, Scope.Scope>>
} = dual(
  2,
  <A, E, R>(self: Stream.Stream<A, E, R>, info: Info): Stream.Stream<A, E | SessionError, Exclude<R, Scope.Scope>> => {
    const site = Site.sample()
    return Stream.fromChannel(
      Channel.fromTransform((_, scope) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.withFiber((fiber) =>
            opened(fiber, info, site, Effect.void, restore, (record, _, kernel) => {
              const pump = new SessionPump(self, record, kernel.close, fiber)
              hold(record, pump, stop, pump.context)
              const pull = pullOf(pump)
              if (record.site !== undefined) Lifecycle.watch(record, tokenOf(fiber) ?? pull, fiber.getRef(LeakProbe))
              return Effect.as(Scope.addFinalizerExit(scope, stopping(pump, record, kernel)), pull)
            })
          )
        )
      )
    )
  }
)
