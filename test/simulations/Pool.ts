/**
 * A pool of items that fail, hang, break and are late. Its borrowers are interrupted at any step, other fibers close the scopes of
 * their loans and revoke them, and the owner replaces the items and closes the pool. The wall clock jumps, and the machine is
 * suspended.
 *
 * Six borrowers make four requests each, for at most three items. In the end everything is healed. Then as many borrowers as
 * items must be served at once. The names of the properties say what must hold.
 */
import { Pool } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Effect, Exit, Scope } from "effect"
import type { Owned, World } from "../support/borrowers.ts"
import type { JumpingClock } from "../support/jumpingClock.ts"
import type { LeakReports } from "../support/leakReports.ts"
import { Items } from "../support/pooledItems.ts"
import { chooseOptions, drain, faults, phases, simulate, withClock } from "../support/poolOwners.ts"

const program = Effect.fnUntraced(function*(clock: JumpingClock, reports: LeakReports) {
  const { isChecked, isReset, options } = yield* chooseOptions
  const items = new Items(clock, options)
  const scope = yield* Scope.make()
  const pool = yield* Pool.make({
    ...options,
    validate: isChecked ? items.validate : undefined,
    reset: isReset ? items.reset : undefined,
    acquire: items.connect,
    min: yield* Simulation.choose([0, 0, 1])
  }).pipe(Scope.provide(scope))
  const stats = () => Effect.runSync(Pool.stats(pool))
  const owned: Owned = {
    clock,
    shut: { at: Infinity, awake: Infinity },
    items: [items],
    reports,
    stats,
    drain: Effect.suspend(() => drain(owned, Pool.drain(pool)))
  }
  const world: World = {
    owned,
    items,
    options,
    lender: {
      use: (f) => Pool.use(pool, f),
      get: () => Pool.get(pool),
      invalidate: (item) => Pool.invalidate(pool, item),
      refresh: Pool.refresh(pool)
    }
  }
  yield* Simulation.always(
    "nobody waits while an item is idle and none is on its way",
    () => {
      const { idle, opening, resetting, validating, waiting } = stats()
      return waiting === 0 || idle === 0 || opening + resetting + validating > 0
    },
    () => JSON.stringify(stats())
  )
  yield* simulate(owned, [world], Scope.close(scope, Exit.void))
})

export default { name: "Pool", program: withClock(program), phases, faults } satisfies Simulation.Scenario
