/** A pool: does what its machine decides. Every connect, check, reset and close runs on a fiber of the pool, within its limit. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { type Kernel, kernelOfRecord } from "../session/kernel.ts"
import * as Lifecycle from "../session/lifecycle.ts"
import type { Info } from "../session/model.ts"
import * as Timers from "../time/timers.ts"
import { connect, type ConnectError, whyFailed } from "./connect.ts"
import type { Entry, Reason } from "./entry.ts"
import type { Environment } from "./environment.ts"
import { type AcquireTimeout, PoolClosed, type PoolError } from "./errors.ts"
import * as HandOver from "./handOver.ts"
import type { Item, Lender } from "./item.ts"
import { PoolMachine } from "./machine.ts"
import type { PoolMetrics } from "./metrics.ts"
import { Patience } from "./patience.ts"
import { Reports } from "./reports.ts"
import type { Command, Commands } from "./rules.ts"
import type { Settings } from "./settings.ts"
import { tooLate } from "./tooLate.ts"
import type { Queue, Waiter } from "./waiter.ts"
import { Works } from "./works.ts"

const isFit = (exit: Exit.Exit<unknown, unknown>) => Exit.isSuccess(exit) && exit.value !== false

export class Core<A, E> implements Timers.Timer, Lender, Queue<A, E | PoolError> {
  readonly machine: PoolMachine<Item<A>, Waiter<A, E | PoolError>>
  readonly settings: Settings<A, E>
  readonly timers: Timers.Timers
  readonly patience: Patience
  readonly metrics: PoolMetrics
  /** What the sessions of its borrowers are called. */
  readonly info: Info
  readonly core: Core<A, E> = this
  at = Infinity
  slot = Timers.unset
  readonly environment: Environment
  private readonly works: Works<object>
  private readonly reports: Reports
  private readonly watchers = new Set<() => void>()
  private drainsUntil: number | undefined = undefined
  /** Until when the pause before the next connect depends on failures. */
  remembersUntil = -Infinity
  /** Why connecting failed last, if it has not succeeded since. */
  private failure: Cause.Cause<E | ConnectError> | undefined = undefined

  constructor(settings: Settings<A, E>, environment: Environment, metrics: PoolMetrics) {
    const { context, timers } = environment
    const runFork = Effect.runForkWith(context)
    this.settings = settings
    this.machine = new PoolMachine(settings.limits)
    this.info = { kind: "borrow", name: settings.name }
    this.environment = environment
    this.timers = timers
    this.patience = new Patience(timers, () => this.machine.line.head)
    this.metrics = metrics
    // Where a fiber may be interrupted, it loses what it has opened if the interruption comes with its last step.
    this.works = new Works(timers, (effect) => runFork(effect, { uninterruptible: true }))
    this.reports = new Reports(settings.name, runFork)
  }

  get hasIdle(): boolean {
    return this.machine.count("idle") > 0
  }

  get now(): number {
    return this.timers.now
  }

  /** Something is due by the clock. */
  fire(): void {
    this.at = Infinity
    this.perform(this.machine.sweep(this.now))
  }

  /** Keeps the timer no later than the machine needs it. */
  arm(): void {
    const { wakesAt } = this.machine
    if (wakesAt >= this.at || this.machine.isShut) return
    this.at = wakesAt
    this.timers.set(this)
  }

  leave(waiter: Waiter<A, E | PoolError>): boolean {
    if (!this.machine.leave(waiter)) return false
    this.changed()
    return true
  }

  tooLate(waiter: Waiter<A, E | PoolError>): AcquireTimeout {
    return tooLate(this, waiter, this.failure)
  }

  /** Takes back what a borrower has used. What was revoked may still be in use, so it is not lent again. */
  giveBack(item: Item<unknown>, kernel: Kernel | undefined): void {
    const { entry, loan } = item as Item<A> & { readonly entry: Entry<Item<A>> }
    if (loan === undefined) return
    const { now } = this
    const { isReported, takenAt } = entry
    HandOver.begin()
    item.loan = undefined
    if (isReported) this.reports.returnedLate(loan, now - takenAt)
    if (loan.isRevoked) this.perform(this.machine.end(entry, "revoked", now))
    const commands = this.machine.give(entry, now)
    this.metrics.used(now - takenAt)
    this.perform(commands)
    kernel?.close(loan)
    HandOver.end()
  }

  /** Returns an item that its borrower has not used. */
  pass(entry: Entry<Item<A>>): void {
    this.perform(this.machine.pass(entry, this.now))
  }

  end(entry: Entry<Item<A>>, reason: Reason): void {
    this.perform(this.machine.end(entry, reason, this.now))
  }

  /** Lends nothing from now on. Returns until when its borrowers may keep what they have: a second call changes nothing. */
  shut(): number {
    this.drainsUntil ??= this.now + this.settings.drainTimeout
    this.perform(this.machine.shut())
    this.changed()
    this.timers.clear(this)
    return this.drainsUntil
  }

  /** Calls `listener` whenever there is less of it: an item was closed or did not open, or a waiter has left. Returns how to stop. */
  watch(listener: () => void): () => void {
    this.watchers.add(listener)
    return () => void this.watchers.delete(listener)
  }

  perform(commands: Commands<Item<A>, Waiter<A, E | PoolError>>): void {
    HandOver.begin()
    for (const command of commands) this.execute(command)
    this.arm()
    HandOver.end()
  }

  private execute(command: Command<Item<A>, Waiter<A, E | PoolError>>): void {
    switch (command._tag) {
      case "Lend":
        command.waiter.lend(command.entry)
        break
      case "Reject":
        command.waiter.settle(
          command.why === "connect" && this.failure !== undefined
            ? Exit.failCause(this.failure)
            : Exit.fail(new PoolClosed({ pool: this.settings.name }))
        )
        break
      case "Open":
        this.open(command.entry)
        break
      case "Validate":
        this.check(command.entry)
        break
      case "Reset":
        this.clean(command.entry)
        break
      case "Close":
        this.close(command.entry, command.reason)
        break
      case "Abort":
        this.works.stop(command.entry)
        break
      case "Leak":
        this.leaked(command.entry)
        break
    }
  }

  private open(entry: Entry<Item<A>>): void {
    const { settings: { closeTimeout, connectTimeout } } = this
    const startedAt = this.now
    const failed = (cause: Cause.Cause<E | ConnectError>) => {
      if (entry.ending === undefined) {
        this.failure = cause
        this.remembersUntil = this.now + 2 * this.settings.limits.maxBackoff
        this.metrics.connectFailed()
      }
      const isWanted = entry.ending === undefined
      const commands = this.machine.openFailed(entry, this.now, this.environment.random.nextDoubleUnsafe())
      if (isWanted && !commands.some(({ _tag }) => _tag === "Reject")) this.reports.connectFails(cause)
      this.perform(commands)
      this.changed()
    }
    // It may have been ended by what was done before in the same step.
    if (entry.ending !== undefined) return failed(Cause.empty)
    this.works.run(entry, connect(this.settings, this.environment.context, this, entry), {
      limit: connectTimeout,
      grace: closeTimeout,
      onLate: (exit) => Exit.isSuccess(exit) && this.dispose(exit.value, () => {}),
      onEnd: (exit, isOverdue) => {
        if (exit !== undefined && Exit.isSuccess(exit)) return this.opened(entry, exit.value, startedAt)
        if (exit === undefined) this.abandoned("connect")
        failed(whyFailed(this.settings, isOverdue ? undefined : exit))
      }
    })
  }

  private opened(entry: Entry<Item<A>>, item: Item<A>, startedAt: number): void {
    const { now } = this
    item.record.addUser(() => this.end(entry, "revoked"))
    // It may have been revoked while it was opened, where that could not be interrupted.
    if (item.record.isRevoked) this.end(entry, "revoked")
    const commands = this.machine.opened(entry, item, now, this.environment.random.nextDoubleUnsafe())
    if (commands === undefined) return this.dispose(item, () => {})
    this.failure = undefined
    this.reports.connects()
    this.remembersUntil = -Infinity
    this.metrics.connected(now - startedAt)
    this.perform(commands)
  }

  private check(entry: Entry<Item<A>>): void {
    const { validate, validateTimeout } = this.settings
    const judged = (exit: Exit.Exit<unknown, unknown>) => this.machine.validated(entry, isFit(exit), this.now)
    this.tend(entry, "validate", validate, validateTimeout, judged)
  }

  private clean(entry: Entry<Item<A>>): void {
    const { reset, resetTimeout } = this.settings
    this.tend(entry, "reset", reset, resetTimeout, (exit) => this.machine.reset(entry, Exit.isSuccess(exit), this.now))
  }

  /** Runs what the options have for an item that is not lent. */
  private tend(
    entry: Entry<Item<A>>,
    step: "validate" | "reset",
    f: Settings<A, E>["validate"],
    limit: number,
    then: (exit: Exit.Exit<unknown, unknown>) => ReturnType<typeof this.machine.validated>
  ): void {
    const { resource } = entry.resource as Item<A>
    // Not in the pool's scope, in which what each run acquires would gather.
    const run = Effect.interruptible(Effect.scoped(Effect.suspend(() => f?.(resource) ?? Effect.void)))
    this.works.run(entry, run, {
      limit,
      grace: this.settings.closeTimeout,
      onEnd: (exit) => {
        if (exit === undefined) this.abandoned(step)
        else if (Exit.isFailure(exit)) this.reports.failed(step, exit.cause)
        this.perform(then(exit ?? Exit.interrupt()))
      }
    })
  }

  private close(entry: Entry<Item<A>>, reason: Reason): void {
    this.metrics.ended(reason)
    this.dispose(entry.resource as Item<A>, () => {
      this.perform(this.machine.closed(entry, this.now))
      this.changed()
    })
  }

  /** Closes an item. One that takes too long is abandoned. */
  private dispose(item: Item<A>, onEnd: () => void): void {
    const closing = Effect.suspend(() => Lifecycle.close(item.record, Exit.void, kernelOfRecord(item.record).close))
    this.works.run(item, closing, {
      limit: this.settings.closeTimeout,
      grace: 0,
      onEnd: (exit) => {
        if (exit === undefined) this.abandoned("close")
        else if (Exit.isFailure(exit)) this.reports.failed("close", exit.cause)
        onEnd()
      }
    })
  }

  private changed(): void {
    for (const watcher of this.watchers) watcher()
  }

  private leaked(entry: Entry<Item<A>>): void {
    const loan = entry.resource?.loan
    if (loan === undefined) return
    this.metrics.leaked()
    this.reports.leaked(loan, this.settings.limits.leakThreshold)
  }

  private abandoned(step: Parameters<Reports["abandoned"]>[0]): void {
    this.metrics.abandon()
    this.reports.abandoned(step)
  }
}
