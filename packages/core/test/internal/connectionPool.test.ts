import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { ConnectionPool, type Grant, type Wake } from "../../src/internal/transport/machine.ts"

interface Connection {
  readonly id: number
}
interface Waiter {
  readonly id: number
  readonly until: number
}

/**
 * A caller and a network, as a model: who holds room, which connections are busy or idle, who waits and since when. Each
 * method is a step that a shell over the pool may take; each ends with the pool's laws.
 */
class Model {
  readonly pool: ConnectionPool<Connection, Waiter>
  readonly max: number
  readonly maxWaiting: number
  private names = 0
  private now = 0
  /** Room that was granted, and where nothing is open yet. */
  opening = 0
  readonly busy: Array<Connection> = []
  /** The one used last comes last. */
  readonly idle: Array<Connection> = []
  /** Dead, and not counted out yet. */
  readonly closing: Array<Connection> = []
  readonly waiting: Array<Waiter> = []

  constructor(max: number, maxWaiting: number) {
    this.pool = new ConnectionPool<Connection, Waiter>(max, maxWaiting)
    this.max = max
    this.maxWaiting = maxWaiting
  }

  private accept(grant: Grant<Connection>) {
    if (grant._tag === "Open") this.opening++
    else this.busy.push(grant.connection)
  }

  /**
   * Nobody is woken but the one who waits longest among those who still have time, and none of them stays asleep while a
   * grant is free.
   */
  private woken(wake: Wake<Connection, Waiter> | undefined, grant: Grant<Connection>): boolean {
    const first = this.inTime[0]
    if (first !== undefined) this.waiting.splice(this.waiting.indexOf(first), 1)
    assert.strictEqual(wake?.waiter, first)
    if (wake === undefined) return false
    assert.deepStrictEqual(wake.grant, grant)
    this.accept(wake.grant)
    return true
  }

  take() {
    const idle = this.idle.at(-1)
    const grant = this.pool.take()
    if (grant === undefined) {
      assert.isUndefined(idle)
      assert.strictEqual(this.total, this.max)
      const waiter = { id: ++this.names, until: this.now + 1 + (this.names * 7) % 5 }
      const isIn = this.pool.enqueue(waiter)
      assert.strictEqual(isIn, this.waiting.length < this.maxWaiting)
      if (isIn) this.waiting.push(waiter)
      return
    }
    assert.strictEqual(grant._tag === "Reuse" ? grant.connection : undefined, idle)
    if (idle !== undefined) this.idle.pop()
    this.accept(grant)
  }

  connected() {
    if (this.opening === 0) return
    this.opening--
    this.busy.push({ id: ++this.names })
  }

  connectFailed() {
    if (this.opening === 0) return
    this.opening--
    this.woken(this.pool.gone(undefined, this.now), { _tag: "Open" })
  }

  give(n: number) {
    const [connection] = this.busy.splice(n % (this.busy.length || 1), 1)
    if (connection === undefined) return
    const isTaken = this.woken(this.pool.give(connection, this.now), { _tag: "Reuse", connection })
    if (!isTaken) this.idle.push(connection)
  }

  discard(n: number) {
    const [connection] = this.busy.splice(n % (this.busy.length || 1), 1)
    if (connection !== undefined) this.closing.push(connection)
  }

  closed(n: number) {
    const [connection] = this.closing.splice(n % (this.closing.length || 1), 1)
    if (connection !== undefined) this.woken(this.pool.gone(connection, this.now), { _tag: "Open" })
  }

  diesIdle(n: number) {
    const [connection] = this.idle.splice(n % (this.idle.length || 1), 1)
    if (connection !== undefined) this.woken(this.pool.gone(connection, this.now), { _tag: "Open" })
  }

  /** One that is idle for too long, or lived for too long. */
  retire(n: number) {
    const [connection] = this.idle.splice(n % (this.idle.length || 1), 1)
    if (connection === undefined) return
    assert.isTrue(this.pool.retire(connection))
    assert.isFalse(this.pool.retire(connection))
    this.closing.push(connection)
  }

