/**
 * One temporary hold on something that must be released: a socket, a stream, a slot, a secret.
 *
 * Guarantees: a session is registered before it acquires, stays registered until its release ends, and releases exactly once,
 * on success, failure, interruption and revocation alike. What is opened inside of a session becomes its child; children are
 * released before their parent.
 *
 * Choose `use` if a function uses what you hold, `scoped` to group what an effect acquires, `scopedStream` for a stream, and
 * `acquire` if a `Scope` of yours decides when to release.
 *
 * **Revocation.** `SessionRegistry.revoke` revokes a session from outside. Its work is interrupted and fails with
 * `SessionRevoked`, a typed error. For that, the work of `use`, `scoped` and `scopedStream` runs on a fiber of its own: its
 * child fibers end with it. Uninterruptible work, such as a session in a finalizer, runs to its end. At the revocation's
 * deadline, the session releases what that work still uses. Limit work that may never end by `Deadline.within`, which also
 * interrupts uninterruptible work.
 *
 * **Releases.** A release may open sessions itself, for instance to call another machine. It runs without the deadlines of
 * the work. Its sessions open even if the parent was revoked, the registry closed or the quota used up. This exemption ends
 * with the release. A finalizer in the scope of `scoped` is part of the release, and so is what a stream does after it was
 * interrupted. Any other finalizer is part of the work. After a revocation it cannot open sessions.
 *
 * @stable
 */

import * as Channel from "effect/Channel"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { Current } from "./internal/session/current.ts"
import { besideDefects } from "./internal/session/defects.ts"
import type { SessionError, SessionRevoked } from "./internal/session/errors.ts"
import { Acquired } from "./internal/session/handle.ts"
import type { Kernel } from "./internal/session/kernel.ts"
import * as Lifecycle from "./internal/session/lifecycle.ts"
import type { Acquisition, Handle, Info } from "./internal/session/model.ts"
import { hold, opened } from "./internal/session/open.ts"
import type { SessionRecord } from "./internal/session/record.ts"
import { contextOf, Unowned } from "./internal/session/releaseContext.ts"
import { SessionPump, stop, stopping } from "./internal/session/sessionStream.ts"
import * as Site from "./internal/session/site.ts"
import { pullOf, tokenOf } from "./internal/session/streamFiber.ts"
import { scopedAt, useAt } from "./internal/session/use.ts"
import { CutOff } from "./internal/time/cutOff.ts"
import * as Deadline from "./internal/time/deadline.ts"
import * as Timers from "./internal/time/timers.ts"
import { LeakProbe } from "./LeakProbe.ts"
import * as OptionCheck from "./OptionCheck.ts"

export { Current } from "./internal/session/current.ts"
export type { Acquisition, Handle, Info, Restore, Session } from "./internal/session/model.ts"

/**
 * Holds something while `f` runs, and releases it when `f` ends, however it ends.
 *
 * `f` can be interrupted. `release` cannot, nor can `acquire` outside of the parts that it restores. A release that fails is
 * retried. If it fails to the end, or dies, the cause holds that next to the error of `f`.
 */
export const use = <A, E, R, B, E2, R2, E3 = never, R3 = never>(
  info: Info,
  acquire: Acquisition<A, E, R>,
  release: (value: A, exit: Exit.Exit<B, E2 | SessionRevoked>) => Effect.Effect<unknown, E3, R3>,
  f: (value: A) => Effect.Effect<B, E2, R2>
): Effect.Effect<B, E | E2 | SessionError, R | R2 | R3> => useAt(Site.sample(use), info, acquire, release, f)

