/**
 * The callers of this process that wait for the lease of one key, in the order in which they came. The first of them asks the store;
 * the others wait for their turn.
 */
import * as Effect from "effect/Effect"
import { Line, type Linked } from "../pool/line.ts"
import type { LeaseStore } from "./model.ts"

/** One caller that waits. */
export class Waiter implements Linked<Waiter> {
  isWaiting = false
  before: Waiter | undefined = undefined
  after: Waiter | undefined = undefined
  private isWoken = false
  private resume: ((effect: Effect.Effect<void>) => void) | undefined = undefined

  /** Whether its turn has come. */
  get isFirst(): boolean {
    return this.isWaiting && this.before === undefined
  }

  /** A wake is kept until the waiter waits for it. */
  wake(): void {
    this.isWoken = true
    this.resume?.(Effect.void)
  }

  /** Waits until it is woken. */
  readonly woken: Effect.Effect<void> = Effect.callback((resume) => {
    const end = (effect: Effect.Effect<void>) => {
      this.isWoken = false
      this.resume = undefined
      resume(effect)
    }
    if (this.isWoken) return end(Effect.void)
    this.resume = end
    return Effect.sync(() => {
      this.resume = undefined
    })
  })
}

/** Those who wait, of all keys of a store. */
export class Waiters {
  private readonly lines = new Map<string, Line<Waiter>>()

  isAnyoneWaiting(key: string): boolean {
    return this.lines.has(key)
  }

  join(key: string, waiter: Waiter): void {
    let line = this.lines.get(key)
    if (line === undefined) this.lines.set(key, line = new Line<Waiter>())
    line.push(waiter)
  }

  /** If the first one leaves, it is the turn of the next. */
  leave(key: string, waiter: Waiter): void {
    const line = this.lines.get(key)
    const wasFirst = waiter.isFirst
    if (line?.remove(waiter) !== true) return
    if (line.size === 0) this.lines.delete(key)
    else if (wasFirst) line.head?.wake()
  }

  /** A place may have become free: the first one asks at once. */
  wake(key: string): void {
    this.lines.get(key)?.head?.wake()
  }
}

const waitersByStore = new WeakMap<LeaseStore, Waiters>()

/** Those of this process who wait for leases of a store. */
export const waitersOf = (store: LeaseStore): Waiters => {
  let waiters = waitersByStore.get(store)
  if (waiters === undefined) waitersByStore.set(store, waiters = new Waiters())
  return waiters
}
