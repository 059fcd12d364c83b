import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"

/**
 * Opens something at its first use, for as long as the surrounding scope is open. Fibers that use it meanwhile wait for the
 * same open.
 *
 * A failed open is not kept: it releases what it acquired, and the next use opens anew. So does an interrupted one. The open
 * runs in the context in which this was made, not in the context of its first user: what it acquires belongs to all users.
 */
export const openOnce = <A, E, R>(
  open: Effect.Effect<A, E, R>
): Effect.Effect<Effect.Effect<A, E>, never, R | Scope.Scope> =>
  Effect.contextWith((context: Context.Context<R | Scope.Scope>) =>
    Effect.map(Effect.scope, (scope) => {
      const lock = Semaphore.makeUnsafe(1)
      let opened: Effect.Effect<A> | undefined
      const opening = Effect.uninterruptibleMask((restore) =>
        Effect.suspend(() => {
          const own = Scope.forkUnsafe(scope)
          const inContext = Effect.setContext(Effect.provideService(open, Scope.Scope, own), context)
          return Effect.onExit(restore(inContext), (exit) => {
            if (Exit.isFailure(exit)) return Scope.close(own, exit)
            opened = Effect.succeed(exit.value)
            return Effect.void
          })
        })
      )
      const locked = lock.withPermits(1)(Effect.suspend(() => opened ?? opening))
      return Effect.suspend(() => opened ?? locked)
    })
  )
