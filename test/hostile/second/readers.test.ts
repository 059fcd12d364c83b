/** What users do with the stream of a model, other than to read it. */
import { Deadline, SessionRegistry } from "@clawback/core"
import { ProviderError, Target } from "@clawback/providers"
import { Behavior } from "@clawback/testing"
import { describe } from "@effect/vitest"
import {
  Context,
  Effect,
  Exit,
  Fiber,
  Layer,
  ManagedRuntime,
  PubSub,
  Queue,
  RcMap,
  Request,
  RequestResolver,
  Result,
  Schedule,
  Scope,
  Sink,
  Stream
} from "effect"
import { LanguageModel } from "effect/ai"
import { Readable, Writable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { endless, eventually, expect, holds, idle, modelAt, outcome, program, promptly, speaking } from "./support.ts"

const ask = { messages: [{ role: "user", content: "Why?" }] } as const
const talking = () => speaking({ say: () => endless })
const words = LanguageModel.streamText({ prompt: "Why?" })

const broken = (): never => {
  throw new Error("broken")
}

const one = (n: number) => {
  const whole = Target.stream(ask).pipe(
    Stream.runFold(() => "", (text, event) => event._tag === "TextDelta" ? text + event.text : text)
  )
  return n % 3 === 0
    ? whole
    : Effect.timeoutOrElse(whole, { duration: n % 40, orElse: () => Effect.succeed("left") })
}

/** A program that holds a model, and finds the provider left and nothing but the credential and idle connections held. */
const withModel = <A, E>(
  body: (
    provider: Effect.Success<ReturnType<typeof speaking>>
  ) => Effect.Effect<A, E, Target.ChatModel | LanguageModel.LanguageModel | Scope.Scope>,
  options: Parameters<typeof modelAt>[1] = {},
  transport: Parameters<typeof modelAt>[2] = {}
) =>
  Effect.gen(function*() {
    const provider = yield* talking()
    const context = yield* Layer.build(modelAt(provider, options, transport))
    yield* Effect.scoped(Effect.suspend(() => body(provider))).pipe(Effect.provideContext(context))
    yield* idle(provider)
    yield* eventually(SessionRegistry.counts, (counts) =>
      counts["call"] === undefined && counts["exchange"] === undefined)
  })

describe("readers", () => {
  program(
    "one call that is broadcast to three readers is read until the last has left",
    () =>
      withModel((provider) =>
        Effect.gen(function*() {
          yield* Effect.scoped(Effect.gen(function*() {
            const shared = yield* Target.stream(ask).pipe(Stream.broadcast({ capacity: 4 }))
            const readers = yield* Effect.forEach(
              [2, 5, 9],
              (n) => Effect.forkChild(shared.pipe(Stream.tap(() => Effect.sleep(1)), Stream.take(n), Stream.runCount))
            )
            expect(yield* Effect.forEach(readers, Fiber.join)).toEqual([2, 5, 9])
          }))
          yield* provider.until(({ aborted }) => aborted === 1)
        })
      )
  )

  program(
    "broadcastN with one reader that never reads does not hold the call beyond its scope",
    () =>
      withModel((provider) =>
        Effect.gen(function*() {
          yield* Effect.scoped(Effect.gen(function*() {
            const [one] = yield* Target.stream(ask).pipe(Stream.broadcastN({ n: 2, capacity: 2 }))
            yield* Effect.forkScoped(Stream.runDrain(one))
            yield* provider.until(({ inFlight }) => inFlight === 1)
          }))
          yield* provider.until(({ aborted }) => aborted === 1)
        })
      )
  )

  program(
    "a stream into a PubSub is cancelled when its scope closes",
    () =>
      withModel((provider) =>
        Effect.gen(function*() {
          yield* Effect.scoped(Effect.gen(function*() {
            const hub = yield* Target.stream(ask).pipe(Stream.toPubSub({ capacity: 8 }))
            const subscription = yield* PubSub.subscribe(hub)
            yield* PubSub.take(subscription)
          }))
          yield* provider.until(({ aborted }) => aborted === 1)
        })
      )
  )

  program(
    "a stream into a queue is cancelled when the queue's scope closes, full as it may be",
    () =>
      withModel((provider) =>
        Effect.gen(function*() {
          yield* Effect.scoped(Effect.gen(function*() {
            const queue = yield* Target.stream(ask).pipe(Stream.toQueue({ capacity: 2 }))
            yield* Queue.take(queue)
            yield* Effect.sleep("20 millis")
          }))
          yield* provider.until(({ aborted }) => aborted === 1)
        })
      )
  )

  program(
    "a stream into a queue of the user's that is shut down in the middle does not go on for nobody",
    () =>
      withModel((provider) =>
        Effect.gen(function*() {
          const queue = yield* Queue.bounded<unknown, unknown>(2)
          const pumping = yield* Effect.forkScoped(
            Target.stream(ask).pipe(
              Stream.runForEach((event) =>
                Effect.flatMap(Queue.offer(queue, event), (isTaken) => isTaken ? Effect.void : Effect.fail("gone"))
              )
            )
          )
          yield* Queue.take(queue)
          yield* Queue.shutdown(queue)
          yield* Fiber.await(pumping)
          yield* provider.until(({ aborted }) => aborted === 1)
        })
      )
  )

  program(
    "a web stream through a transformer that is cancelled stops the provider",
    () =>
      withModel((provider) =>
        Effect.gen(function*() {
          const web = yield* Target.stream(ask).pipe(Stream.toReadableStreamEffect())
          const upper = new TransformStream({
            transform: (event: unknown, controller) => controller.enqueue(JSON.stringify(event))
          })
          const reader = web.pipeThrough(upper).getReader()
          yield* Effect.promise(() => reader.read())
          yield* Effect.promise(() => reader.cancel("enough"))
          yield* provider.until(({ aborted }) => aborted === 1)
        })
      )
  )

  program("a transformer that throws stops the provider", () =>
    withModel((provider) =>
      Effect.gen(function*() {
        const web = yield* Target.stream(ask).pipe(Stream.toReadableStreamEffect())
        let n = 0
        const broken = new TransformStream({
          transform: () => {
            if (n++ === 2) throw new Error("broken")
          }
        })
        const reader = web.pipeThrough(broken).getReader()
        yield* Effect.exit(Effect.tryPromise(() => reader.read()))
        yield* provider.until(({ aborted }) => aborted === 1)
      })
    ))

  program(
    "a tee of a web stream stops the provider when both halves are cancelled",
    () =>
      withModel((provider) =>
        Effect.gen(function*() {
          const web = yield* Target.stream(ask).pipe(Stream.toReadableStreamEffect())
          const [one, two] = web.tee()
          const reader = one.getReader()
          yield* Effect.promise(() => reader.read())
          yield* Effect.promise(() => Promise.all([reader.cancel(), two.cancel()]))
          yield* provider.until(({ aborted }) => aborted === 1)
        })
      )
  )

  program("a pipe to a writer that fails stops the provider", () =>
    withModel((provider) =>
      Effect.gen(function*() {
        const web = yield* Target.stream(ask).pipe(Stream.toReadableStreamEffect())
        let n = 0
        const sink = new WritableStream({
          write: () => {
            if (n++ === 3) throw new Error("disk full")
          }
        })
        expect(yield* outcome(Effect.tryPromise(() => web.pipeTo(sink)))).not.toBe("success")
        yield* provider.until(({ aborted }) => aborted === 1)
      })
    ))

  program(
    "a pipe to a writer that an AbortSignal ends stops the provider",
    () =>
      withModel((provider) =>
        Effect.gen(function*() {
          const web = yield* Target.stream(ask).pipe(Stream.toReadableStreamEffect())
          const controller = new AbortController()
          let n = 0
          const sink = new WritableStream({
            write: () => {
              if (n++ === 3) controller.abort()
            }
          })
          yield* Effect.exit(Effect.tryPromise(() => web.pipeTo(sink, { signal: controller.signal })))
          yield* provider.until(({ aborted }) => aborted === 1)
        })
      )
  )

  program(
    "a stream of node:stream that is destroyed stops the provider",
    () =>
      withModel((provider) =>
        Effect.gen(function*() {
          const web = yield* Target.stream(ask).pipe(Stream.toReadableStreamEffect())
          const readable = Readable.fromWeb(web as never, { objectMode: true })
          yield* Effect.callback<void>((resume) => {
            readable.once("data", () => {
              readable.destroy()
              resume(Effect.void)
            })
          })
          yield* provider.until(({ aborted }) => aborted === 1)
        })
      )
  )

  program(
    "a pipeline of node:stream whose target breaks stops the provider",
    () =>
      withModel((provider) =>
        Effect.gen(function*() {
          const web = yield* Target.stream(ask).pipe(Stream.toReadableStreamEffect())
          const target = new Writable({
            objectMode: true,
            write: (_chunk, _encoding, done) => done(new Error("EPIPE"))
          })
          expect(
            yield* outcome(
              Effect.tryPromise(() => pipeline(Readable.fromWeb(web as never, { objectMode: true }), target))
            )
          ).not.toBe("success")
          yield* provider.until(({ aborted }) => aborted === 1)
        })
      )
  )

  program(
    "a run that is aborted by a signal is aborted at the provider",
    () =>
      withModel((provider) =>
        Effect.gen(function*() {
          const context = yield* Effect.context<Target.ChatModel>()
          const controller = new AbortController()
          const running = Effect.runPromiseWith(context)(
            Stream.runForEach(Target.stream(ask), () => Effect.sync(() => controller.abort())),
            { signal: controller.signal }
          )
          expect(yield* outcome(Effect.tryPromise(() => running))).not.toBe("success")
          yield* provider.until(({ aborted }) => aborted === 1)
        })
      )
  )

  program(
    "aggregation in windows, a sink that has enough and a throttle all leave nothing",
    () =>
      withModel((provider) =>
        Effect.gen(function*() {
          yield* words.pipe(Stream.groupedWithin(3, "5 millis"), Stream.take(3), Stream.runDrain)
          yield* words.pipe(Stream.run(Sink.take(4)))
          yield* words.pipe(
            Stream.aggregateWithin(Sink.take(5), Schedule.spaced("3 millis")),
            Stream.take(2),
            Stream.runDrain
          )
          yield* words.pipe(Stream.debounce("1 millis"), Stream.take(1), Stream.runDrain)
          yield* words.pipe(
            Stream.peel(Sink.take(1)),
            Effect.flatMap(([, rest]) => Stream.runHead(rest)),
            Effect.scoped
          )
          yield* words.pipe(Stream.transduce(Sink.take(2)), Stream.take(2), Stream.runDrain)
          yield* words.pipe(Stream.haltWhen(Effect.sleep("10 millis")), Stream.runDrain)
          yield* words.pipe(Stream.interruptWhen(Effect.sleep("10 millis")), Stream.runDrain)
          yield* words.pipe(Stream.groupByKey((part) => part.type), Stream.take(1), Stream.runDrain)
          yield* words.pipe(
            Stream.partition((part) => part.type === "text-delta" ? Result.succeed(part) : Result.fail(part)),
            Effect.flatMap(([one]) => Stream.runHead(one)),
            Effect.scoped
          )
          yield* provider.until(({ aborted }) => aborted === 10)
        })
      )
  )

  program(
    "a reader that throws in a map, a filter, a tap and a fold leaves nothing",
    () =>
      withModel((provider) =>
        Effect.gen(function*() {
          for (
            const run of [
              words.pipe(Stream.map(broken), Stream.runDrain),
              words.pipe(Stream.filter(broken), Stream.runDrain),
              words.pipe(Stream.tap((): Effect.Effect<void> => broken()), Stream.runDrain),
              words.pipe(Stream.runFold(() => 0, broken)),
              words.pipe(Stream.mapEffect((): Effect.Effect<void> => broken(), { concurrency: 3 }), Stream.runDrain)
            ]
          ) expect(yield* outcome(promptly("the reader")(run))).toContain("broken")
          yield* provider.until(({ aborted }) => aborted === 5)
        })
      )
  )

  program(
    "a handler of an element that closes the model's layer ends the stream by a typed error",
    () =>
      Effect.gen(function*() {
        const provider = yield* talking()
        const scope = yield* Scope.make()
        const context = yield* Scope.provide(Layer.build(modelAt(provider)), scope)
        const closing = Target.stream(ask).pipe(
          Stream.runForEach(() => promptly("closing")(Scope.close(scope, Exit.void))),
          Effect.provideContext(context)
        )
        const got = yield* outcome(promptly("the stream")(closing))
        expect(["ConnectionLost", "TransportClosed", "SessionRevoked", "CredentialUnavailable"]).toContain(got)
        yield* holds({})
        yield* idle(provider)
      })
  )

  program(
    "a handler of an element that revokes everything ends the stream by SessionRevoked",
    () =>
      withModel(() =>
        Effect.gen(function*() {
          const got = yield* outcome(
            promptly("the stream")(
              Stream.runForEach(
                Target.stream(ask),
                () => SessionRegistry.revoke({ kind: "call" }, { reason: "by its own reader" })
              )
            )
          )
          expect(got).toBe("SessionRevoked")
        })
      )
  )

  program(
    "a reader that revokes the exchange under its call gets a typed error",
    () =>
      withModel(() =>
        Effect.gen(function*() {
          const got = yield* outcome(
            promptly("the stream")(
              Stream.runForEach(
                Target.stream(ask),
                () => SessionRegistry.revoke({ kind: "exchange" }, { reason: "from below", deadline: "50 millis" })
              )
            )
          )
          expect(got).toBe("SessionRevoked")
        })
      )
  )

  program(
    "a reader that revokes the connection under its call gets a typed error",
    () =>
      withModel(() =>
        Effect.gen(function*() {
          const got = yield* outcome(
            promptly("the stream")(
              Stream.runForEach(
                Target.stream(ask),
                () => SessionRegistry.revoke({ kind: "connection" }, { reason: "from below", deadline: "50 millis" })
              )
            )
          )
          expect(["SessionRevoked", "ConnectionLost"]).toContain(got)
        })
      )
  )

  program(
    "a model asked from inside of its own stream, over one connection, fails in its time and hangs nowhere",
    () =>
      withModel(
        () =>
          Effect.gen(function*() {
            const got = yield* outcome(
              promptly("the stream")(Stream.runForEach(Target.stream(ask), () => Target.generate(ask)))
            )
            expect(got).toBe("QueueTimeout")
          }),
        { timeouts: { queue: "30 millis" } },
        { connections: 1 }
      )
  )

  program("two pulls of one stream at once do not break it or hang", () =>
    withModel(() =>
      Effect.gen(function*() {
        const pull = yield* Stream.toPull(Target.stream(ask))
        yield* promptly("two pulls")(Effect.exit(Effect.all([pull, pull], { concurrency: 2 })))
      })
    ))

  program(
    "a stream that is opened a hundred times and never pulled holds nothing",
    () =>
      withModel((provider) =>
        Effect.gen(function*() {
          for (let n = 0; n < 100; n++) yield* Stream.toPull(Target.stream(ask))
          expect((yield* provider.counts).received).toBe(0)
        })
      )
  )

  program(
    "one stream value that is run three times at once is three calls, each its own",
    () =>
      withModel((provider) =>
        Effect.gen(function*() {
          const value = Target.stream(ask).pipe(Stream.take(3))
          yield* Effect.all([Stream.runDrain(value), Stream.runDrain(value), Stream.runDrain(value)], {
            concurrency: 3
          })
          yield* provider.until(({ aborted }) => aborted === 3)
        })
      )
  )
})

describe("answers that are shared", () => {
  program(
    "an answer that is cached for a while is asked for once, whoever leaves meanwhile",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking({
          say: () =>
            Behavior.delayed(
              Behavior.json({ id: "1", choices: [{ index: 0, message: { content: "x" }, finish_reason: "stop" }] }),
              "30 millis"
            )
        })
        const context = yield* Layer.build(modelAt(provider))
        const cached = yield* Effect.cachedWithTTL(Effect.provideContext(Target.generate(ask), context), "1 minute")
        const first = yield* Effect.forkChild(cached, { startImmediately: true })
        const second = yield* Effect.forkChild(outcome(cached), { startImmediately: true })
        yield* Fiber.interrupt(first)
        yield* promptly("the second")(Fiber.join(second))
        yield* idle(provider)
        yield* eventually(SessionRegistry.counts, (counts) => counts["call"] === undefined)
      })
  )

  program(
    "a resolver that asks a model for a batch ends by the limits of its call, though all who waited have left",
    () =>
      withModel((provider) =>
        Effect.gen(function*() {
          class Ask extends Request.TaggedClass("Ask")<{ readonly text: string }, string, unknown> {}
          const context = yield* Effect.context<Target.ChatModel>()
          const resolver = RequestResolver.make<Ask>((entries) =>
            Stream.runDrain(Target.stream(ask)).pipe(
              Effect.provideContext(context),
              Effect.andThen(Effect.sync(() => {
                for (const entry of entries) entry.completeUnsafe(Exit.succeed("x"))
              })),
              Effect.catch((error) =>
                Effect.sync(() => {
                  for (const entry of entries) entry.completeUnsafe(Exit.fail(error))
                })
              )
            )
          )
          const waiting = yield* Effect.forEach(
            [1, 2, 3],
            (n) => Effect.forkChild(Effect.request(new Ask({ text: String(n) }), resolver))
          )
          yield* provider.until(({ inFlight }) => inFlight === 1)
          yield* promptly("interrupting")(Effect.forEach(waiting, Fiber.interrupt))
          yield* provider.until(({ aborted }) => aborted === 1)
        }), { timeouts: { total: "400 millis" } })
  )
})

