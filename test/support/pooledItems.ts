/** The items of a simulated pool, as their server sees them: what opens, closes, checks and resets them, and who has them. */
import type { Session } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Data, Effect, Exit } from "effect"
import type { JumpingClock } from "./jumpingClock.ts"

/** The server refuses a connection, or a check or a reset fails. */
export class Refused extends Data.TaggedError("Refused")<{}> {}

/** What a connect, a check, a close or a borrower dies of. */
export class Broken extends Data.TaggedError("Broken")<{}> {}

/** One wish for an item. Its times are those of the clock without its leaps. */
export interface Request {
  /** Counts what was asked for and given up, in this order. */
  readonly moment: number
  /** How often the clock had leapt. */
  readonly leaps: number
  readonly askedAt: number
  /** When it got its item. */
  startedAt: number | undefined
  endedAt: number | undefined
  /** Whether it had a turn with its item. */
  hasUsed: boolean
}

interface Holder {
  readonly request: Request
  /** Whether the loan is over although its request has not said so. */
  readonly isOver: () => boolean
  /** Whether the pool may have closed the item under its borrower, who did not stop in time. */
  readonly mayBeForced: () => boolean
}

export interface Item {
  readonly id: number
  openedAt: number
  /** Its connect has ignored that it was interrupted, or its time was over in a leap. */
  readonly wasDeaf: boolean
  /** It was open only after the pool had abandoned its connect. */
  readonly isLate: boolean
  readonly checkThrows: boolean
  state: "open" | "closing" | "closed"
  closings: number
  /** Whether it is being closed: nothing can end that. */
  isDeaf: boolean
  /** Since when. */
  since: number
  holder: Holder | undefined
  isTended: boolean
  /** When it was opened, used, checked or reset last. */
  knownAt: number
  uses: number
  /** A check or a reset has not ended well. */
  isBad: boolean
  /** Since which moment no request may get it any more. */
  givenUpAt: number
}

export interface Limits {
  readonly max: number
  readonly maxUses: number
  readonly maxLifetime: number
  readonly validateBypass: number
  readonly connectTimeout: number
  readonly closeTimeout: number
  readonly acquireTimeout: number
  readonly backoff: { readonly base: number; readonly max: number }
}

type Verdict = readonly [property: string, holds: boolean]

const report = (verdicts: ReadonlyArray<Verdict>, item: Item) =>
  Effect.forEach(verdicts, ([property, holds]) => Simulation.check(property, holds, `item ${item.id}`), {
    discard: true
  })

/** Longer than the pool waits for anything that ignores it. */
const long = 1500

const deaf = Effect.uninterruptible(Effect.sleep(long))

interface Attempt {
  readonly since: number
  /** How often the clock had leapt. */
  readonly leaps: number
  /** Without the leaps. */
  readonly awakeSince: number
  /** Which of the items it is for: all are replaced at times. */
  readonly generation: number
  /** Whether it ignores interruption. */
  isDeaf: boolean
}

export class Items {
  readonly all: Array<Item> = []
  /** Those that are not closed. */
  readonly present = new Set<Item>()
  readonly requests: Array<Request> = []
  /** Whether items are taken from their borrowers, by one who does not wait for these. */
  areSeized = false
  private readonly connecting = new Set<Attempt>()
  private readonly clock: JumpingClock
  private readonly limits: Limits
  private moments = 0
  private generation = 0
  /** When a connect has failed last, if none has succeeded since. */
  private failedAt = -Infinity
  private failedAwake = -Infinity
  /** When the pool has last begun a pause, as far as can be known. */
  private pausedAt = -Infinity
  /** A connect has taken longer than the pool waits: it is not known when its pause began. */
  private isHazy = false
  /** When one has succeeded last, without the leaps. */
  private succeededAt = -Infinity
  /** When items were lent that, as far as borrowers said, were last used or checked too long ago. */
  private readonly stale: Array<number> = []
  /** When borrowers had an item for no step, since their scope was closed before. */
  private readonly unused: Array<number> = []

