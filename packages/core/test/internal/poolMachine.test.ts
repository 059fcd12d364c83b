import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Entry } from "../../src/internal/pool/entry.ts"
import { PoolMachine } from "../../src/internal/pool/machine.ts"
import type { Commands, Limits } from "../../src/internal/pool/rules.ts"

class Waiter {
  isWaiting = false
  before: Waiter | undefined = undefined
  after: Waiter | undefined = undefined
}

type Item = Entry<number>
type Pool = PoolMachine<number, Waiter>

const base: Limits = {
  max: 2,
  min: 0,
  maxWaiters: 100,
  maxUses: Infinity,
  bypass: Infinity,
  idleTimeToLive: Infinity,
  maxLifetime: Infinity,
  keepAlive: Infinity,
  leakThreshold: Infinity,
  backoff: 10,
  maxBackoff: 50,
  isReset: false
}

/** Takes an item out of an array. */
const draw = <A>(from: Array<A>, n: number): A | undefined => from.splice(n % (from.length || 1), 1)[0]

/**
 * The callers, the network and the clock around a pool, as a model: what was opened, who holds it, who waits and since when.
 * Each method is a step that a shell may take.
 */
class World {
  readonly limits: Limits
  readonly pool: Pool
  now = 0
  private items = 0
  readonly opening: Array<Item> = []
  readonly validating: Array<Item> = []
  readonly resetting: Array<Item> = []
  readonly closing: Array<Item> = []
  readonly busy: Array<Item> = []
  /** The items that exist, with when they were opened and last known to work. */
  readonly alive = new Map<Item, { readonly openedAt: number; knownAt: number; uses: number; isEnding: boolean }>()
  /** In the order in which they came. */
  readonly waiting: Array<Waiter> = []
  private failing = 0
  private pausedUntil = 0
  isShut = false

  constructor(limits: Limits) {
    this.limits = limits
    this.pool = new PoolMachine(limits)
    this.perform(this.pool.sweep(0))
  }

  private of(entry: Item) {
    const known = this.alive.get(entry)
    assert.isDefined(known, "only open items are used")
    return known as NonNullable<typeof known>
  }

  private lent(entry: Item) {
    const known = this.of(entry)
    assert.isFalse(this.busy.includes(entry), "an item has one borrower")
    assert.isFalse(known.isEnding, "what is to end is not lent")
    assert.isBelow(this.now - known.openedAt, this.limits.maxLifetime, "an item that is lent is not too old")
    assert.isAtMost(this.now - known.knownAt, this.limits.bypass, "an item that is lent was known to work not long ago")
    assert.isBelow(known.uses, this.limits.maxUses)
    known.uses++
    this.busy.push(entry)
  }

  private perform(commands: Commands<number, Waiter>) {
    for (const command of commands) {
      switch (command._tag) {
        case "Open":
          assert.isFalse(this.isShut, "nothing is opened after the pool was shut")
          assert.isAtLeast(this.now, this.pausedUntil, "connecting pauses after a failure")
          if (this.failing > 0) assert.lengthOf(this.opening, 0, "one connect at a time while connecting fails")
          this.opening.push(command.entry)
          break
        case "Validate":
          this.of(command.entry)
          this.validating.push(command.entry)
          break
        case "Reset":
          this.of(command.entry)
          this.resetting.push(command.entry)
          break
        case "Close":
          this.of(command.entry)
          assert.isFalse(this.busy.includes(command.entry), "an item in use is not closed")
          this.alive.delete(command.entry)
          this.closing.push(command.entry)
          break
        case "Abort":
          assert.isTrue([...this.opening, ...this.validating, ...this.resetting].includes(command.entry))
          break
        case "Lend":
          assert.strictEqual(command.waiter, this.waiting.shift(), "the first waiter is served first")
          this.lent(command.entry)
          break
        case "Reject":
          assert.strictEqual(command.waiter, this.waiting.shift(), "the first waiter is rejected first")
          break
        case "Leak":
          assert.include(this.busy, command.entry)
          break
      }
    }
  }

  acquire() {
    const entry = this.pool.take(this.now)
    if (entry !== undefined) {
      assert.lengthOf(this.waiting, 0, "no caller overtakes those that wait")
      return this.lent(entry)
    }
    const waiter = new Waiter()
    const coming = [...this.opening, ...this.validating, ...this.resetting].filter(({ ending }) => ending === undefined)
    const served = coming.length + this.pool.count("idle") + this.limits.max - this.pool.total
    const isFull = this.waiting.length >= served + this.limits.maxWaiters
    this.waiting.push(waiter)
    const joined = this.pool.join(waiter, this.now)
    if (typeof joined === "string") {
      this.waiting.pop()
      assert.isTrue(isFull || this.isShut)
      return assert.strictEqual(joined, this.isShut ? "shut" : "full")
    }
    assert.isFalse(isFull, "no more callers wait than may")
    this.perform(joined)
  }

