import { assert, it } from "@effect/vitest"
import { Schema } from "effect"
import { Timers } from "../../src/internal/timers.ts"

const Sleeps = Schema.Array(Schema.Struct({ at: Schema.Literals([0, 1, 2, 3, 5, 8, 13]), isCancelled: Schema.Boolean }))

it.prop("timers fire in the order of their due times, all of a moment at once, cancelled ones never", {
  sleeps: Sleeps
}, ({ sleeps }) => {
  const timers = new Timers()
  for (const { at, isCancelled } of sleeps) timers.add(at, () => {}).isCancelled = isCancelled
  const taken: Array<ReadonlyArray<number>> = []
  for (let due = timers.takeNext(); due.length > 0; due = timers.takeNext()) taken.push(due.map(({ at }) => at))

  const waiting = sleeps.flatMap(({ at, isCancelled }) => isCancelled ? [] : [at]).toSorted((one, other) => one - other)
  assert.deepStrictEqual(taken.flat(), waiting)
  assert.strictEqual(taken.length, new Set(waiting).size)
  assert.isTrue(taken.every((moment) => new Set(moment).size === 1))
})