  constructor(clock: JumpingClock, limits: Limits) {
    this.clock = clock
    this.limits = limits
    // The pool may have seen on the other side of the leap what happened at its moment.
    clock.onLeap((from, to) => {
      for (const item of this.present) {
        if (item.openedAt === from) item.openedAt = to
        if (item.knownAt === from) item.knownAt = to
      }
    })
  }

  /** Connects, open and closing items, but for those that the pool may have abandoned. */
  get places(): number {
    let count = 0
    for (const { since, ...attempt } of this.connecting) {
      if (!this.isAbandoned({ since, isDeaf: this.isDeaf(attempt) })) count++
    }
    for (const item of this.present) if (!item.wasDeaf && !this.isAbandoned(item)) count++
    return count
  }

  /** Whether a connect is under way that does not ignore interruption. */
  get isConnecting(): boolean {
    for (const attempt of this.connecting) if (!this.isDeaf(attempt)) return true
    return false
  }

  /** What is there, but for what the pool has abandoned. */
  get left(): ReadonlyArray<string> {
    return [
      ...this.isConnecting ? ["a connect"] : [],
      ...[...this.present].filter((item) => !item.wasDeaf && !this.isAbandoned(item))
        .map(({ id, state }) => `${state} item ${id}`)
    ]
  }

  /** Whether a connect ignores interruption, or has not had a turn to notice one since a leap. */
  private isDeaf({ isDeaf, leaps }: Pick<Attempt, "isDeaf" | "leaps">): boolean {
    return isDeaf || (this.clock.hasJustLeapt && leaps < this.clock.leaps)
  }

  /** Whether a connect that ignores interruption, or a close, takes longer than the pool waits. */
  private isAbandoned({ isDeaf, since }: Pick<Attempt, "isDeaf" | "since">): boolean {
    return isDeaf && this.clock.now >= since + this.limits.closeTimeout
  }

  /** Those that somebody has had: the pool may not know the others yet. */
  get known(): ReadonlyArray<Item> {
    return [...this.present].filter(({ state, uses }) => state === "open" && uses > 0)
  }

  /** Opens an item, after a while. It can be interrupted while it waits, but for a fault. */
  readonly connect = Effect.acquireRelease(
    Effect.suspend(() => {
      const { clock: { awake, earliest, leaps, now }, generation, limits } = this
      const attempt: Attempt = { since: earliest, leaps, awakeSince: awake, generation, isDeaf: false }
      this.connecting.add(attempt)
      // The pool may have begun this connect in the moment of the failure, before it knew of that.
      const isPaused = awake > this.failedAwake && now < this.failedAt + limits.backoff.base / 2
      const answer = Effect.gen(function*() {
        yield* (yield* Simulation.fault("connect is slow", 0.1))
          ? Simulation.latency(50, 300)
          : Simulation.latency(0, 5)
        if (yield* Simulation.fault("connect fails", 0.15)) return yield* new Refused()
        if (yield* Simulation.fault("connect dies", 0.03)) return yield* Effect.die(new Broken())
        return yield* Simulation.fault("a check throws", 0.05)
      })
      const wait = Effect.gen(function*() {
        attempt.isDeaf = yield* Simulation.fault("connect ignores interruption", 0.04)
        if (attempt.isDeaf) return yield* Effect.andThen(Effect.sleep(yield* Simulation.choose([250, long])), answer)
        if (yield* Simulation.fault("connect never ends", 0.04)) return yield* Effect.interruptible(Effect.never)
        return yield* Effect.interruptible(answer)
      })
      return Simulation.check("after a failed connect there is a pause", !isPaused || this.areSeized).pipe(
        Effect.andThen(wait),
        Effect.map((checkThrows) => this.born(attempt, checkThrows)),
        Effect.onExit((exit) => Effect.sync(() => this.failed(attempt, exit)))
      )
    }),
    (item) => this.close(item)
  )

  /** The connect has ended. The pool knows of failures that it did not want, and that came in time. */
  private failed(attempt: Attempt, exit: Exit.Exit<unknown, unknown>): void {
    this.connecting.delete(attempt)
    const { clock: { awake, now }, generation, limits: { backoff, connectTimeout }, pausedAt, succeededAt } = this
    for (const { since } of [attempt, ...this.connecting]) if (now >= since + connectTimeout) this.isHazy = true
    if (Exit.isSuccess(exit) || Exit.hasInterrupts(exit) || attempt.generation !== generation) return
    // A failure in the pause after another one leads to no further pause.
    if (now < pausedAt + backoff.max || this.isHazy) return
    this.pausedAt = now
    // A success ends a pause: of two at one moment, the pool may see either first.
    if (succeededAt === awake) return
    this.failedAt = now
    this.failedAwake = awake
  }

