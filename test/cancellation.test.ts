/** If a call is cancelled in any way, the provider sees it at once, and nothing is left. */
import { SessionRegistry } from "@clawback/core"
import { ProviderError } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Layer, Option, Schema, Scope, Stream } from "effect"
import { LanguageModel, Tool, Toolkit } from "effect/ai"
import { layer, until, withModel } from "./support/model.ts"
import * as Server from "./support/server.ts"

const prompt = "Why do sockets leak?"
const count = 50

const stream = LanguageModel.streamText({ prompt })
const text = Stream.filter(stream, (part) => part.type === "text-delta")

const clock = Tool.make("clock", { success: Schema.String })
const toolkit = Toolkit.make(clock)
const streamWithTools = LanguageModel.streamText({ prompt, toolkit }).pipe(
  Stream.provide(toolkit.toLayer({ clock: () => Effect.succeed("noon") }))
)

/** The server sees all calls end within a second of their cancellation, and only idle connections are left. */
const areGone = Effect.fnUntraced(function*(server: Server.Requests) {
  const took = yield* until(() => server.open() === 0)
  assert.isBelow(Duration.toMillis(took), 1000)
  assert.strictEqual(server.begun(), count)
  const counts = yield* SessionRegistry.counts
  assert.doesNotHaveAnyKeys(counts, ["call", "exchange"])
  // None is busy, so as many calls as there may be connections find one each.
  const next = yield* Effect.forEach(Array.from({ length: count }), () => Stream.runCollect(stream), {
    concurrency: "unbounded"
  })
  for (const parts of next) assert.strictEqual(parts.at(-1)?.type, "finish")
  assert.doesNotHaveAnyKeys(yield* SessionRegistry.counts, ["call", "exchange"])
})

/** Runs many calls that never end of themselves, each given up in some way, against a server that counts. */
const givingUp = (
  answer: Parameters<typeof Server.http>[0],
  test: (server: Server.Requests) => Effect.Effect<unknown, unknown, LanguageModel.LanguageModel | Scope.Scope>
) =>
  Effect.gen(function*() {
    const server = yield* Server.http((response, index) =>
      index < count ? answer(response, index) : Server.answer(response)
    )
    yield* Effect.gen(function*() {
      yield* test(server)
      yield* areGone(server)
    }).pipe(withModel({ baseUrl: `http://${server.host}/v1`, connections: count, timeouts: { queue: 1000 } }))
    yield* until(() => server.sockets.size === 0)
  })

const many = <A, E, R>(call: Effect.Effect<A, E, R>) =>
  Effect.forEach(Array.from({ length: count }), () => call, { concurrency: "unbounded" })

const forkMany = <A, E, R>(call: Effect.Effect<A, E, R>) =>
  Effect.forEach(Array.from({ length: count }), () => Effect.forkChild(call, { startImmediately: true }))

const interrupted = (server: Server.Requests, isReady: () => boolean) => <E, R>(call: Effect.Effect<unknown, E, R>) =>
  Effect.gen(function*() {
    const fibers = yield* forkMany(call)
    yield* until(() => server.begun() === count && isReady())
    const [took] = yield* Effect.timed(Fiber.interruptAll(fibers))
    assert.isBelow(Duration.toMillis(took), 1000)
    for (const fiber of fibers) assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
  })

const silent = () => {}
const endless: Parameters<typeof Server.http>[0] = (response) =>
  Server.begin(response, Server.says("Well") + Server.says(", "))

describe("the provider sees a closed request within a second, for fifty concurrent calls", () => {
  it.live("when the reader stops early", () =>
    givingUp(endless, () =>
      Effect.gen(function*() {
        for (const parts of yield* many(Stream.runCollect(Stream.take(text, 1)))) {
          assert.deepInclude(parts[0], { type: "text-delta", delta: "Well" })
        }
      })))

  it.live("when the reader fails", () =>
    givingUp(endless, () =>
      Effect.gen(function*() {
        const exits = yield* many(Effect.exit(Stream.runForEach(text, () => Effect.fail("enough"))))
        for (const exit of exits) assert.deepStrictEqual(exit, Exit.fail("enough"))
      })))

  it.live("when the reader dies", () =>
    givingUp(endless, () => many(Effect.exit(Stream.runForEach(text, () => Effect.die("broken"))))))

  it.live("when the scope of a stream closes", () =>
    givingUp(endless, () =>
      Effect.gen(function*() {
        const scope = yield* Scope.make()
        yield* many(Effect.flatten(Stream.toPull(text))).pipe(Scope.provide(scope))
        assert.strictEqual((yield* SessionRegistry.counts)["call"], count)
        yield* Scope.close(scope, Exit.void)
      })))

  it.live.each(
    [
      ["a stream", Stream.runDrain(stream)],
      ["a stream with tools", Stream.runDrain(streamWithTools)],
      ["an answer in one piece", LanguageModel.generateText({ prompt })]
    ] as const
  )(
    "when %s is interrupted before its head has come",
    ([, call]) => givingUp(silent, (server) => interrupted(server, () => true)(call))
  )

  it.live.each([["a stream", stream], ["a stream with tools", streamWithTools]] as const)(
    "when %s is interrupted in the middle",
    ([, stream]) =>
      Effect.suspend(() => {
        let parts = 0
        const read = Stream.runForEach(
          Stream.filter(stream, (part) => part.type === "text-delta"),
          () => Effect.sync(() => void parts++)
        )
        return givingUp(endless, (server) => interrupted(server, () => parts === 2 * count)(read))
      })
  )

  it.live("when a complete response is interrupted in the middle", () =>
    givingUp((response) => {
      response.writeHead(200, { "content-type": "application/json" })
      response.write("{")
    }, (server) => interrupted(server, () => true)(LanguageModel.generateText({ prompt }))))

  it.live("when a call waits for a connection, and sends nothing", () =>
    Effect.gen(function*() {
      const server = yield* Server.http(endless)
      yield* Effect.gen(function*() {
        const holder = yield* Effect.forkChild(Stream.runDrain(stream))
        yield* until(() => server.begun() === 1)
        const waiting = yield* forkMany(Stream.runDrain(stream))
        yield* Fiber.interruptAll(waiting)
        assert.deepInclude(yield* SessionRegistry.counts, { call: 1, exchange: 1, connection: 1 })
        yield* Fiber.interrupt(holder)
        yield* until(() => server.open() === 0)
        assert.strictEqual(server.begun(), 1)
      }).pipe(withModel({ baseUrl: `http://${server.host}/v1`, connections: 1 }))
    }))

  it.live("when the layer closes during calls, which fail", () =>
    Effect.gen(function*() {
      const server = yield* Server.http(endless)
      const scope = yield* Scope.make()
      const model = yield* Layer.buildWithScope(layer({ baseUrl: `http://${server.host}/v1` }), scope)
      const calls = yield* forkMany(Effect.provide(Effect.flip(Stream.runDrain(stream)), model))
      yield* until(() => server.begun() === count)
      yield* Scope.close(scope, Exit.void)
      for (const call of calls) {
        const failure = Option.getOrThrow(ProviderError.fromAiError(yield* Fiber.join(call)))
        assert.deepInclude(failure, { _tag: "ConnectionLost" } as object)
      }
      assert.deepStrictEqual(yield* SessionRegistry.counts, {})
      yield* until(() => server.open() === 0 && server.sockets.size === 0)
    }).pipe(Effect.provide(SessionRegistry.layer())))
})