describe("layers", () => {
  program(
    "a runtime that is disposed of while it streams ends its promise and leaves the provider",
    () =>
      Effect.gen(function*() {
        const provider = yield* talking()
        const runtime = ManagedRuntime.make(Layer.merge(modelAt(provider), SessionRegistry.layer()))
        const running = runtime.runPromiseExit(Stream.runDrain(Target.stream(ask)))
        yield* provider.until(({ inFlight }) => inFlight === 1)
        yield* promptly("disposing")(Effect.promise(() => runtime.dispose()))
        const exit = yield* promptly("the promise")(Effect.promise(() => running))
        expect(Exit.isFailure(exit)).toBe(true)
        yield* idle(provider)
      })
  )

  program("a runtime that is disposed of twice, and while it is built, ends", () =>
    Effect.gen(function*() {
      const provider = yield* talking()
      const runtime = ManagedRuntime.make(modelAt(provider))
      const running = runtime.runPromiseExit(Target.generate(ask))
      yield* promptly("disposing")(Effect.promise(() => Promise.all([runtime.dispose(), runtime.dispose()])))
      yield* promptly("the promise")(Effect.promise(() => running))
      yield* idle(provider)
    }))

  program(
    "models in a map by key are opened once, shared, and closed when they are idle",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking()
        const models = yield* RcMap.make({
          lookup: (_tenant: number) => Layer.build(Layer.fresh(modelAt(provider))),
          idleTimeToLive: "10 millis"
        })
        yield* Effect.forEach(
          Array.from({ length: 40 }, (_, n) => n % 8),
          (tenant) =>
            Effect.scoped(
              Effect.flatMap(
                RcMap.get(models, tenant),
                (context) => Effect.provideContext(Target.generate(ask), context)
              )
            ),
          { concurrency: 10 }
        )
        yield* holds({})
        yield* provider.until(({ open }) => open === 0)
      })
  )

  program(
    "a model whose key in the map is invalidated while it streams goes on until its user leaves",
    () =>
      Effect.gen(function*() {
        const provider = yield* talking()
        const models = yield* RcMap.make({ lookup: (name: string) => Layer.build(modelAt(provider, { model: name })) })
        yield* Effect.scoped(Effect.gen(function*() {
          const context = yield* RcMap.get(models, "a")
          const count = yield* Target.stream(ask).pipe(
            Stream.tap(() => RcMap.invalidate(models, "a")),
            Stream.take(5),
            Stream.runCount,
            Effect.provideContext(context)
          )
          expect(count).toBe(5)
        }))
        yield* holds({})
      })
  )

  program(
    "a layer that is built ten times at once and closed in another order gives back each",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking()
        const scopes = yield* Effect.forEach(Array.from({ length: 10 }), () => Scope.make())
        const contexts = yield* Effect.forEach(
          scopes,
          (scope) => Scope.provide(Layer.build(Layer.fresh(modelAt(provider))), scope),
          { concurrency: "unbounded" }
        )
        yield* Effect.forEach(contexts, (context) => Effect.provideContext(Target.generate(ask), context), {
          concurrency: 5
        })
        for (const scope of scopes.toReversed()) yield* Scope.close(scope, Exit.void)
        yield* holds({})
        yield* provider.until(({ open }) => open === 0)
      })
  )

  program("a model that outlives its layer fails with a typed error, at once", () =>
    Effect.gen(function*() {
      const provider = yield* speaking()
      const model = yield* Effect.scoped(
        Effect.map(Layer.build(modelAt(provider)), (context) => Context.get(context, Target.ChatModel))
      )
      expect(["TransportClosed", "CredentialUnavailable"]).toContain(
        yield* outcome(promptly("a call")(model.generate(ask)))
      )
      expect(["TransportClosed", "CredentialUnavailable"]).toContain(
        yield* outcome(promptly("a stream")(Stream.runDrain(model.stream(ask))))
      )
    }))

  program(
    "two hundred calls over four connections are all answered, with no more connections than that",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking()
        const got = yield* Effect.forEach(Array.from({ length: 200 }), () => outcome(Target.generate(ask)), {
          concurrency: "unbounded"
        }).pipe(Effect.provide(modelAt(provider, {}, { connections: 4 })))
        expect(new Set(got)).toEqual(new Set(["success"]))
        expect((yield* provider.counts).accepted).toBeLessThanOrEqual(4)
      })
  )

  program(
    "a burst of streams, most of them given up at different moments, leaves the rest whole",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking({ every: "1 millis", pieceSize: 2 })
        const context = yield* Layer.build(modelAt(provider, {}, { connections: 5 }))
        const got = yield* Effect.forEach(Array.from({ length: 60 }, (_, n) => n), one, { concurrency: "unbounded" })
          .pipe(
            Effect.provideContext(context)
          )
        expect(got.filter((text) => text !== "left" && text !== "Because someone opened them in one step.")).toEqual([])
        yield* idle(provider)
      })
  )

  program(
    "a deadline around a call is told as such, on both faces, and from within an uninterruptible region",
    () =>
      withModel((provider) =>
        Effect.gen(function*() {
          expect(yield* outcome(Deadline.within("40 millis")(Stream.runDrain(Target.stream(ask))))).toBe(
            "DeadlineExceeded"
          )
          expect(yield* outcome(Deadline.within("40 millis")(Stream.runDrain(words).pipe(ProviderError.precise)))).toBe(
            "DeadlineExceeded"
          )
          expect(
            yield* outcome(
              promptly("the call")(Effect.uninterruptible(
                Deadline.within("40 millis")(Stream.runDrain(Target.stream(ask)))
              ))
            )
          ).toBe("DeadlineExceeded")
          expect(yield* outcome(Stream.runDrain(Deadline.withinStream("40 millis")(Target.stream(ask))))).toBe(
            "DeadlineExceeded"
          )
          yield* idle(provider)
        })
      )
  )

  program("a deadline of zero sends nothing", () =>
    withModel((provider) =>
      Effect.gen(function*() {
        expect(yield* outcome(Deadline.within(0)(Target.generate(ask)))).toBe("DeadlineExceeded")
        expect(yield* outcome(Deadline.within(0)(Stream.runDrain(Target.stream(ask))))).toBe("DeadlineExceeded")
        expect((yield* provider.counts).received).toBe(0)
      })
    ))
})