  leave(n: number) {
    const waiter = draw(this.waiting, n)
    if (waiter === undefined) return
    assert.isTrue(this.pool.leave(waiter))
    assert.isFalse(this.pool.leave(waiter))
  }

  give(n: number) {
    const entry = draw(this.busy, n)
    if (entry === undefined) return
    this.of(entry).knownAt = this.now
    this.perform(this.pool.give(entry, this.now))
    if (!this.busy.includes(entry)) {
      assert.lengthOf(this.pool.give(entry, this.now), 0, "a second return changes nothing")
    }
  }

  pass(n: number) {
    const entry = draw(this.busy, n)
    if (entry === undefined) return
    this.of(entry).uses--
    this.perform(this.pool.pass(entry, this.now))
  }

  opened(n: number) {
    const entry = draw(this.opening, n)
    if (entry === undefined) return
    const spread = (n % 10) / 10
    this.alive.set(entry, { openedAt: this.now, knownAt: this.now, uses: 0, isEnding: entry.ending !== undefined })
    this.failing = 0
    this.pausedUntil = 0
    const commands = this.pool.opened(entry, ++this.items, this.now, spread)
    assert.isDefined(commands)
    this.perform(commands ?? [])
    assert.isUndefined(this.pool.opened(entry, 0, this.now, spread), "an item is opened once")
  }

  openFailed(n: number) {
    const entry = draw(this.opening, n)
    if (entry === undefined) return
    const spread = (n % 10) / 10
    if (entry.ending === undefined && this.now >= this.pausedUntil) {
      const pause = Math.min(this.limits.maxBackoff, this.limits.backoff * 2 ** this.failing++)
      this.pausedUntil = this.now + pause * (1 - spread / 2)
    }
    const waiting = this.waiting.length
    this.perform(this.pool.openFailed(entry, this.now, spread))
    assert.isAtMost(waiting - this.waiting.length, 1, "a connect that fails fails one caller")
  }

  validated(n: number) {
    const entry = draw(this.validating, n)
    if (entry === undefined) return
    const isValid = n % 3 > 0
    if (isValid) this.of(entry).knownAt = this.now
    else this.of(entry).isEnding = true
    this.perform(this.pool.validated(entry, isValid, this.now))
  }

  reset(n: number) {
    const entry = draw(this.resetting, n)
    if (entry === undefined) return
    const isClean = n % 3 > 0
    if (isClean) this.of(entry).knownAt = this.now
    else this.of(entry).isEnding = true
    this.perform(this.pool.reset(entry, isClean, this.now))
  }

  closed(n: number) {
    const entry = draw(this.closing, n)
    if (entry !== undefined) this.perform(this.pool.closed(entry, this.now))
  }

  invalidate(n: number) {
    const entry = [...this.pool.entries][n]
    if (entry === undefined) return
    const known = this.alive.get(entry)
    if (known !== undefined) known.isEnding = true
    this.perform(this.pool.end(entry, "invalidated", this.now))
    assert.lengthOf(this.pool.end(entry, "invalidated", this.now), 0, "a second invalidation changes nothing")
  }

  refresh() {
    for (const known of this.alive.values()) known.isEnding = true
    this.failing = 0
    this.pausedUntil = 0
    this.perform(this.pool.refresh(this.now))
    assert.strictEqual(this.pool.count("idle"), 0)
  }

  /** Time passes, and the shell does what is due. */
  elapse(n: number) {
    this.now += n
    if (this.now >= this.pool.wakesAt) this.perform(this.pool.sweep(this.now))
    if (!this.isShut) assert.isAbove(this.pool.wakesAt, this.now, "what is due is done")
  }

  shut() {
    this.isShut = true
    this.perform(this.pool.shut())
    assert.lengthOf(this.waiting, 0)
    assert.lengthOf(this.pool.shut().filter(({ _tag }) => _tag !== "Abort"), 0)
  }

