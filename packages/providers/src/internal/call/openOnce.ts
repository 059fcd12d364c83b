import * as Caller from "@clawback/core/Caller"
import * as Deadline from "@clawback/core/Deadline"
import * as Retry from "@clawback/core/Retry"
import * as Session from "@clawback/core/Session"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Tracer from "effect/Tracer"

/** The services of a context, without what is in force there only for a while. */
const outside = <R>(context: Context.Context<R>): Context.Context<R> =>
  context.pipe(
    Context.add(Session.Current, undefined),
    Context.add(Deadline.Current, undefined),
    Context.add(Caller.Current, undefined),
    Context.add(Retry.CurrentKey, undefined),
    Context.omit(Tracer.ParentSpan)
  ) as Context.Context<R>

interface Once<out A, out E> {
  /** What was opened: undefined before. */
  readonly opened: () => A | undefined
  readonly open: Effect.Effect<A, E>
}

/**
 * Opens something at its first use, for as long as the surrounding scope is open. Fibers that use it meanwhile wait for the
 * same open.
 *
 * A failed open is not kept: it releases what it acquired, and the next use opens anew. So does an interrupted one. What the
 * open acquires belongs to all users, so it runs in the services in which this was made, not in the context of its first
 * user. It runs in no session, and without deadline, caller, idempotency key and span: where this was made, these may have
 * ended.
 */
export const openOnce = <A extends object, E, R>(
  open: Effect.Effect<A, E, R>
): Effect.Effect<Once<A, E>, never, R | Scope.Scope> =>
  Effect.contextWith((context: Context.Context<R | Scope.Scope>) =>
    Effect.map(Effect.scope, (scope) => {
      const services = outside(context)
      const lock = Semaphore.makeUnsafe(1)
      let opened: A | undefined
      const opening = Effect.uninterruptibleMask((restore) =>
        Effect.suspend(() => {
          const own = Scope.forkUnsafe(scope)
          const inContext = Effect.setContext(Effect.provideService(open, Scope.Scope, own), services)
          return Effect.onExit(restore(inContext), (exit) => {
            if (Exit.isFailure(exit)) return Scope.close(own, exit)
            opened = exit.value
            return Effect.void
          })
        })
      )
      const locked = lock.withPermits(1)(
        Effect.suspend(() => opened === undefined ? opening : Effect.succeed(opened))
      )
      return { opened: () => opened, open: locked }
    })
  )
