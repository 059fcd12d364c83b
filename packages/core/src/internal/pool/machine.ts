/**
 * The items of a pool and the callers that wait for one: a state machine without clock or effect. Each method is one transition,
 * and returns what the shell must do next, in this order. Times are monotonic milliseconds, `spread` is a random number from 0
 * up to 1.
 *
 * Guarantees:
 * - Opening, idle, busy, validating, resetting and closing items together never exceed `max`.
 * - An item is lent to one caller at a time, younger than its lifetime, and used or checked within the bypass window.
 * - Waiters are served in the order in which they came.
 * - No caller waits while an item that may be lent is idle, so a caller that has not waited overtakes no waiter.
 * - There is an item on its way for each waiter, unless all places are taken, or connecting fails and is backed off.
 * - An item in use is closed only when it is returned.
 * - After `shut` nothing is lent or opened, and each item is closed as soon as its work ends.
 */
import { Backoff } from "./backoff.ts"
import { Census } from "./census.ts"
import type { Entry, Reason, State } from "./entry.ts"
import { Line, type Linked } from "./line.ts"
import type { Command, Commands, Limits } from "./rules.ts"

const nothing: ReadonlyArray<never> = []

/** A lifetime is shorter by up to this share, and the interval of keep-alive by the other. */
const lifetimeSpread = 0.2
const keepAliveSpread = 0.1

export class PoolMachine<R, W extends Linked<W>> {
  readonly limits: Limits
  private readonly census = new Census<R>()
  /** In the order of their last use, so that the one used last is lent first, and the others become idle. */
  private readonly idle: Array<Entry<R>> = []
  readonly line = new Line<W>()
  private readonly backoff: Backoff
  private hasShut = false
  private wakes = Infinity

  constructor(limits: Limits) {
    this.limits = limits
    this.backoff = new Backoff(limits.backoff, limits.maxBackoff)
  }

  /** How many items are in a state. */
  count(state: Exclude<State, "closed">): number {
    return this.census.count(state)
  }

  /** How many places are taken. */
  get total(): number {
    return this.census.size
  }

  get waiting(): number {
    return this.line.size
  }

  get isShut(): boolean {
    return this.hasShut
  }

  /** Whether nothing is left of it. */
  get isEmpty(): boolean {
    return this.census.size === 0 && this.line.size === 0
  }

  /** Call `sweep` at this moment. */
  get wakesAt(): number {
    return this.wakes
  }

  /** All places that are taken. */
  get entries(): Iterable<Entry<R>> {
    return this.census.entries
  }

  /** Borrows an idle item. Undefined where the caller must `join` the waiters. */
  take(now: number): Entry<R> | undefined {
    for (let at = this.idle.length - 1; at >= 0; at--) {
      const entry = this.idle[at] as Entry<R>
      if (!this.isFresh(entry, now)) continue
      this.unrest(entry)
      this.lend(entry, now)
      return entry
    }
    return undefined
  }

  /** Waits for an item. */
  join(waiter: W, now: number): Commands<R, W> | "full" | "shut" {
    if (this.hasShut) return "shut"
    const { census, idle, limits, line } = this
    const served = census.coming + idle.length + limits.max - census.size
    if (line.size >= served + limits.maxWaiters) return "full"
    line.push(waiter)
    return this.supply(now, [])
  }

  /** Stops waiting. False if the waiter does not wait any more: if it was lent an item, it must `pass` that on. */
  leave(waiter: W): boolean {
    return this.line.remove(waiter)
  }

  /** Returns an item after its use. Nothing changes if it is not lent. */
  give(entry: Entry<R>, now: number): Commands<R, W> {
    if (entry.state !== "busy") return nothing
    entry.usedAt = now
    entry.checkedAt = now
    const end = entry.ending ?? (entry.uses >= this.limits.maxUses ? "uses" : this.expiry(entry, now))
    if (end === undefined && this.limits.isReset) {
      this.census.move(entry, "resetting")
      return [{ _tag: "Reset", entry }]
    }
    if (end === undefined && this.line.size === 0) {
      this.rest(entry)
      return nothing
    }
    return this.settle(entry, now, end)
  }

  /** Returns an item that its borrower has not used. */
  pass(entry: Entry<R>, now: number): Commands<R, W> {
    if (entry.state !== "busy") return nothing
    entry.uses--
    return this.settle(entry, now, entry.ending)
  }

