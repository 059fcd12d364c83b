import { Behavior, Dialect, FaultyProvider, LeakCheck, Simulation } from "@clawback/testing"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, type Scope } from "effect"
import * as Raw from "./support/rawClient.ts"

/** Where an option is set, and what it must not be. `any`, since it is what types do not let through. */
type Setting = readonly [name: string, wrong: ReadonlyArray<unknown>, set: (value: any) => unknown]

const noDurations = [-1, NaN, -5n, "-1 seconds", "soon", Infinity, "Infinity"]
const noCounts = [-1, NaN, Infinity, 1.5, "3"]
const noPositives = [0, ...noCounts]

const hooks = { beforeEach: () => {}, afterEach: () => {} }
const simulated = (effect: Effect.Effect<unknown>) =>
  Effect.sync(() => Simulation.run(effect, { seed: 1 })).pipe(
    Effect.flatMap(({ failures: [failure] }) => failure === undefined ? Effect.void : Effect.die(failure.detail))
  )
const scenario = { name: "nothing", program: Effect.void }

const settings: ReadonlyArray<Setting> = [
  ["options", [{ prot: 1 }, [], { Keep: 1 }], (value) => FaultyProvider.make(value)],
  ["options", [{ prot: 1 }, { execArg: [] }], (value) => FaultyProvider.makeProcess(value)],
  ["grace", noDurations, (value) => LeakCheck.check(Effect.void, { grace: value })],
  ["grace", noDurations, (value) => LeakCheck.each(hooks, { grace: value })],
  ["limit", noCounts, (value) => LeakCheck.growth(Effect.void, { limit: value })],
  ["warmUp", noCounts, (value) => LeakCheck.growth(Effect.void, { warmUp: value })],
  ["runs", noPositives, (value) => LeakCheck.growth(Effect.void, { runs: value })],
  ["samples", [9, ...noPositives], (value) => LeakCheck.growth(Effect.void, { samples: value })],
  ["every", noDurations, (value) => Behavior.sse(["one"], { every: value })],
  ["duration", noDurations, (value) => Behavior.delayed(Behavior.stall, value)],
  ["duration", noDurations, (value) => Behavior.delayedAfterHead(Behavior.json(1), value)],
  ["duration", noDurations, (value) => Behavior.retryAfter(Behavior.json(1), "seconds", value)],
  ["pause", noDurations, (value) => Behavior.inPieces(Behavior.stall, 1, value)],
  ["pause", noDurations, (value) => Behavior.splitAt(Behavior.stall, [1], value)],
  ["after", noDurations, (value) => Behavior.thenClose(Behavior.stall, value)],
  ["every", noDurations, (value) => Behavior.readingSlowly(Behavior.stall, 1, value)],
  ["bytes", noPositives, (value) => Behavior.readingSlowly(Behavior.stall, value, 1)],
  ["size", noPositives, (value) => Behavior.inPieces(Behavior.stall, value)],
  ["offsets", noCounts, (value) => Behavior.splitAt(Behavior.stall, [value])],
  ["offset", noCounts, (value) => Behavior.cutAt(Behavior.stall, value, "close")],
  ["size", noCounts, (value) => Behavior.huge(value)],
  ["size", noCounts, (value) => Behavior.hugeHeader(value)],
  ["port", [99_999, ...noCounts], (value) => FaultyProvider.make({ port: value })],
  ["port", [99_999, ...noCounts], (value) => FaultyProvider.makeProcess({ port: value })],
  ["keep", noCounts, (value) => FaultyProvider.make({ keep: value })],
  [
    "within",
    [-1, NaN, "soon"],
    (value) => Effect.flatMap(FaultyProvider.make(), ({ until }) => until(() => false, value))
  ],
  ["pieceSize", noPositives, (value) => Dialect.handler({ say: () => "", pieceSize: value })],
  ["every", noDurations, (value) => Dialect.handler({ say: () => "", every: value })],
  ["seeds", noPositives, (value) => Simulation.explore(scenario, { seeds: value })],
  ["from", noCounts, (value) => Simulation.explore(scenario, { seeds: 1, from: value })],
  ["maxSteps", noPositives, (value) => Simulation.explore({ ...scenario, maxSteps: value }, { seeds: 1 })],
  ["seed", noCounts, (value) => Simulation.replay(scenario, value)],
  ["minMillis", noCounts, (value) => Simulation.latency(value, 10)],
  ["maxMillis", [4, ...noCounts], (value) => Simulation.latency(5, value)]
]

describe("a wrong option", () => {
  it.effect.each(settings)(
    "`%s` is a RangeError that names it",
    ([name, wrong, set]) =>
      Effect.forEach(wrong, (value) =>
        Effect.gen(function*() {
          const exit = yield* Effect.suspend(() => {
            const result = set(value)
            return Effect.isEffect(result) ? result as Effect.Effect<unknown, unknown, Scope.Scope> : Effect.void
          }).pipe(Effect.scoped, Effect.exit)
          assert(Exit.isFailure(exit), `${String(value)} was accepted`)
          const error = Cause.squash(exit.cause)
          assert.instanceOf(error, RangeError)
          assert.include(error.message, `\`${name}\``)
        }))
  )

  it.effect("of a simulated fault is reported as the end of the program", () =>
    Effect.forEach([-0.1, 1.1, NaN], (probability) =>
      Effect.gen(function*() {
        const exit = yield* Effect.exit(simulated(Simulation.fault("loss", probability)))
        assert.include(String(exit), "`probability`")
      })))

  it.effect("in a behavior in JSON gets a response that names it", () =>
    Effect.gen(function*() {
      const { url } = yield* FaultyProvider.make()
      const behaviors = [{ split: { size: 0 } }, { cut: { at: -1, ending: "close" } }]
      for (const wrong of behaviors) {
        const behavior = { ...Behavior.json("hello"), ...wrong } as Behavior.Behavior
        const { body, status } = yield* Raw.ask(url, FaultyProvider.header(behavior))
        assert.deepStrictEqual([status, body.includes("x-faulty-behavior")], [500, true])
      }
    }).pipe(Effect.scoped))
})