/** Groups what an effect acquires into one session, which takes the place of its `Scope` and ends with it. */
export const scoped: {
  (
    info: Info
  ): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | SessionError, Exclude<R, Scope.Scope>>
  <A, E, R>(self: Effect.Effect<A, E, R>, info: Info): Effect.Effect<A, E | SessionError, Exclude<R, Scope.Scope>>
} = dual(
  2,
  function asked<A, E, R>(
    self: Effect.Effect<A, E, R>,
    info: Info
  ): Effect.Effect<A, E | SessionError, Exclude<R, Scope.Scope>> {
    return scopedAt(Site.sample(asked, Site.ofDual), info, self)
  }
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

/** An empty scope closes at once, so that its release takes no time of the deadline. */
const closeScope = (scope: Scope.Closeable, exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
  scope.state._tag === "Empty" ? Scope.closeUnsafe(scope, exit) ?? Effect.void : Scope.close(scope, exit)

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
  function asked<A, E, R>(
    self: Effect.Effect<A, E, R>,
    info: Info,
    duration: Duration.Input
  ): Effect.Effect<A, E | SessionError | Deadline.DeadlineExceeded, Exclude<R, Scope.Scope>> {
    const budget = OptionCheck.duration("deadline", duration)
    const site = Site.sample(asked, Site.ofDual)
    type Needs = Exclude<R, Scope.Scope>
    return Effect.uninterruptibleMask((restore) =>
      Effect.withFiber((fiber): Effect.Effect<A, E | SessionError | Deadline.DeadlineExceeded, Needs> => {
        const limit = Deadline.earliest(budget, fiber)
        if (Deadline.isNever(limit)) return restore(scopedAt(site, info, self))
        const end = new CutOff(limit.deadline.at, Timers.of(fiber))
        const work = opened(fiber, info, site, Effect.void, restore, (record, _, kernel) => {
          const { context } = fiber
          const scope = Scope.makeUnsafe()
          hold(record, scope, closeScope, context)
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

/** Made apart: a scope that keeps this keeps nothing of what was acquired, once that is released. */
const closing = (record: SessionRecord, kernel: Kernel) => (exit: Exit.Exit<unknown, unknown>) =>
  Lifecycle.close(record, exit, kernel.close)

/**
 * Holds something until the surrounding `Scope` closes.
 *
 * The acquisition and the registration of its release are one step: no interruption fits between them. If the scope is
 * closed already, the release runs at once. A revocation completes `awaitRevoked`. At the revocation's deadline the value is
 * released, even if it is still in use.
 */
export const acquire = <A, E, R, E2 = never, R2 = never>(
  info: Info,
  acquisition: Acquisition<A, E, R>,
  release: (value: A, exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown, E2, R2>
): Effect.Effect<Handle<A>, E | SessionError, R | R2 | Scope.Scope> => {
  const site = Site.sample(acquire)
  return Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((fiber) => {
      // Without a scope this fails before anything is acquired.
      const scope = Context.get(fiber.context as Context.Context<Scope.Scope>, Scope.Scope)
      return opened(fiber, info, site, acquisition, restore, (record, value, kernel) => {
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

/**
 * Groups what a stream acquires into one session. It opens when the stream is set up: with `Stream.toPull` at once, otherwise
 * with the first pull. It closes when the stream ends, fails or is no longer read.
 *
 * The stream runs on a fiber of its own: what it forks, acquires and sets up lives as long as the stream. An interrupted pull
 * does not end the stream: its work goes on, and the next pull gets the result. If another fiber closes its scope, the stream
 * fails with `SessionRevoked`, also for a reader that pulls only after that.
 */
export const scopedStream: {
  (
    info: Info
  ): <A, E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A, E | SessionError, Exclude<R, Scope.Scope>>
  <A, E, R>(self: Stream.Stream<A, E, R>, info: Info): Stream.Stream<A, E | SessionError, Exclude<R, Scope.Scope>>
} = dual(
  2,
  function asked<A, E, R>(
    self: Stream.Stream<A, E, R>,
    info: Info
  ): Stream.Stream<A, E | SessionError, Exclude<R, Scope.Scope>> {
    const site = Site.sample(asked, Site.ofDual)
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
