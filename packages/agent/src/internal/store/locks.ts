/** One after the other for each key. Nothing is kept of a key that nobody uses. */
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"

interface Lock {
  readonly semaphore: Semaphore.Semaphore
  /** Those who have it or wait for it. */
  users: number
}

export class Locks {
  private readonly locks = new Map<string, Lock>()

  /** Whether the key is in use. */
  has(key: string): boolean {
    return this.locks.has(key)
  }

  within<A, E, R>(key: string, effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.uninterruptibleMask((restore) => {
      const lock = this.enter(key)
      return Effect.ensuring(
        restore(lock.semaphore.withPermit(effect)),
        Effect.sync(() => {
          if (--lock.users === 0) this.locks.delete(key)
        })
      )
    })
  }

  private enter(key: string): Lock {
    let lock = this.locks.get(key)
    if (lock === undefined) this.locks.set(key, lock = { semaphore: Semaphore.makeUnsafe(1), users: 0 })
    lock.users++
    return lock
  }
}
