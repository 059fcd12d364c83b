/** Programs that leave Effect and come back: web streams, async iterators, runtimes. */
import { Context, Effect, Exit, Layer, ManagedRuntime, Scope, Stream } from "effect"
import { effect, type Program, stream, type Tools } from "../program.ts"

const isAsync = true
const forStreams = { form: "stream", isAsync, modes: ["interrupt", "revoke"] } as const

const numbers = ({ hold }: Tools) =>
  Stream.unwrap(
    Effect.as(hold("source"), Stream.make(1, 2, 3).pipe(Stream.rechunk(1), Stream.tap(() => Effect.sleep(5))))
  )

/** A web stream's reader, let go of at the end. */
const readerOf = (tools: Tools) =>
  Effect.acquireRelease(
    Effect.map(Stream.toReadableStreamEffect(tools.wrap.stream(numbers(tools))), (web) => web.getReader()),
    (reader) => Effect.ignore(Effect.tryPromise(() => reader.cancel()))
  )

const read = <A>(reader: ReadableStreamDefaultReader<A>) =>
  Effect.callback<Awaited<ReturnType<typeof reader.read>>, unknown>((resume) => {
    reader.read().then((next) => resume(Effect.succeed(next)), (error) => resume(Effect.fail(error)))
  })

/** A runtime over a service that is held, disposed of with the scope. */
const runtimeOf = (service: Effect.Effect<unknown, never, Scope.Scope>) =>
  Effect.contextWith((context: Context.Context<Scope.Scope>) =>
    Effect.acquireRelease(
      Effect.sync(() =>
        ManagedRuntime.make(
          Layer.provideMerge(Layer.effectDiscard(service), Layer.succeedContext(Context.omit(Scope.Scope)(context)))
        )
      ),
      (runtime) => Effect.promise(() => runtime.dispose())
    )
  )

export const programs: ReadonlyArray<Program> = [
  effect("promise", "a web stream that is read to its end", (tools) =>
    Effect.gen(function*() {
      const reader = yield* readerOf(tools)
      for (;;) {
        const { done, value } = yield* read(reader)
        if (done) return
        yield* tools.say(value)
      }
    }), forStreams),
  effect("promise", "a web stream that is cancelled", (tools) =>
    Effect.gen(function*() {
      const reader = yield* readerOf(tools)
      yield* tools.say((yield* read(reader)).value)
      yield* Effect.promise(() => reader.cancel())
      yield* tools.say("cancelled")
    }), forStreams),
  effect("promise", "an async iterator that is read to its end", (tools) =>
    Effect.gen(function*() {
      const iterable = yield* Stream.toAsyncIterableEffect(tools.wrap.stream(numbers(tools)))
      yield* Effect.promise(async () => {
        for await (const n of iterable) tools.journal.output.push(String(n))
      })
    }), { ...forStreams, modes: [] }),
  effect("promise", "an async iterator that is left early", (tools) =>
    Effect.gen(function*() {
      const iterable = yield* Stream.toAsyncIterableEffect(tools.wrap.stream(numbers(tools)))
      yield* Effect.promise(async () => {
        for await (const n of iterable) {
          tools.journal.output.push(String(n))
          if (n === 2) break
        }
      })
      yield* tools.say("left")
    }), { ...forStreams, modes: [] }),
  stream("promise", "a source that is an async generator", ({ hold, say }) =>
    Stream.unwrap(Effect.as(
      hold("a"),
      Stream.ensuring(
        Stream.fromAsyncIterable(
          (async function*() {
            yield 1
            await Promise.resolve()
            yield 2
          })(),
          String
        ),
        say("over")
      )
    )), { isAsync }),
  stream("promise", "a source that is a web stream", ({ hold }) =>
    Stream.unwrap(Effect.as(
      hold("a"),
      Stream.fromReadableStream({
        evaluate: () => new Response("a web stream's text").body as ReadableStream<Uint8Array>,
        onError: String
      }).pipe(Stream.decodeText())
    )), { isAsync }),
  effect(
    "promise",
    "a promise that is waited for",
    ({ hold, say }) =>
      Effect.scoped(Effect.andThen(hold("a"), Effect.flatMap(Effect.promise(() => Promise.resolve(7)), say))),
    { isAsync }
  ),
  effect("promise", "a promise that hears of its end", ({ hold, say }) =>
    Effect.scoped(Effect.andThen(
      hold("a"),
      Effect.promise((signal) => new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())))
    )).pipe(Effect.timeoutOption(20), Effect.flatMap(say)), { isAsync }),
  effect("promise", "a runtime that is disposed of under its work", ({ hold, say, wrap }) =>
    Effect.gen(function*() {
      const runtime = yield* runtimeOf(Effect.orDie(hold("service")))
      const work = Effect.scoped(Effect.andThen(hold("work"), Effect.andThen(say("working"), Effect.sleep(20))))
      const exit = yield* Effect.promise(() => runtime.runPromiseExit(wrap.effect(work)))
      yield* say(Exit.isSuccess(exit) ? "it succeeded" : "it failed")
    }), { isAsync, modes: ["interrupt", "close"] }),
  effect("promise", "a runtime that serves two calls", ({ hold, say, wrap }) =>
    Effect.gen(function*() {
      const runtime = yield* runtimeOf(Effect.orDie(hold("service")))
      const work = (n: number) =>
        wrap.effect(Effect.scoped(Effect.andThen(hold(`${n}`), Effect.as(Effect.sleep(10 * n), n))))
      yield* say(yield* Effect.promise(() => Promise.all([runtime.runPromise(work(1)), runtime.runPromise(work(2))])))
    }), { isAsync, modes: ["interrupt"] })
]
