/** The machine of a pool does what a model does that keeps no count and no index. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import type { Entry } from "../../src/internal/pool/entry.ts"
import { PoolMachine } from "../../src/internal/pool/machine.ts"
import type { Command, Commands, Limits } from "../../src/internal/pool/rules.ts"
import { type Place, PoolModel } from "./PoolModel.ts"

class Waiter {
  isWaiting = false
  before: Waiter | undefined = undefined
  after: Waiter | undefined = undefined
  readonly id: number

  constructor(id: number) {
    this.id = id
  }
}

/** The machine, and the numbers of its entries and its waiters. */
class Real {
  readonly pool: PoolMachine<number, Waiter>
  readonly entries: Array<Entry<number>> = []
  readonly waiters: Array<Waiter> = []

  constructor(limits: Limits) {
    this.pool = new PoolMachine(limits)
  }

  entry({ id }: Place): Entry<number> {
    return this.entries[id] as Entry<number>
  }

  say(command: Command<number, Waiter>): string {
    if (command._tag === "Open") this.entries.push(command.entry)
    if (command._tag === "Reject") return `Reject ${command.waiter.id} ${command.why}`
    const id = this.entries.indexOf(command.entry)
    if (command._tag === "Lend") return `Lend ${id} to ${command.waiter.id}`
    return command._tag === "Close" ? `Close ${id} ${command.reason}` : `${command._tag} ${id}`
  }
}

/** Both must want the same done, and must be in the same state after it. */
const compare = (model: PoolModel, real: Real, commands: Commands<number, Waiter> | undefined) => {
  assert.deepStrictEqual(commands?.map((command) => real.say(command)), model.commands())
  const { pool } = real
  for (const { id, state } of model.places) assert.strictEqual(real.entries[id]?.state, state, `place ${id}`)
  for (const state of ["opening", "idle", "busy", "validating", "resetting", "closing"] as const) {
    assert.strictEqual(pool.count(state), model.in(state).length, state)
  }
  assert.strictEqual(pool.total, model.places.length)
  assert.strictEqual(pool.waiting, model.waiters.length)
  assert.strictEqual(pool.isShut, model.isShut)
  assert.strictEqual(pool.isEmpty, model.places.length + model.waiters.length === 0)
  assert.isAtMost(pool.wakesAt, model.dueAt, "the shell is not woken when something is due")
}

const nth = <A>(from: ReadonlyArray<A>, n: number): A | undefined => from[n % (from.length || 1)]

/** Something that a shell may do, to one place in these states. */
const onPlace = (
  name: string,
  states: ReadonlyArray<Place["state"]>,
  run: (model: PoolModel, real: Real, place: Place, n: number) => Commands<number, Waiter> | undefined
) =>
  fc.nat(19).map((n): fc.Command<PoolModel, Real> => ({
    check: (model) => model.in(...states).length > 0,
    run: (model, real) => {
      const place = nth(model.in(...states), n)
      if (place !== undefined) compare(model, real, run(model, real, place, n))
    },
    toString: () => `${name} ${n}`
  }))

const command = (
  name: string,
  run: (model: PoolModel, real: Real) => Commands<number, Waiter>
): fc.Command<PoolModel, Real> => ({
  check: () => true,
  run: (model, real) => compare(model, real, run(model, real)),
  toString: () => name
})

const borrow = command("borrow", (model, { entries, pool, waiters }) => {
  const answer = model.borrow()
  const entry = pool.take(model.now)
  if (entry !== undefined) {
    assert.strictEqual(`takes ${entries.indexOf(entry)}`, answer)
    return []
  }
  const waiter = new Waiter(waiters.length)
  const joined = pool.join(waiter, model.now)
  if (typeof joined === "string") {
    assert.strictEqual(joined, answer)
    return []
  }
  assert.strictEqual(answer, "waits")
  waiters.push(waiter)
  return joined
})

const leave = fc.nat(9).map((n): fc.Command<PoolModel, Real> => ({
  check: ({ waiters }) => waiters.length > 0,
  run: (model, real) => {
    const waiter = nth(model.waiters, n) ?? 0
    model.leave(waiter)
    assert.isTrue(real.pool.leave(real.waiters[waiter] as Waiter))
    assert.isFalse(real.pool.leave(real.waiters[waiter] as Waiter))
    compare(model, real, [])
  },
  toString: () => `leave ${n}`
}))

const elapse = fc.integer({ min: 1, max: 15 }).map((millis) =>
  command(`elapse ${millis}`, (model, { pool }) => {
    model.now += millis
    if (model.now < pool.wakesAt) return []
    model.sweep()
    return pool.sweep(model.now)
  })
)

/** A call that says what is not so. */
const wrong = (
  name: string,
  states: ReadonlyArray<Place["state"]>,
  run: (real: Real, place: Place, now: number) => unknown
) =>
  onPlace(name, states, ({ now }, real, place) => {
    const answer = run(real, place, now)
    assert.isTrue(answer === undefined || (Array.isArray(answer) && answer.length === 0), name)
    return []
  })

