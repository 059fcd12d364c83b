/** Readers that are gone without having closed anything: what they have read from must come back all the same. */
import { Caller, Deadline, SessionError, SessionLeaks, SessionRegistry } from "@clawback/core"
import { OpenAi, Target } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Logger, Metric, Queue, Scope, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import { TestClock } from "effect/testing"
import { setTimeout as sleep } from "node:timers/promises"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as FakeTransport from "./support/fakeTransport.ts"
import { config } from "./support/openAiModel.ts"
import { says } from "./support/openAiWire.ts"

const total = "10 seconds"

const talking = () => ({
  ...FakeTransport.events(...Array.from({ length: 10 }, () => says({ content: "word" }))),
  end: Effect.never
})

/** Calls that never end by themselves, each in a registry that watches all of its sessions. */
const over = (calls: number, registry: SessionRegistry.Options = {}) =>
  Target.layer(OpenAi.target("gpt-5", { timeouts: { total } })).pipe(
    Layer.provide(FakeTransport.make(...Array.from({ length: calls }, talking)).layer),
    Layer.provide(config({ OPENAI_API_KEY: "sk-nobody" })),
    Layer.provideMerge(SessionRegistry.layer({ sampleAll: true, ...registry })),
    Layer.provideMerge(Logger.layer([]))
  )

type Model = Target.ChatModel | LanguageModel.LanguageModel
type Streamed = Stream.Stream<unknown, unknown, Model>

const faces: ReadonlyArray<readonly [string, Streamed]> = [
  ["Target.stream", Target.stream({ messages: [{ role: "user", content: "Why?" }] })],
  ["LanguageModel.streamText", LanguageModel.streamText({ prompt: "Why?" })]
]

/** Each reads one part, and answers with the reader. */
const readers: ReadonlyArray<readonly [string, (stream: Streamed) => Effect.Effect<object, never, Model>]> = [
  ["a web stream", (stream) =>
    Effect.flatMap(Stream.toReadableStreamEffect(stream), (web) => {
      const reader = web.getReader()
      return Effect.as(Effect.promise(() => reader.read()), reader)
    })],
  ["an async iterator", (stream) =>
    Effect.flatMap(Stream.toAsyncIterableEffect(stream), (iterable) => {
      const iterator = iterable[Symbol.asyncIterator]()
      return Effect.as(Effect.promise(() => iterator.next()), iterator)
    })],
  ["a fiber that waits on a queue", (stream) =>
    Effect.gen(function*() {
      const queue = yield* Queue.unbounded<void>()
      yield* Effect.forkDetach(Stream.runForEach(stream, () => Queue.take(queue)), { startImmediately: true })
      while ((yield* SessionRegistry.counts)["call"] === undefined) yield* Effect.yieldNow
      for (let i = 0; i < 100; i++) yield* Effect.yieldNow
      return queue
    })]
]

const cases = faces.flatMap(([face, stream]) => readers.map(([reader, read]) => [reader, face, read(stream)] as const))

const openCalls = Effect.map(SessionRegistry.counts, ({ call = 0 }) => call)

describe("A reader that was dropped", () => {
  setFlagsFromString("--expose-gc")
  const collect: () => void = runInNewContext("gc")
  /** Lets the collector find what is lost, until it has. */
  const leaks = Effect.gen(function*() {
    let found: ReadonlyArray<SessionRegistry.Leak> = []
    for (let tries = 0; tries < 50 && found.length === 0; tries++) {
      collect()
      yield* Effect.promise(() => sleep(5))
      found = yield* SessionRegistry.leaks
    }
    return found
  })

  it.live.each(cases)(
    "%s of %s is noticed, and its resources are released",
    ([, , read]) =>
      Effect.gen(function*() {
        yield* read
        const kept = yield* read
        assert.strictEqual(yield* openCalls, 2)
        const found = yield* leaks
        assert.deepStrictEqual(found.map(({ reason, session }) => [reason, session.kind]), [["owner gone", "call"]])
        yield* Effect.forEach(found, SessionLeaks.reclaim)
        assert.strictEqual(yield* openCalls, 1)
        assert.isDefined(kept)
      }).pipe(Effect.provide(over(2)))
  )
})

describe("A reader that stops reading its stream", () => {
  it.effect.each(cases)("loses its session at the limit of the call: %s of %s", ([, , read]) =>
    Effect.gen(function*() {
      yield* read
      yield* TestClock.adjust("9 seconds")
      assert.strictEqual(yield* openCalls, 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* openCalls, 0)
    }).pipe(Effect.provide(over(1))))

  it.effect("does not keep its tenant from calling again", () =>
    Effect.gen(function*() {
      const [, , read] = cases[0]!
      for (let i = 0; i < 3; i++) yield* read
      assert.instanceOf(yield* Effect.flip(Stream.runHead(faces[0]![1])), SessionError.QuotaExceeded)
      yield* TestClock.adjust(total)
      yield* Stream.runHead(faces[0]![1])
    }).pipe(Caller.provide({ tenant: "acme" }), Effect.provide(over(5, { quota: () => 3 }))))

  it.effect("fails with the error of the limit if it reads on later", () =>
    Effect.gen(function*() {
      const durations = Effect.map(
        Metric.snapshot,
        (all) =>
          all.flatMap(({ attributes, id }) =>
            id === "gen_ai.client.operation.duration" ? [attributes?.["error.type"]] : []
          )
      )
      const pull = yield* Stream.toPull(faces[0]![1])
      yield* pull
      assert.deepStrictEqual(yield* durations, [])
      yield* TestClock.adjust(total)
      assert.deepStrictEqual(yield* durations, ["DeadlineExceeded"])
      yield* TestClock.adjust("1 hour")
      assert.instanceOf(yield* Effect.flip(pull), Deadline.DeadlineExceeded)
      assert.deepStrictEqual(yield* durations, ["DeadlineExceeded"])
    }).pipe(
      Effect.scoped,
      Effect.provide(over(1)),
      (effect) => Effect.suspend(() => Effect.provideService(effect, Metric.MetricRegistry, new Map()))
    ))
})

describe("A call's stream whose scope is closed by another fiber", () => {
  it.effect("does not begin, and its error names the call", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const pull = yield* Scope.provide(Stream.toPull(faces[0]![1]), scope)
      yield* Scope.close(scope, Exit.void)
      const error = yield* Effect.flip(pull)
      assert.deepInclude(error, { kind: "call", session: "openai/gpt-5", reason: "its scope was closed" } as object)
      assert.strictEqual(yield* openCalls, 0)
    }).pipe(Effect.provide(over(0))))
})