  /** An item is open. Undefined if its place was freed before: the shell must close the item itself. */
  opened(entry: Entry<R>, resource: R, now: number, spread: number): Commands<R, W> | undefined {
    if (entry.state !== "opening") return undefined
    entry.resource = resource
    entry.spread = spread
    entry.usedAt = now
    entry.checkedAt = now
    entry.expiresAt = now + this.limits.maxLifetime * (1 - lifetimeSpread * spread)
    this.backoff.end()
    return this.settle(entry, now, entry.ending)
  }

  /** Connecting failed. Its place is free. */
  openFailed(entry: Entry<R>, now: number, spread: number): Commands<R, W> {
    if (entry.state !== "opening") return nothing
    const { census } = this
    census.remove(entry)
    const out: Array<Command<R, W>> = []
    if (entry.ending !== undefined) return this.supply(now, out)
    this.backoff.failed(now, spread)
    if (census.lasting === census.count("opening") && this.line.size > census.coming) {
      const waiter = this.line.shift()
      if (waiter !== undefined) out.push({ _tag: "Reject", waiter, why: "connect" })
    }
    return this.supply(now, out)
  }

  /** The check of an item has ended. */
  validated(entry: Entry<R>, isValid: boolean, now: number): Commands<R, W> {
    if (entry.state !== "validating") return nothing
    if (isValid) entry.checkedAt = now
    return this.settle(entry, now, entry.ending ?? (isValid ? undefined : "invalid"))
  }

  /** The reset of an item has ended. */
  reset(entry: Entry<R>, isClean: boolean, now: number): Commands<R, W> {
    if (entry.state !== "resetting") return nothing
    if (isClean) entry.checkedAt = now
    return this.settle(entry, now, entry.ending ?? (isClean ? undefined : "resetFailed"))
  }

  /** An item is closed, or is not waited for any longer. Its place is free. */
  closed(entry: Entry<R>, now: number): Commands<R, W> {
    if (entry.state !== "closing") return nothing
    this.census.remove(entry)
    return this.supply(now, [])
  }

  /** Ends an item: at once if it is idle, otherwise when its work ends. A second call changes nothing. */
  end(entry: Entry<R>, reason: Reason, now: number): Commands<R, W> {
    if (entry.ending !== undefined || !this.census.has(entry)) return nothing
    const out: Array<Command<R, W>> = []
    this.conclude(entry, reason, out)
    return this.supply(now, out)
  }

  /** Ends all items, so that what is lent from now on was opened after this. */
  refresh(now: number): Commands<R, W> {
    const out: Array<Command<R, W>> = []
    this.backoff.end()
    for (const entry of this.census.entries) this.conclude(entry, "refreshed", out)
    return this.supply(now, out)
  }

  /** Ends all items, rejects all waiters and admits no caller from now on. A second call changes nothing. */
  shut(): Commands<R, W> {
    const out: Array<Command<R, W>> = []
    this.hasShut = true
    for (let waiter = this.line.shift(); waiter !== undefined; waiter = this.line.shift()) {
      out.push({ _tag: "Reject", waiter, why: "shut" })
    }
    for (const entry of this.census.entries) this.conclude(entry, "shutdown", out)
    return out
  }

  /** What is due by the clock alone. With the first call, opens `min` items. */
  sweep(now: number): Commands<R, W> {
    const out: Array<Command<R, W>> = []
    this.wakes = Infinity
    const { idleTimeToLive, leakThreshold, min } = this.limits
    for (const entry of this.idle.slice()) {
      if (this.expiry(entry, now) !== undefined) this.close(entry, "lifetime", out)
      else if (now >= entry.usedAt + idleTimeToLive && this.census.lasting > min) this.close(entry, "idle", out)
      else if (now >= entry.checksAt) this.validate(entry, out)
      else this.note(entry)
    }
    if (leakThreshold < Infinity) {
      for (const entry of this.census.entries) {
        if (entry.state !== "busy" || entry.isReported) continue
        const at = entry.takenAt + leakThreshold
        if (now < at) this.wakeBy(at)
        else {
          entry.isReported = true
          out.push({ _tag: "Leak", entry })
        }
      }
    }
    return this.supply(now, out)
  }