  private born(attempt: Attempt, checkThrows: boolean): Item {
    this.connecting.delete(attempt)
    const { clock: { awake, now }, limits: { closeTimeout, connectTimeout } } = this
    this.failedAt = -Infinity
    this.isHazy = false
    this.succeededAt = awake
    const item: Item = {
      id: this.all.length,
      openedAt: now,
      wasDeaf: this.isDeaf(attempt),
      isLate: awake > attempt.awakeSince + connectTimeout + closeTimeout,
      checkThrows,
      state: "open",
      closings: 0,
      isDeaf: false,
      since: Infinity,
      holder: undefined,
      isTended: false,
      knownAt: now,
      uses: 0,
      isBad: false,
      givenUpAt: Infinity
    }
    this.all.push(item)
    this.present.add(item)
    return item
  }

  private readonly close = Effect.fnUntraced(function*(this: Items, item: Item) {
    item.closings++
    item.state = "closing"
    item.isDeaf = true
    item.since = this.clock.earliest
    const { holder } = item
    yield* report([
      ["an item is closed once", item.closings === 1],
      [
        "an item in use is not closed",
        holder === undefined || holder.isOver() || holder.mayBeForced() || this.areSeized
      ]
    ], item)
    if (yield* Simulation.fault("close never ends", 0.04)) yield* Effect.sleep(long)
    else if (yield* Simulation.fault("close is slow", 0.1)) yield* Simulation.latency(20, 90)
    else yield* Simulation.latency(0, 2)
    item.state = "closed"
    this.present.delete(item)
    if (yield* Simulation.fault("close dies", 0.05)) return yield* Effect.die(new Broken())
  }.bind(this))

  /** Checks an item. */
  readonly validate = (item: Item) => {
    const begun = this.tend(item, "an item that is checked is not in use")
    if (item.checkThrows) {
      item.isBad = true
      throw new Broken()
    }
    return Effect.gen({ self: this }, function*() {
      yield* begun
      const isBroken = yield* Simulation.fault("an item is broken", 0.1)
      const isHanging = yield* Simulation.fault("a check hangs", 0.04)
      const isDeaf = yield* Simulation.fault("a check ignores interruption", 0.03)
      item.isBad ||= isBroken || isHanging || isDeaf
      if (isHanging) return yield* Effect.never
      if (isDeaf) yield* deaf
      yield* Simulation.latency(0, 5)
      if (isBroken) return (yield* Simulation.choose([true, false])) ? yield* new Refused() : false
      if (!item.isBad) item.knownAt = this.clock.now
      return true
    }).pipe(this.tending(item), Simulation.phase("checking"))
  }

  /** Resets an item. */
  readonly reset = (item: Item) =>
    Effect.gen({ self: this }, function*() {
      yield* this.tend(item, "an item that is reset is not in use")
      const isFailing = yield* Simulation.fault("a reset fails", 0.1)
      const isHanging = yield* Simulation.fault("a reset hangs", 0.04)
      const isDeaf = yield* Simulation.fault("a reset ignores interruption", 0.03)
      item.isBad ||= isFailing || isHanging || isDeaf
      if (isHanging) return yield* Effect.never
      if (isDeaf) yield* deaf
      yield* Simulation.latency(0, 5)
      if (isFailing) return yield* new Refused()
      if (!item.isBad) item.knownAt = this.clock.now
    }).pipe(this.tending(item), Simulation.phase("resetting"))

  private tend(item: Item, property: string): Effect.Effect<void> {
    const isFree = item.holder === undefined || item.holder.isOver() || item.holder.mayBeForced()
    const verdicts: ReadonlyArray<Verdict> = [
      [property, isFree],
      ["one thing at a time is done with an item", !item.isTended && item.state === "open"]
    ]
    item.isTended = true
    return report(verdicts, item)
  }

