import { Caller, Retry, Transport, TransportError } from "@clawback/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, type Duration, Effect, Exit, Fiber, Layer, Metric, Scope, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import { TestClock } from "effect/testing"
import * as FakeTransport from "./support/fakeTransport.ts"
import { over, whole } from "./support/openAiModel.ts"

const isolated = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => Effect.provideService(effect, Metric.MetricRegistry, new Map()))

/** Every series by its name and the values of its labels beside those that all have: how often, and how much in all. */
const seen = Effect.map(Metric.snapshot, (all) => {
  const counts: Record<string, number> = {}
  const histograms: Record<string, readonly [count: number, sum: number]> = {}
  for (const { attributes = {}, id, ...snapshot } of all) {
    const { unit: _, "gen_ai.operation.name": operation, "gen_ai.provider.name": provider, ...labels } = attributes
    if (operation !== "chat" || provider !== "openai") continue
    const name = [id, ...Object.values(labels)].join(" ")
    if (snapshot.type === "Counter") counts[name] = Number(snapshot.state.count)
    if (snapshot.type === "Histogram") histograms[name] = [snapshot.state.count, snapshot.state.sum]
  }
  return { counts, histograms }
})

const everything = Effect.map(seen, ({ counts, histograms }) => ({ ...counts, ...histograms }))

const data = (value: object) => `data: ${JSON.stringify(value)}\n\n`
const says = (content: string) => data({ choices: [{ index: 0, delta: { content } }] })
const finish = data({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] })
const usage = { prompt_tokens: 7, completion_tokens: 30 }
const used = data({ choices: [], usage }) + "data: [DONE]\n\n"

/** A provider that says each of these things after some time. */
const slow = (...pieces: ReadonlyArray<readonly [Duration.Input, string]>) => {
  const left = [...pieces]
  return {
    ...FakeTransport.make(),
    layer: Layer.succeed(
      Transport.Transport,
      Transport.Transport.of({
        execute: () =>
          Effect.succeed({
            status: 200,
            headers: { "content-type": "text/event-stream" },
            sentAt: 0,
            body: Effect.suspend(() => {
              const [after, text] = left.shift() ?? []
              return text === undefined || after === undefined
                ? Cause.done()
                : Effect.delay(Effect.succeed([new TextEncoder().encode(text)] as const), after)
            })
          })
      })
    )
  }
}

const silent = () => slow(["1 hour", says("late")])
const stalled = () => slow([0, says("Be")], ["1 hour", says("late")])
const endless = () => slow(...Array.from({ length: 10 }, () => ["1 second", says("on")] as const))

const prompt = "Why do sockets leak?"
const streamed = Stream.runDrain(LanguageModel.streamText({ prompt }))
const generated = LanguageModel.generateText({ prompt })

/** One model, which answers a few calls. */
const answering = (
  model: string,
  fake = FakeTransport.make(...Array.from({ length: 3 }, () => whole({ content: "On" })))
) => Layer.fresh(over(fake, { model }))

/** How many calls have ended, by model. */
const calls = Effect.map(seen, ({ histograms }) => {
  const counts: Record<string, number> = {}
  for (const [name, [count]] of Object.entries(histograms)) {
    const [metric, model = ""] = name.split(" ")
    if (metric === "gen_ai.client.operation.duration") counts[model] = (counts[model] ?? 0) + count
  }
  return counts
})

const timed = <A, E, R>(effect: Effect.Effect<A, E, R>, time: Duration.Input) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(effect)
    yield* TestClock.adjust(time)
    return yield* Fiber.join(fiber)
  })