  /** Time passes, and for some who wait it has run out. */
  pass(n: number) {
    this.now += n % 3
  }

  private get inTime() {
    return this.waiting.filter(({ until }) => until > this.now)
  }

  leave(n: number) {
    const [waiter] = this.waiting.splice(n % (this.waiting.length || 1), 1)
    if (waiter === undefined) return
    assert.isTrue(this.pool.leave(waiter))
    assert.isFalse(this.pool.leave(waiter))
  }

  drain() {
    assert.sameOrderedMembers([...this.pool.drain()], this.waiting.splice(0))
  }

  get total() {
    return this.opening + this.busy.length + this.idle.length + this.closing.length
  }

  laws() {
    assert.strictEqual(this.pool.connections, this.total)
    assert.isAtMost(this.pool.connections, this.max)
    assert.strictEqual(this.pool.waiting, this.waiting.length)
    if (this.inTime.length > 0) assert.deepStrictEqual([this.idle.length, this.total], [0, this.max])
    assert.strictEqual(this.pool.isEmpty, this.total === 0 && this.waiting.length === 0)
  }

  /** Everyone finishes and everything closes. */
  end() {
    while (this.waiting.length > this.inTime.length) {
      this.leave(this.waiting.findIndex(({ until }) => until <= this.now))
    }
    while (this.total > 0) {
      while (this.opening > 0) this.connected()
      while (this.busy.length > 0) this.discard(0)
      while (this.idle.length > 0) this.diesIdle(0)
      while (this.closing.length > 0) this.closed(0)
      this.laws()
    }
  }
}

type Step =
  | "take"
  | "connected"
  | "connectFailed"
  | "drain"
  | readonly ["give" | "discard" | "closed" | "diesIdle" | "leave" | "retire" | "pass", number]

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Step>("take") },
  { weight: 3, arbitrary: fc.constant<Step>("connected") },
  { weight: 1, arbitrary: fc.constant<Step>("connectFailed") },
  { weight: 1, arbitrary: fc.constant<Step>("drain") },
  {
    weight: 6,
    arbitrary: fc.tuple(
      fc.constantFrom("give" as const, "discard", "closed", "diesIdle", "leave", "retire", "pass"),
      fc.nat(9)
    )
  }
)

describe("The connection pool", () => {
  it("keeps its laws after each step, and is empty when all was returned", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 4 }),
        fc.array(step, { maxLength: 100, size: "max" }),
        (max, maxWaiting, steps) => {
          const model = new Model(max, maxWaiting)
          for (const step of steps) {
            if (typeof step === "string") model[step]()
            else model[step[0]](step[1])
            model.laws()
          }
          model.end()
          assert.isTrue(model.pool.isEmpty)
        }
      ),
      { numRuns: 300 }
    )
  }, 20_000)

  it("a waiter whose time is up is passed over, and what comes goes to the next or is kept", () => {
    const pool = new ConnectionPool<Connection, Waiter>(1, 2)
    pool.take()
    const late = { id: 1, until: 10 }
    const early = { id: 2, until: 20 }
    pool.enqueue(late)
    pool.enqueue(early)
    assert.strictEqual(pool.give({ id: 1 }, 10)?.waiter, early)
    assert.isUndefined(pool.give({ id: 1 }, 10))
    assert.isTrue(pool.leave(late))
  })

  it("a woken waiter no longer waits, so it must return its grant", () => {
    const pool = new ConnectionPool<Connection, Waiter>(1, 1)
    pool.take()
    const waiter = { id: 1, until: 1 }
    pool.enqueue(waiter)
    assert.strictEqual(pool.gone(undefined, 0)?.waiter, waiter)
    assert.isFalse(pool.leave(waiter))
    assert.isFalse(pool.isEmpty)
    pool.gone(undefined, 0)
    assert.isTrue(pool.isEmpty)
  })
})