  laws() {
    const { busy, closing, limits, opening, pool, resetting, validating, waiting } = this
    const counted = {
      opening: opening.length,
      busy: busy.length,
      validating: validating.length,
      resetting: resetting.length,
      closing: closing.length
    }
    for (const [state, count] of Object.entries(counted)) {
      assert.strictEqual(pool.count(state as keyof typeof counted), count, state)
    }
    const working = opening.length + busy.length + validating.length + resetting.length + closing.length
    assert.strictEqual(pool.total, working + pool.count("idle"))
    assert.isAtMost(pool.total, limits.max)
    assert.strictEqual(pool.waiting, waiting.length)
    assert.strictEqual(pool.isEmpty, pool.total === 0 && waiting.length === 0)
    if (this.isShut) return assert.deepEqual([pool.count("idle"), waiting.length], [0, 0])
    // Each waiter has an item on its way, or there can be none.
    const coming = [...opening, ...validating, ...resetting].filter(({ ending }) => ending === undefined).length
    const isPaused = pool.wakesAt < Infinity && this.failing > 0
    const isProbing = this.failing > 0 && opening.length > 0
    assert.isTrue(
      waiting.length <= coming || pool.total === limits.max || isPaused || isProbing,
      "a waiter is stranded"
    )
    const isBelow = pool.total - closing.length < limits.min
    assert.isTrue(!isBelow || pool.total === limits.max || isPaused || isProbing, "the pool is below its minimum")
  }

  /** All work ends. */
  end() {
    if (!this.isShut) this.shut()
    for (let round = 0; round < 3; round++) {
      while (this.opening.length > 0) this.opened(round)
      while (this.validating.length > 0) this.validated(1)
      while (this.resetting.length > 0) this.reset(1)
      while (this.busy.length > 0) this.give(0)
      while (this.closing.length > 0) this.closed(0)
      this.laws()
    }
    assert.isTrue(this.pool.isEmpty)
    assert.strictEqual(this.alive.size, 0)
  }
}

const step = fc.oneof(
  { weight: 8, arbitrary: fc.constant(["acquire", 0] as const) },
  { weight: 1, arbitrary: fc.constant(["refresh", 0] as const) },
  {
    weight: 12,
    arbitrary: fc.tuple(
      fc.constantFrom(
        "leave" as const,
        "give",
        "give",
        "pass",
        "opened",
        "opened",
        "openFailed",
        "validated",
        "reset",
        "closed",
        "invalidate",
        "elapse"
      ),
      fc.nat(29)
    )
  }
)

const orNever = (max: number) => fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max }))

const limits: fc.Arbitrary<Limits> = fc.integer({ min: 1, max: 4 }).chain((max) =>
  fc.record({
    max: fc.constant(max),
    min: fc.integer({ min: 0, max: Math.min(max, 2) }),
    maxWaiters: fc.integer({ min: 0, max: 4 }),
    maxUses: orNever(3),
    bypass: orNever(20),
    idleTimeToLive: orNever(60),
    maxLifetime: orNever(100),
    keepAlive: orNever(40),
    leakThreshold: orNever(40),
    backoff: fc.constant(10),
    maxBackoff: fc.constant(50),
    isReset: fc.boolean()
  })
)

const machine = (limits: Partial<Limits> = {}) => new World({ ...base, ...limits })

