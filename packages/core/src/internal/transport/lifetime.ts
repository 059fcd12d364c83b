import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Latch from "effect/Latch"
import * as Scope from "effect/Scope"

/**
 * A scope that ends with another one, or before that.
 *
 * If two fibers close one of Effect's scopes, the second continues while the first still releases. Here the second waits.
 * So once the outer scope is closed, everything is released, even if another fiber was closing this one.
 */
export class Lifetime {
  readonly scope = Scope.makeUnsafe()
  private readonly around: Scope.Closeable
  private readonly closed = Latch.makeUnsafe()
  private isClosing = false

  private constructor(around: Scope.Closeable) {
    this.around = around
  }

  static fork = (parent: Scope.Scope): Effect.Effect<Lifetime> =>
    Effect.flatMap(Scope.fork(parent), (around) => {
      const lifetime = new Lifetime(around)
      return Effect.as(Scope.addFinalizerExit(around, lifetime.close), lifetime)
    })

  get isOver(): boolean {
    return this.isClosing
  }

  readonly close = (exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> =>
    Effect.uninterruptible(Effect.suspend(() => {
      if (this.isClosing) return this.closed.await
      this.isClosing = true
      return Effect.ensuring(
        Effect.ensuring(Scope.close(this.scope, exit), this.closed.open),
        // Only now does the scope around forget it.
        Scope.close(this.around, exit)
      )
    }))
}
