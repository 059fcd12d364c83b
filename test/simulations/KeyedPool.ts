/**
 * The pools of three keys, of items that fail, hang, break and are late, under the borrowers and owners of a `Pool`.
 *
 * Six borrowers make four requests each, for any key. In the end everything is healed. When nobody has borrowed for a while, no
 * key may be left. Then as many borrowers as items of each key must be served at once. The names of the properties say what must
 * hold.
 */
import { KeyedPool, SessionRegistry } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Effect, Exit, Scope } from "effect"
import type { Owned, World } from "../support/borrowers.ts"
import type { JumpingClock } from "../support/jumpingClock.ts"
import type { LeakReports } from "../support/leakReports.ts"
import { type Item, Items } from "../support/pooledItems.ts"
import { chooseOptions, drain, faults, phases, simulate, withClock } from "../support/poolOwners.ts"

const keys = [0, 1, 2] as const

const program = Effect.fnUntraced(function*(clock: JumpingClock, reports: LeakReports) {
  const { isChecked, isReset, options } = yield* chooseOptions
  const items = keys.map(() => new Items(clock, options))
  const of = (key: number) => items[key] as Items
  /** Whose item it is. */
  const owner = (item: Item) => items.find(({ all }) => all.includes(item)) as Items
  const scope = yield* Scope.make()
  const pool = yield* KeyedPool.make({
    ...options,
    validate: isChecked ? (item: Item) => owner(item).validate(item) : undefined,
    reset: isReset ? (item: Item) => owner(item).reset(item) : undefined,
    acquire: (key: number) => of(key).connect
  }).pipe(Scope.provide(scope))
  const known = () => Effect.runSync(KeyedPool.keys(pool))
  const owned: Owned = {
    clock,
    shut: { at: Infinity, awake: Infinity },
    items,
    reports,
    stats: () => Effect.runSync(KeyedPool.stats(pool)),
    drain: Effect.suspend(() => drain(owned, KeyedPool.drain(pool)))
  }
  const worldOf = (key: number): World => ({
    owned,
    items: of(key),
    options,
    lender: {
      use: (f) => KeyedPool.use(pool, key, f),
      get: () => KeyedPool.get(pool, key),
      invalidate: (item) => KeyedPool.invalidate(pool, item),
      refresh: KeyedPool.refresh(pool, key)
    }
  })
  yield* Simulation.always(
    "a key with open items is known",
    // After a leap, a close may be abandoned before it has begun.
    () => clock.hasJustLeapt || items.every(({ known: open }, key) => open.length === 0 || known().includes(key)),
    () => JSON.stringify(known())
  )
  const isForgotten = Effect.gen(function*() {
    const left = yield* SessionRegistry.list()
    yield* Simulation.check("no key is left when nobody borrows", known().length === 0, () => JSON.stringify(known()))
    yield* Simulation.check("no item is left when nobody borrows", left.length === 0, () => JSON.stringify(left))
  })
  yield* simulate(owned, [worldOf(0), worldOf(1), worldOf(2)], Scope.close(scope, Exit.void), isForgotten)
  yield* Effect.sleep("1 second")
  yield* Simulation.check("no key is left of closed pools", known().length === 0, () => JSON.stringify(known()))
})

export default { name: "KeyedPool", program: withClock(program), phases, faults } satisfies Simulation.Scenario