const spreadOf = (n: number) => (n % 10) / 10

const commands = fc.commands<PoolModel, Real>([
  fc.constant(borrow),
  fc.constant(borrow),
  fc.constant(borrow),
  leave,
  elapse,
  onPlace("give", ["busy"], (model, real, place) => {
    model.give(place)
    return real.pool.give(real.entry(place), model.now)
  }),
  onPlace("pass", ["busy"], (model, real, place) => {
    model.pass(place)
    return real.pool.pass(real.entry(place), model.now)
  }),
  onPlace("open", ["opening"], (model, real, place, n) => {
    model.open(place, spreadOf(n))
    return real.pool.opened(real.entry(place), n, model.now, spreadOf(n))
  }),
  onPlace("fail to open", ["opening"], (model, real, place, n) => {
    model.fail(place, spreadOf(n))
    return real.pool.openFailed(real.entry(place), model.now, spreadOf(n))
  }),
  onPlace("validate", ["validating"], (model, real, place, n) => {
    model.checked(place, n % 3 > 0)
    return real.pool.validated(real.entry(place), n % 3 > 0, model.now)
  }),
  onPlace("reset", ["resetting"], (model, real, place, n) => {
    model.checked(place, n % 3 > 0)
    return real.pool.reset(real.entry(place), n % 3 > 0, model.now)
  }),
  onPlace("close", ["closing"], (model, real, place) => {
    model.close(place)
    return real.pool.closed(real.entry(place), model.now)
  }),
  onPlace("end", ["idle", "busy", "validating", "resetting", "closing"], (model, real, place) => {
    model.end(place, "invalidated")
    return real.pool.end(real.entry(place), "invalidated", model.now)
  }),
  fc.constant(command("refresh", (model, { pool }) => {
    model.refresh()
    return pool.refresh(model.now)
  })),
  fc.nat(9).map((n) =>
    command(n === 0 ? "shut" : "nothing", (model, { pool }) => {
      if (n > 0) return []
      model.shut()
      return pool.shut()
    })
  ),
  wrong(
    "give what is not lent",
    ["opening", "idle", "validating", "resetting", "closing"],
    (real, place, now) => real.pool.give(real.entry(place), now)
  ),
  wrong(
    "pass what is not lent",
    ["opening", "idle", "validating", "resetting", "closing"],
    (real, place, now) => real.pool.pass(real.entry(place), now)
  ),
  wrong(
    "open what is open",
    ["idle", "busy", "validating", "resetting", "closing"],
    (real, place, now) => real.pool.opened(real.entry(place), 0, now, 0)
  ),
  wrong(
    "fail to open what is open",
    ["idle", "busy", "validating", "resetting", "closing"],
    (real, place, now) => real.pool.openFailed(real.entry(place), now, 0)
  ),
  wrong(
    "validate what is not checked",
    ["opening", "idle", "busy", "resetting", "closing"],
    (real, place, now) => real.pool.validated(real.entry(place), false, now)
  ),
  wrong(
    "reset what is not reset",
    ["opening", "idle", "busy", "validating", "closing"],
    (real, place, now) => real.pool.reset(real.entry(place), false, now)
  ),
  wrong(
    "close what is not closed",
    ["opening", "idle", "busy", "validating", "resetting"],
    (real, place, now) => real.pool.closed(real.entry(place), now)
  )
], { maxCommands: 150, size: "max" })

const orNever = (max: number) => fc.oneof(fc.constant(Infinity), fc.integer({ min: 1, max }))

const limits: fc.Arbitrary<Limits> = fc.integer({ min: 1, max: 4 }).chain((max) =>
  fc.record({
    max: fc.constant(max),
    min: fc.integer({ min: 0, max: Math.min(max, 2) }),
    maxWaiters: fc.integer({ min: 0, max: 4 }),
    maxUses: orNever(3),
    bypass: fc.oneof(fc.constant(Infinity), fc.integer({ min: 0, max: 20 })),
    idleTimeToLive: orNever(60),
    maxLifetime: orNever(100),
    keepAlive: orNever(40),
    leakThreshold: orNever(40),
    backoff: fc.integer({ min: 1, max: 10 }),
    maxBackoff: fc.integer({ min: 10, max: 50 }),
    isReset: fc.boolean()
  })
)

describe("The machine of a pool", () => {
  it("does what its model does", () => {
    fc.assert(
      fc.property(limits, commands, (limits, commands) => {
        const setup = () => {
          const model = new PoolModel(limits)
          const real = new Real(limits)
          model.sweep()
          compare(model, real, real.pool.sweep(0))
          return { model, real }
        }
        fc.modelRun(setup, commands)
      }),
      { numRuns: 500 }
    )
  }, 60_000)
})