describe("a call's metrics", () => {
  it.effect("record the time to its first output, its output rate, its duration and its tokens", () =>
    Effect.gen(function*() {
      const fake = slow(["2 seconds", says("Be")], ["3 seconds", says("cause")], ["2 seconds", finish], [
        "1 second",
        used
      ])
      yield* Effect.provide(timed(streamed, "20 seconds"), over(fake))
      assert.deepStrictEqual(yield* everything, {
        "gen_ai.client.operation.time_to_first_chunk gpt-5": [1, 2],
        "clawback.call.output_rate gpt-5": [1, 6],
        "gen_ai.client.token.usage gpt-5 input": [1, 7],
        "gen_ai.client.token.usage gpt-5 output": [1, 30],
        "clawback.call.attempts gpt-5": 1,
        "gen_ai.client.operation.duration gpt-5": [1, 8]
      })
    }).pipe(isolated))

  it.effect("count failures by error, and each attempt and retry", () =>
    Effect.gen(function*() {
      const refused = new TransportError.ConnectFailed({ origin: "http://provider.test", reason: "refused", cause: "" })
      const fake = FakeTransport.make(refused, refused, whole({ content: "Because" }, { usage }))
      yield* Effect.provide(generated, over(fake, { retry: Retry.jittered({ base: 0 }) }))
      assert.deepStrictEqual(yield* everything, {
        "clawback.call.attempts gpt-5 ConnectFailed": 2,
        "clawback.call.retries gpt-5 ConnectFailed": 2,
        "clawback.call.attempts gpt-5": 1,
        "gen_ai.client.token.usage gpt-5 input": [1, 7],
        "gen_ai.client.token.usage gpt-5 output": [1, 30],
        "gen_ai.client.operation.duration gpt-5": [1, 0]
      })
    }).pipe(isolated))

  it.effect("count timeouts by kind", () =>
    Effect.gen(function*() {
      for (
        const [fake, timeouts] of [
          [silent(), { firstToken: "1 second" }],
          [stalled(), { idle: "1 second" }],
          [stalled(), { total: "1 second" }]
        ] as const
      ) {
        yield* Effect.exit(Effect.provide(timed(streamed, "1 minute"), over(fake, { timeouts })))
      }
      const all = yield* seen
      const timeouts = Object.fromEntries(Object.entries(all.counts).filter(([name]) => name.includes("timeouts")))
      assert.deepStrictEqual(timeouts, {
        "clawback.call.timeouts gpt-5 first_token": 1,
        "clawback.call.timeouts gpt-5 idle": 1,
        "clawback.call.timeouts gpt-5 total": 1
      })
      assert.deepStrictEqual(all.histograms["gen_ai.client.operation.duration gpt-5 DeadlineExceeded"], [1, 1])
      assert.deepStrictEqual(all.counts["clawback.call.attempts gpt-5 Interrupted"], 1)
    }).pipe(isolated))

  it.effect("count an interrupted call, and one whose reader stops", () =>
    Effect.gen(function*() {
      yield* Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(streamed)
        yield* TestClock.adjust("3 seconds")
        yield* Fiber.interrupt(fiber)
      }).pipe(Effect.provide(over(endless())))
      const enough = Stream.runDrain(Stream.take(LanguageModel.streamText({ prompt }), 2))
      yield* Effect.provide(timed(enough, "20 seconds"), over(endless()))
      const all = yield* seen
      assert.strictEqual(all.histograms["gen_ai.client.operation.duration gpt-5 Interrupted"]?.[0], 2)
      assert.isUndefined(all.histograms["gen_ai.client.operation.duration gpt-5"])
    }).pipe(isolated))

  it.effect("have no more series for a thousand tenants than for one", () =>
    Effect.gen(function*() {
      const answers = Array.from({ length: 1000 }, () => whole({ content: "Because" }, { usage }))
      yield* Effect.forEach(answers, (_, tenant) =>
        generated.pipe(
          Caller.provide({ tenant: `tenant ${tenant}`, conversation: `conversation ${tenant}` }),
          Effect.provideService(Metric.CurrentMetricAttributes, { tenant: `tenant ${tenant}` })
        ), { discard: true }).pipe(Effect.provide(over(FakeTransport.make(...answers))))
      const all = yield* seen
      assert.lengthOf(Object.keys(yield* everything), 4)
      assert.strictEqual(all.histograms["gen_ai.client.operation.duration gpt-5"]?.[0], 1000)
    }).pipe(isolated))

  it.effect("have series for the models of open layers and of the last few closed ones only", () =>
    Effect.gen(function*() {
      const shown = new Set<string>()
      for (let index = 0; index < 50; index++) {
        yield* Effect.provide(generated, answering(`gpt-${index}`))
        const models = yield* calls
        for (const model of Object.keys(models)) shown.add(model)
        assert.isAtMost(Object.keys(models).length, 16)
      }
      assert.strictEqual(shown.size, 50)
    }).pipe(isolated))

  it.effect("have one more series for all other models, so that no call is lost", () =>
    Effect.gen(function*() {
      yield* Effect.scoped(Effect.gen(function*() {
        for (let index = 0; index < 80; index++) {
          yield* Effect.provide(generated, yield* Layer.build(answering(`gpt-${index}`)))
        }
        const models = yield* calls
        assert.lengthOf(Object.keys(models), 65)
        assert.strictEqual(models["_OTHER"], 80 - 64)
      }))
      for (let index = 0; index < 50; index++) yield* Effect.provide(generated, answering(`gpt-4-${index}`))
      const models = yield* calls
      assert.lengthOf(Object.keys(models), 17)
      assert.strictEqual(models["_OTHER"], 80 - 64 + 50 - 16)
    }).pipe(isolated))

  it.effect("continue when a second layer calls the same model, and when the first closes", () =>
    Effect.gen(function*() {
      const first = yield* Scope.make()
      const one = yield* Scope.provide(Layer.build(answering("gpt-5")), first)
      const other = yield* Layer.build(answering("gpt-5"))
      yield* Effect.provide(generated, one)
      yield* Effect.provide(generated, other)
      yield* Scope.close(first, Exit.void)
      for (let index = 0; index < 30; index++) yield* Effect.provide(generated, answering(`gpt-4-${index}`))
      yield* Effect.provide(generated, other)
      assert.strictEqual((yield* calls)["gpt-5"], 3)
    }).pipe(isolated))

  it.effect("count a call that outlives its layer, without keeping the layer's model", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Scope.provide(Layer.build(answering("gpt-5", endless())), scope)
      const call = yield* Effect.forkChild(Effect.provide(streamed, context))
      yield* TestClock.adjust("3 seconds")
      yield* Scope.close(scope, Exit.void)
      for (let index = 0; index < 20; index++) yield* Effect.provide(generated, answering(`gpt-4-${index}`))
      assert.isUndefined((yield* calls)["gpt-5"])
      yield* Fiber.interrupt(call)
      const models = yield* calls
      assert.lengthOf(Object.keys(models), 17)
      assert.strictEqual(Object.values(models).reduce((sum, count) => sum + count, 0), 21)
    }).pipe(isolated))
})