describe("The machine of a pool", () => {
  it("keeps its laws after each step, and is empty when all has ended", () => {
    fc.assert(
      fc.property(limits, fc.array(step, { maxLength: 120, size: "max" }), (limits, steps) => {
        const world = new World(limits)
        world.laws()
        for (const [name, n] of steps) {
          world[name](n)
          world.laws()
        }
        world.end()
      }),
      { numRuns: 300 }
    )
  }, 60_000)

  it("lends the item that was used last, so that the others become idle and are closed", () => {
    const world = machine({ idleTimeToLive: 100 })
    world.acquire()
    world.acquire()
    world.opened(0)
    world.opened(0)
    const [first, second] = world.busy
    world.give(0)
    world.elapse(50)
    world.give(0)
    world.acquire()
    assert.deepStrictEqual(world.busy, [second as Item])
    world.elapse(50)
    assert.deepStrictEqual(world.closing, [first as Item])
  })

  it("an item that ends while it is opened, checked or reset is not lent, and another is put on its way", () => {
    const world = machine({ max: 3 })
    world.acquire()
    world.invalidate(0)
    assert.lengthOf(world.opening, 2)
    world.opened(0)
    assert.lengthOf(world.closing, 1)
    world.opened(0)
    assert.lengthOf(world.busy, 1)
  })

  it("a failed connect fails the first waiter only where no item could still serve it", () => {
    const world = machine({ max: 2 })
    world.acquire()
    world.opened(0)
    world.acquire()
    world.openFailed(0)
    assert.lengthOf(world.waiting, 1)
    world.give(0)
    assert.lengthOf(world.busy, 1)
    const alone = machine()
    alone.acquire()
    alone.openFailed(0)
    assert.lengthOf(alone.waiting, 0)
  })

  it("pauses longer after each failure, up to the limit, and not after a success", () => {
    const world = machine({ max: 1, min: 1 })
    const pauses: Array<number> = []
    for (let failure = 0; failure < 5; failure++) {
      world.openFailed(0)
      pauses.push(world.pool.wakesAt - world.now)
      world.elapse(world.pool.wakesAt - world.now)
    }
    assert.deepStrictEqual(pauses, [10, 20, 40, 50, 50])
    world.opened(0)
    world.invalidate(0)
    world.closed(0)
    assert.lengthOf(world.opening, 1)
    world.openFailed(0)
    assert.strictEqual(world.pool.wakesAt - world.now, 10)
  })

  it("connects at once after a refresh, which may have mended what failed", () => {
    const world = machine({ max: 1, min: 1 })
    world.openFailed(0)
    assert.lengthOf(world.opening, 0)
    world.refresh()
    assert.lengthOf(world.opening, 1)
  })

  it("takes connects that fail together for one failure", () => {
    const world = machine({ max: 4, min: 4 })
    for (let connect = 0; connect < 4; connect++) world.openFailed(0)
    assert.strictEqual(world.pool.wakesAt - world.now, 10)
    world.elapse(10)
    world.openFailed(0)
    assert.strictEqual(world.pool.wakesAt - world.now, 20)
  })

  it("keep-alive takes an idle item out of reach while it is checked, and does not make it look used", () => {
    const world = machine({ keepAlive: 10, idleTimeToLive: 25, max: 1, bypass: 1000 })
    world.acquire()
    world.opened(0)
    world.give(0)
    world.elapse(10)
    assert.lengthOf(world.validating, 1)
    world.acquire()
    assert.deepStrictEqual([world.busy.length, world.waiting.length], [0, 1])
    world.leave(0)
    world.validated(1)
    world.elapse(10)
    world.validated(1)
    world.elapse(5)
    assert.lengthOf(world.closing, 1)
  })

  it("reports a loan that is too long once, and the next loan again", () => {
    const world = machine({ leakThreshold: 10, max: 1 })
    world.acquire()
    world.opened(0)
    const leaks = () => world.pool.sweep(world.now).filter(({ _tag }) => _tag === "Leak").length
    world.now = 9
    assert.strictEqual(leaks(), 0)
    world.now = 10
    assert.deepStrictEqual([leaks(), leaks()], [1, 0])
    world.give(0)
    world.acquire()
    world.now = 20
    assert.strictEqual(leaks(), 1)
  })

  it("closes no idle item of the last few that it must keep", () => {
    const world = machine({ min: 1, idleTimeToLive: 10 })
    world.opened(0)
    world.acquire()
    world.acquire()
    world.opened(0)
    world.give(0)
    world.give(0)
    world.elapse(10)
    assert.deepStrictEqual([world.closing.length, world.pool.count("idle")], [1, 1])
    world.closed(0)
    world.elapse(100)
    assert.deepStrictEqual([world.opening.length, world.pool.count("idle")], [0, 1])
  })

  it("a loan that was not used does not count as one", () => {
    const world = machine({ maxUses: 2 })
    world.acquire()
    world.opened(0)
    world.pass(0)
    for (const closing of [0, 1]) {
      world.acquire()
      world.give(0)
      assert.lengthOf(world.closing, closing)
    }
  })

  it("spreads lifetimes, so that items that were opened together do not end together", () => {
    const world = machine({ maxLifetime: 1000, max: 2, min: 2 })
    world.opened(0)
    world.opened(5)
    world.elapse(899)
    assert.lengthOf(world.closing, 0)
    world.elapse(1)
    assert.lengthOf(world.closing, 1)
    world.elapse(100)
    assert.lengthOf(world.closing, 2)
  })

  it("a caller that only needs a free place is not counted as a waiter too many", () => {
    const world = machine({ maxWaiters: 0, max: 1 })
    world.acquire()
    assert.lengthOf(world.waiting, 1)
    world.acquire()
    assert.lengthOf(world.waiting, 1)
  })
})
