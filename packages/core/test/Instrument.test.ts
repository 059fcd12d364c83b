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

const kinds = (limit: number) => Instrument.bounded("kind", limit)

const record = (use: Instrument.Use, value = 1) => use.series(opened).record(value)

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

  it.effect("ignores what is no number, and what would count down", () =>
    Effect.gen(function*() {
      const context = yield* Effect.context<never>()
      for (const value of [3, NaN, Infinity, -Infinity, -1]) {
        Instrument.series(opened, { kind: "barn" }, context).record(value)
        Instrument.series(width, { kind: "barn" }, context).record(value)
      }
      assert.deepStrictEqual(yield* seen, { "door.opened barn": 3, "door.width barn": 2 })
      const histogram = (yield* Metric.snapshot).find(({ type }) => type === "Histogram")
      assert.deepInclude(histogram?.state as object, { sum: 2, min: -1, max: 3 })
    }).pipe(isolated))

  it.effect("leaves a label out that has no value", () =>
    Effect.gen(function*() {
      Instrument.series(opened, { kind: undefined }, yield* Effect.context<never>()).record(1)
      assert.deepStrictEqual(yield* seen, { "door.opened": 1 })
    }).pipe(isolated))

  it.effect("does not multiply with the attributes of the recording fiber", () =>
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

  it.effect("reads observed values when an exporter reads", () =>
    Effect.gen(function*() {
      let doors = 1
      Instrument.observe(open, { kind: "cat" }, yield* Effect.context<never>(), () => doors)
      assert.deepStrictEqual(yield* seen, { "door.open cat": 1 })
      doors = 5
      assert.deepStrictEqual(yield* seen, { "door.open cat": 5 })
    }).pipe(isolated))

  it.effect("reads by the clock of the reading fiber", () =>
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

  it.effect("combines sources as its metric declares", () =>
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

  describe("a bounded label", () => {
    it.effect("shows so many values apart, and the rest together", () =>
      Effect.gen(function*() {
        const context = yield* Effect.context<never>()
        const bounded = kinds(2)
        for (const kind of ["a", "b", "c", "a", "d", "b"]) record(Instrument.use(bounded, { kind }, context))
        assert.deepStrictEqual(yield* seen, { "door.opened a": 2, "door.opened b": 2, "door.opened _OTHER": 2 })
      }).pipe(isolated))

    it.effect("is bounded over all users of a registry, and in each registry separately", () =>
      Effect.gen(function*() {
        const bounded = kinds(1)
        const one = Instrument.use(bounded, { kind: "a" }, yield* Effect.context<never>())
        const other = Instrument.use(bounded, { kind: "b" }, yield* Effect.context<never>())
        const elsewhere = Instrument.use(
          bounded,
          { kind: "b" },
          yield* isolated(Effect.context<never>())
        )
        assert.deepStrictEqual([one, other, elsewhere].map(({ labels }) => labels["kind"]), ["a", "_OTHER", "b"])
      }).pipe(isolated))

    it.effect("shares a value's series among its users, and counts on as long as one is left", () =>
      Effect.gen(function*() {
        const context = yield* Effect.context<never>()
        const bounded = kinds(1)
        const first = Instrument.use(bounded, { kind: "a" }, context)
        const second = Instrument.use(bounded, { kind: "a" }, context)
        record(first)
        first.release()
        first.release()
        record(second)
        record(Instrument.use(bounded, { kind: "b" }, context))
        assert.deepStrictEqual(yield* seen, { "door.opened a": 2, "door.opened _OTHER": 1 })
      }).pipe(isolated))

    it.effect("keeps the series of the 16 values that were released last, and frees the places of the others", () =>
      Effect.gen(function*() {
        const context = yield* Effect.context<never>()
        const bounded = kinds(20)
        for (let kind = 0; kind < 1000; kind++) {
          const use = Instrument.use(bounded, { kind: `${kind}` }, context)
          record(use)
          yield* seen
          use.release()
        }
        const last = Array.from({ length: 16 }, (_, index) => [`door.opened ${984 + index}`, 1])
        assert.deepStrictEqual(yield* seen, Object.fromEntries(last))
      }).pipe(isolated))

    it.effect("gives the place of a value that is not used to one that is", () =>
      Effect.gen(function*() {
        const context = yield* Effect.context<never>()
        const bounded = kinds(2)
        const [a, b] = ["a", "b"].map((kind) => Instrument.use(bounded, { kind }, context))
        b?.release()
        a?.release()
        const shown = ["a", "c", "d"].map((kind) => Instrument.use(bounded, { kind }, context).labels["kind"])
        assert.deepStrictEqual(shown, ["a", "c", "_OTHER"])
      }).pipe(isolated))

    it.effect("counts as others what a removed series had counted since it was read last", () =>
      Effect.gen(function*() {
        const context = yield* Effect.context<never>()
        const bounded = kinds(1)
        const use = Instrument.use(bounded, { kind: "a" }, context)
        record(use, 3)
        use.series(width).record(0.5)
        yield* seen
        record(use, 4)
        use.series(width).record(1.5)
        use.release()
        record(Instrument.use(bounded, { kind: "b" }, context), 5)
        assert.deepStrictEqual(yield* seen, {
          "door.opened b": 5,
          "door.opened _OTHER": 4,
          "door.width _OTHER": 1
        })
        const histogram = (yield* Metric.snapshot).find(({ type }) => type === "Histogram")
        assert.deepInclude(histogram?.state as object, { buckets: [[1, 0], [2, 1]], count: 1, sum: 1.5 })
      }).pipe(isolated))

    it.effect("counts as others what is recorded to a value that has lost its place, and does not bring it back", () =>
      Effect.gen(function*() {
        const context = yield* Effect.context<never>()
        const bounded = kinds(1)
        const use = Instrument.use(bounded, { kind: "a" }, context)
        const series = use.series(opened)
        use.release()
        series.record(1)
        assert.deepStrictEqual(yield* seen, { "door.opened a": 1 })
        Instrument.use(bounded, { kind: "b" }, context)
        series.record(2)
        record(use, 4)
        use.series(width).record(1)
        assert.deepStrictEqual(yield* seen, { "door.opened _OTHER": 6, "door.width _OTHER": 1 })
      }).pipe(isolated))

    it.effect("has values of its own within each value of another", () =>
      Effect.gen(function*() {
        const context = yield* Effect.context<never>()
        const weight: Instrument.Instrument<"counter", "kind" | "owner"> = { ...opened, labels: ["owner", "kind"] }
        const owners = Instrument.bounded("owner", 2)
        const bounded = Instrument.bounded("kind", 3, owners)
        const use = (owner: string, kind: string) => {
          const use = Instrument.use(bounded, { owner, kind }, context)
          use.series(weight).record(1)
          return use
        }
        const uses = [use("me", "a"), use("me", "b"), use("you", "a"), use("you", "c"), use("her", "a")]
        assert.deepStrictEqual(yield* seen, {
          "door.opened me a": 1,
          "door.opened me b": 1,
          "door.opened you a": 1,
          "door.opened you _OTHER": 1,
          "door.opened _OTHER _OTHER": 1
        })
        for (const { release } of uses) release()
        for (let owner = 0; owner < 100; owner++) {
          for (let kind = 0; kind < 100; kind++) use(`${owner}`, `${kind}`).release()
        }
        assert.isAtMost(Object.keys(yield* seen).length, 3 + 2 + 1)
        const total = Object.values(yield* seen).reduce((sum, count) => sum + count, 0)
        // What was seen before went with its series.
        assert.isAtLeast(total, 10_000)
        assert.isAtMost(total, 10_005)
      }).pipe(isolated))
  })
})