  private expiry(entry: Entry<R>, now: number): Reason | undefined {
    return now >= entry.expiresAt ? "lifetime" : undefined
  }

  private isFresh(entry: Entry<R>, now: number): boolean {
    return now < entry.expiresAt && now - entry.checkedAt <= this.limits.bypass
  }

  private wakeBy(at: number): void {
    if (at < this.wakes) this.wakes = at
  }

  /** Wakes the shell when this idle item is due. */
  private note(entry: Entry<R>): void {
    const { idleTimeToLive, keepAlive, min } = this.limits
    entry.checksAt = entry.checkedAt + keepAlive * (1 - keepAliveSpread * entry.spread)
    const idleUntil = this.census.lasting > min ? entry.usedAt + idleTimeToLive : Infinity
    this.wakeBy(Math.min(entry.expiresAt, entry.checksAt, idleUntil))
  }

  private rest(entry: Entry<R>): void {
    this.census.rest(entry)
    const { idle } = this
    let at = idle.length
    while (at > 0 && (idle[at - 1] as Entry<R>).usedAt > entry.usedAt) at--
    if (at === idle.length) idle.push(entry)
    else idle.splice(at, 0, entry)
    this.note(entry)
  }

  /** Takes an item out of the idle ones, if it is one. */
  private unrest(entry: Entry<R>): void {
    if (this.idle[this.idle.length - 1] === entry) this.idle.pop()
    else if (entry.state === "idle") this.idle.splice(this.idle.indexOf(entry), 1)
  }

  private lend(entry: Entry<R>, now: number): void {
    this.census.lend(entry)
    entry.takenAt = now
    entry.isReported = false
    entry.uses++
    this.wakeBy(now + this.limits.leakThreshold)
  }

  private lendNext(entry: Entry<R>, now: number, out: Array<Command<R, W>>): void {
    const waiter = this.line.shift() as W
    this.lend(entry, now)
    out.push({ _tag: "Lend", waiter, entry })
  }

  private validate(entry: Entry<R>, out: Array<Command<R, W>>): void {
    this.unrest(entry)
    this.census.move(entry, "validating")
    out.push({ _tag: "Validate", entry })
  }

  private close(entry: Entry<R>, reason: Reason, out: Array<Command<R, W>>): void {
    this.unrest(entry)
    this.census.mark(entry, reason)
    this.census.move(entry, "closing")
    out.push({ _tag: "Close", entry, reason })
  }

  /** Ends an item, without putting another one on its way. */
  private conclude(entry: Entry<R>, reason: Reason, out: Array<Command<R, W>>): void {
    const { ending, state } = entry
    if (state === "idle") return this.close(entry, reason, out)
    if (ending !== undefined || state === "closing") return
    this.census.mark(entry, reason)
    if (state !== "busy") out.push({ _tag: "Abort", entry })
  }

  /** Decides what becomes of an item that is free: it ends, goes to the first waiter, or rests. */
  private settle(entry: Entry<R>, now: number, reason: Reason | undefined): Commands<R, W> {
    const out: Array<Command<R, W>> = []
    const end = reason ?? this.expiry(entry, now)
    if (end !== undefined) this.close(entry, end, out)
    else if (this.line.size > 0 && this.isFresh(entry, now)) this.lendNext(entry, now, out)
    else this.rest(entry)
    return this.supply(now, out)
  }

  /** Puts an item on its way for each waiter that has none yet, and opens what is missing below `min`. */
  private supply(now: number, out: Array<Command<R, W>>): Commands<R, W> {
    if (this.hasShut) return out
    const { backoff, census, idle, limits: { max, min }, line } = this
    while (line.size > census.coming) {
      // Not read where there is none: the index -1 is slow.
      const entry = idle.length === 0 ? undefined : idle[idle.length - 1]
      if (entry === undefined) break
      if (this.expiry(entry, now) !== undefined) this.close(entry, "lifetime", out)
      else this.validate(entry, out)
    }
    while (census.size < max && (line.size > census.coming || census.lasting < min)) {
      if (now < backoff.endsAt) {
        this.wakeBy(backoff.endsAt)
        break
      }
      // While connecting fails, one connect at a time finds out whether it works again.
      if (backoff.isFailing && census.count("opening") > 0) break
      out.push({ _tag: "Open", entry: census.add() })
    }
    return out
  }
}
