import * as Instrument from "@clawback/core/Instrument"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect, Metric } from "effect"
import { TestClock } from "effect/testing"
import { isolated, seen } from "./Series.ts"

const open: Instrument.Instrument<"gauge", "kind"> = {
  kind: "gauge",
  name: "door.open",
  unit: "{door}",
  description: "Doors that are open",
  labels: ["kind"]
}
const opened: Instrument.Instrument<"counter", "kind"> = { ...open, kind: "counter", name: "door.opened" }
const width: Instrument.Instrument<"histogram", "kind"> = {
  ...open,
  kind: "histogram",
  name: "door.width",
  unit: "m",
  boundaries: [1, 2]
}

describe("Instrument", () => {
  it.effect("counts what is recorded, split by labels", () =>
    Effect.gen(function*() {
      const context = yield* Effect.context<never>()
      Instrument.series(opened, { kind: "barn" }, context).record(2)
      Instrument.series(opened, { kind: "barn" }, context).record(1)
      Instrument.series(opened, { kind: "cat" }, context).record(1)
      Instrument.series(width, { kind: "barn" }, context).record(1.5)
      assert.deepStrictEqual(yield* seen, { "door.opened barn": 3, "door.opened cat": 1, "door.width barn": 1 })
    }).pipe(isolated))

  it.effect("carries its unit, its description and its bounds", () =>
    Effect.gen(function*() {
      Instrument.series(width, { kind: "barn" }, yield* Effect.context<never>()).record(1.5)
      const [snapshot] = yield* Metric.snapshot
      assert.deepStrictEqual(snapshot?.attributes, { unit: "m", kind: "barn" })
      assert.strictEqual(snapshot?.description, "Doors that are open")
      assert(snapshot?.type === "Histogram")
      assert.deepStrictEqual(snapshot.state.buckets, [[1, 0], [2, 1]])
    }).pipe(isolated))

  it.effect("leaves a label out that has no value", () =>
    Effect.gen(function*() {
      Instrument.series(opened, { kind: undefined }, yield* Effect.context<never>()).record(1)
      assert.deepStrictEqual(yield* seen, { "door.opened": 1 })
    }).pipe(isolated))

  it.effect("does not multiply with the attributes of whoever records", () =>
    Effect.gen(function*() {
      for (let tenant = 0; tenant < 100; tenant++) {
        yield* Effect.contextWith((context: Context.Context<never>) =>
          Effect.sync(() => {
            Instrument.series(opened, { kind: "cat" }, context).record(1)
            Instrument.observe(open, { kind: "cat" }, context, () => 1)
          })
        ).pipe(Effect.provideService(Metric.CurrentMetricAttributes, { tenant: `${tenant}` }))
      }
      assert.deepStrictEqual(yield* seen, { "door.opened cat": 100, "door.open cat": 100 })
    }).pipe(isolated))

  it.effect("reads what is observed when somebody looks", () =>
    Effect.gen(function*() {
      let doors = 1
      Instrument.observe(open, { kind: "cat" }, yield* Effect.context<never>(), () => doors)
      assert.deepStrictEqual(yield* seen, { "door.open cat": 1 })
      doors = 5
      assert.deepStrictEqual(yield* seen, { "door.open cat": 5 })
    }).pipe(isolated))

  it.effect("reads by the clock of whoever looks", () =>
    Effect.gen(function*() {
      Instrument.observe(
        open,
        {},
        yield* Effect.context<never>(),
        (context) => Context.get(context, Clock.Clock).currentTimeMillisUnsafe()
      )
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(yield* seen, { "door.open": 3000 })
    }).pipe(isolated))

  it.effect("adds up several sources of a series, and takes them away one by one", () =>
    Effect.gen(function*() {
      const context = yield* Effect.context<never>()
      const first = Instrument.observe(open, { kind: "cat" }, context, () => 2)
      const second = Instrument.observe(open, { kind: "cat" }, context, () => 3)
      assert.deepStrictEqual(yield* seen, { "door.open cat": 5 })
      first()
      first()
      assert.deepStrictEqual(yield* seen, { "door.open cat": 3 })
      second()
      assert.deepStrictEqual(yield* seen, {})
    }).pipe(isolated))

  it.effect("combines sources as the metric says", () =>
    Effect.gen(function*() {
      const context = yield* Effect.context<never>()
      const tallest = { ...open, combine: Math.max }
      Instrument.observe(tallest, {}, context, () => 2)
      Instrument.observe(tallest, {}, context, () => 7)
      Instrument.observe(tallest, {}, context, () => 3)
      assert.deepStrictEqual(yield* seen, { "door.open": 7 })
    }).pipe(isolated))

  it.effect("never counts down, though a source goes away", () =>
    Effect.gen(function*() {
      const context = yield* Effect.context<never>()
      const first = Instrument.observe(opened, {}, context, () => 4)
      Instrument.observe(opened, {}, context, () => 3)
      first()
      assert.deepStrictEqual(yield* seen, { "door.opened": 7 })
    }).pipe(isolated))

  it.effect("keeps registries apart", () =>
    Effect.gen(function*() {
      Instrument.observe(open, {}, yield* Effect.context<never>(), () => 1)
      const stop = yield* isolated(Effect.gen(function*() {
        const stop = Instrument.observe(open, {}, yield* Effect.context<never>(), () => 10)
        assert.deepStrictEqual(yield* seen, { "door.open": 10 })
        return stop
      }))
      stop()
      assert.deepStrictEqual(yield* seen, { "door.open": 1 })
    }).pipe(isolated))

  it("lets so many values of a label through, and lumps the rest together", () => {
    const kind = Instrument.bounded(2)
    assert.deepStrictEqual(["a", "b", "c", "a", "d", "b"].map(kind), ["a", "b", "_OTHER", "a", "_OTHER", "b"])
  })
})
