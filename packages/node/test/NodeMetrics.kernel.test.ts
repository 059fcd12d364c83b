import * as NodeMetrics from "@clawback/node/NodeMetrics"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric, Schedule } from "effect"
import * as Fs from "node:fs"
import { cpuUsage, memoryUsage } from "node:process"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as Servers from "./Servers.ts"

setFlagsFromString("--expose-gc")
const collectGarbage: () => void = runInNewContext("gc")

/** Every series by its name and labels. */
const seen: Effect.Effect<Readonly<Record<string, number>>> = Effect.map(
  Metric.snapshot,
  (all) =>
    Object.fromEntries(all.flatMap((snapshot) => {
      const { unit: _, ...labels } = snapshot.attributes ?? {}
      const name = [snapshot.id, ...Object.values(labels)].join(" ")
      if (snapshot.type === "Counter") return [[name, Number(snapshot.state.count)]]
      if (snapshot.type === "Gauge") return [[name, Number(snapshot.state.value)]]
      return snapshot.type === "Histogram" ? [[name, snapshot.state.count], [`${name} sum`, snapshot.state.sum]] : []
    }))
)

const isolated = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => Effect.provideService(effect, Metric.MetricRegistry, new Map()))

const measured = NodeMetrics.layer.pipe(Layer.provide(Layer.succeed(NodeMetrics.interval, "20 millis")))
/** Looks until all of it is so at once, or for 4 seconds. */
const have = (expected: Readonly<Record<string, (value: number) => boolean>>) => {
  const isSo = (all: Readonly<Record<string, number>>) =>
    Object.entries(expected).every(([name, is]) => is(all[name] ?? NaN))
  return Effect.repeat(seen, {
    until: isSo,
    schedule: Schedule.max([Schedule.spaced("10 millis"), Schedule.recurs(400)])
  }).pipe(
    Effect.tap((all) =>
      Effect.sync(() =>
        assert.isTrue(isSo(all), Object.keys(expected).map((name) => `${name} is ${all[name]}`).join(", "))
      )
    )
  )
}

const has = (name: string, is: (value: number) => boolean) => have({ [name]: is })

const block = (millis: number) =>
  Effect.sync(() => {
    const until = performance.now() + millis
    while (performance.now() < until);
  })

describe("NodeMetrics", () => {
  it.live("shows the memory of the process, in the heap and outside of it", () =>
    Effect.gen(function*() {
      collectGarbage()
      const before = yield* seen
      const bytes = Buffer.alloc(64 * 1024 * 1024, 1)
      const after = yield* seen
      const grown = (name: string) => (after[name] ?? 0) - (before[name] ?? 0)
      assert.isAbove(grown("process.memory.usage"), 32 * 1024 * 1024)
      // Others may be collected as this one is allocated.
      assert.approximately(grown("clawback.process.memory.non_heap array_buffers"), bytes.length, 0.05 * bytes.length)
      const used = Object.entries(after).filter(([name]) => name.startsWith("v8js.memory.heap.used "))
      const total = used.reduce((sum, [, value]) => sum + value, 0)
      assert.approximately(total, memoryUsage().heapUsed, 0.5 * total)
      assert.isAbove(after["clawback.process.memory.heap_limit"] ?? 0, total)
    }).pipe(Effect.provide(measured), isolated))

  it.live("records garbage collections by their kind", () =>
    Effect.gen(function*() {
      const before = (yield* seen)["v8js.gc.duration major"] ?? 0
      collectGarbage()
      yield* has("v8js.gc.duration major", (count) => count > before)
      yield* has("v8js.gc.duration major sum", (seconds) => seconds > 0 && seconds < 5)
    }).pipe(Effect.provide(measured), isolated))

  it.live("shows a delay of the event loop, and no delay if there was none", () =>
    Effect.gen(function*() {
      yield* has("nodejs.eventloop.delay.p50", (seconds) => seconds < 0.02)
      yield* Effect.sleep("15 millis")
      yield* block(300)
      yield* have({
        "nodejs.eventloop.delay.max": (seconds) => seconds > 0.2 && seconds < 3,
        "nodejs.eventloop.utilization": (share) => share > 0.2 && share <= 1
      })
    }).pipe(
      Effect.provide(measured.pipe(Layer.provide(Layer.succeed(NodeMetrics.interval, "400 millis")))),
      isolated
    ))

  it.live("counts the busy time of the event loop and the CPU time", () =>
    Effect.gen(function*() {
      const before = yield* seen
      const { user } = cpuUsage()
      const start = performance.now()
      while (cpuUsage().user - user < 100_000);
      // Other threads of the process use CPU time as well.
      const busy = (performance.now() - start) / 1000
      yield* Effect.sleep("1 millis")
      const after = yield* seen
      const grown = (name: string) => (after[name] ?? 0) - (before[name] ?? 0)
      assert.isAtLeast(grown("nodejs.eventloop.time active"), 0.9 * busy)
      // Sums of decimal fractions are not exact.
      assert.isAtLeast(grown("process.cpu.time user"), 0.0999)
      assert.isAbove(after["process.uptime"] ?? 0, 0)
    }).pipe(Effect.provide(measured), isolated))

  it.live("counts descriptors and sockets as the kernel does", () =>
    Effect.gen(function*() {
      yield* has("process.unix.file_descriptor.count", (count) => count > 0)
      const before = yield* seen
      const files = yield* Effect.acquireRelease(
        Effect.sync(() => Array.from({ length: 50 }, () => Fs.openSync("/dev/null", "r"))),
        (files) => Effect.sync(() => files.forEach((file) => Fs.closeSync(file)))
      )
      yield* Servers.tcp(() => {})
      const count = (name: string) => before[name] ?? 0
      // What loads modules may have had some open as well, and has closed them.
      const descriptors = count("process.unix.file_descriptor.count") + files.length / 2
      yield* has("process.unix.file_descriptor.count", (now) => now >= descriptors)
      yield* has("clawback.process.sockets listen", (now) => now === count("clawback.process.sockets listen") + 1)
      yield* has("v8js.resource.active TCPServerWrap", (now) => now === count("v8js.resource.active TCPServerWrap") + 1)
      yield* has("clawback.process.file_descriptor.limit", (limit) => limit > descriptors)
    }).pipe(Effect.provide(measured), isolated))

  it.live("measures once for several layers, until the last one closes", () =>
    Effect.gen(function*() {
      const uptime = "process.uptime"
      const once = yield* Effect.provide(seen, Layer.merge(Layer.fresh(measured), Layer.fresh(measured)))
      assert.isBelow(once[uptime] ?? Infinity, 1.5 * process.uptime())
      assert.deepStrictEqual(yield* seen, {})
    }).pipe(isolated))
})