  private readonly tending = (item: Item) => <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.ensuring(
      self,
      Effect.sync(() => {
        item.isTended = false
      })
    )

  /** All items are replaced, or have been in the last step. A failure of a connect before that leads to no pause. */
  replace(): void {
    this.generation++
    this.failedAt = -Infinity
  }

  /** Somebody asks for an item. */
  ask(): Request {
    const request: Request = {
      moment: ++this.moments,
      leaps: this.clock.leaps,
      askedAt: this.clock.awake,
      startedAt: undefined,
      endedAt: undefined,
      hasUsed: false
    }
    this.requests.push(request)
    return request
  }

  /** From this moment on, no request may get the item. */
  giveUp(item: Item): void {
    item.givenUpAt = Math.min(item.givenUpAt, ++this.moments)
  }

  /** A request has got an item, in its first step with that. */
  take(item: Item, holder: Holder): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { clock: { hasJustLeapt, leaps, now }, limits } = this
      const { isOver, mayBeForced, request } = holder
      // It was taken back before its borrower had a turn.
      if (isOver() || mayBeForced()) return Effect.void
      request.hasUsed = true
      const last = item.holder
      const isFree = last === undefined || last.isOver()
      // The borrower before may not have said so yet, but has returned it just now.
      const knownAt = last === undefined ? item.knownAt : now
      // It may have been lent before the leap.
      const isOlder = hasJustLeapt && request.leaps < leaps
      const verdicts: ReadonlyArray<Verdict> = [
        ["an item has one borrower", isFree],
        ["an item of one key is not lent for another", this.all[item.id] === item],
        ["only an open item is lent", item.state === "open" || this.areSeized],
        ["an item is not lent while it is checked or reset", !item.isTended],
        ["an item whose check or reset has failed is not lent", !item.isBad],
        ["an item that was open too late is not lent", !item.isLate],
        ["an item that was given up is not lent to those who ask later", item.givenUpAt > request.moment],
        ["an item that is lent is younger than its lifetime", isOlder || now - item.openedAt < limits.maxLifetime],
        ["an item is not used more often than it may be", item.uses < limits.maxUses]
      ]
      if (!isOlder && !this.areSeized && now - knownAt > limits.validateBypass) this.stale.push(this.clock.awake)
      item.uses++
      item.holder = holder
      return report(verdicts, item)
    })
  }

  /** Its borrower has used it. */
  put(item: Item, request: Request): void {
    if (item.holder?.request !== request) return
    item.holder = undefined
    item.knownAt = this.clock.now
  }

  /** A borrower's scope was closed before it got its item. */
  skip(): void {
    this.unused.push(this.clock.awake)
  }

  /** Whether a stale item was lent: one that no borrower can have returned in time without a word. */
  get hasLentStale(): boolean {
    const returns = this.requests.flatMap(({ endedAt, hasUsed }) => hasUsed || endedAt === undefined ? [] : [endedAt])
    const isNear = (lentAt: number) => (at: number) => at <= lentAt && at >= lentAt - this.limits.validateBypass
    return this.stale.some((lentAt) => ![...returns, ...this.unused].some(isNear(lentAt)))
  }

  /** A request has ended. */
  end(request: Request): Effect.Effect<void> {
    const { acquireTimeout } = this.limits
    request.endedAt = this.clock.awake
    const waitedUntil = request.startedAt ?? request.endedAt
    const overtaking = this.requests.filter(({ askedAt, startedAt = Infinity }) =>
      askedAt > request.askedAt && startedAt < waitedUntil
    )
    const waited = waitedUntil - request.askedAt
    return Effect.andThen(
      Simulation.check("nobody waits longer than the limit", waited <= acquireTimeout, () => `${waited} ms`),
      Simulation.check(
        "nobody overtakes a waiter",
        overtaking.length === 0,
        () => JSON.stringify([request, overtaking])
      )
    )
  }
}

/** The loan of a session, which ends when that is revoked and its borrower does not stop. */
export const inSession = (request: Request, session: Session.Session | undefined): Holder => ({
  request,
  isOver: () => false,
  mayBeForced: () => session?.revoked !== undefined
})
