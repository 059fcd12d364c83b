/** Streams that are pulled by hand, tools that are called by hand, and users' code that throws where nobody expects it. */
import { type Cause, Effect, Exit, Fiber, Logger, Option, Pull, Queue, Schema, Scope, Stream, Tracer } from "effect"
import { Tool, Toolkit } from "effect/ai"
import { effect, type Program, stream, type Tools } from "../program.ts"

const forStreams = { form: "stream", modes: ["interrupt", "revoke"] } as const
/** In a scope that somebody else closes. */
const inForeignScope = { form: "stream", modes: ["interrupt", "close", "revoke"] } as const

const search = Tool.make("search", { parameters: Schema.Struct({ q: Schema.String }), success: Schema.String })
const kit = Toolkit.make(search)
const handlers = ({ hold, say }: Tools) =>
  kit.toLayer({
    search: ({ q }, context) =>
      Effect.scoped(Effect.gen(function*() {
        yield* Effect.orDie(hold("search engine"))
        for (const n of [1, 2]) {
          yield* Effect.sleep(20)
          yield* context.preliminary(`${n} of 2`)
        }
        yield* say("searched")
        return `found ${q}`
      }))
  })

/** What a queue gives, of which nothing is lost when somebody stops to wait for it. */
const queued = ({ hold }: Tools) =>
  Stream.unwrap(Effect.gen(function*() {
    yield* hold("a")
    const queue = yield* Queue.unbounded<number, Cause.Done>()
    yield* Effect.forkScoped(
      Effect.andThen(
        Effect.forEach([1, 2, 3], (n) => Effect.andThen(Effect.sleep(20), Queue.offer(queue, n)), { discard: true }),
        Queue.end(queue)
      )
    )
    return Stream.fromQueue(queue)
  }))

const counted = ({ hold }: Tools) => Stream.unwrap(Effect.as(hold("a"), Stream.make(1, 2, 3).pipe(Stream.rechunk(1))))

const throwing = (text: string): never => {
  throw new Error(text)
}

export const programs: ReadonlyArray<Program> = [
  effect("by hand", "a pull that is given up, and pulled again", (tools) =>
    Effect.gen(function*() {
      const pull = yield* Stream.toPull(tools.wrap.stream(queued(tools)))
      const beat = Effect.map(Effect.timeoutOption(pull, 15), Option.getOrElse(() => ["a heartbeat"]))
      yield* Pull.catchDone(
        Effect.forever(Effect.flatMap(beat, (elements) => Effect.forEach(elements, tools.say))),
        () => tools.say("over")
      )
    }), forStreams),
  effect("by hand", "a stream of which nobody pulls more than one", (tools) =>
    Effect.gen(function*() {
      const pull = yield* Stream.toPull(tools.wrap.stream(counted(tools)))
      yield* Effect.flatMap(pull, tools.say)
      yield* Effect.sleep(50)
      yield* tools.say("enough")
    }), inForeignScope),
  effect("by hand", "a stream that is opened and never pulled", (tools) =>
    Effect.gen(function*() {
      yield* Effect.asVoid(Stream.toPull(tools.wrap.stream(counted(tools))))
      yield* tools.say("opened")
      yield* Effect.sleep(10)
    }), inForeignScope),
  effect("by hand", "pulled by one fiber after the other", (tools) =>
    Effect.gen(function*() {
      const pull = yield* Stream.toPull(tools.wrap.stream(counted(tools)))
      for (let i = 0; i < 3; i++) {
        yield* tools.say(yield* Fiber.join(yield* Effect.forkChild(pull)))
      }
      yield* tools.say(yield* Effect.map(Effect.exit(pull), ({ _tag }) => _tag))
    }), inForeignScope),
  effect("by hand", "pulled after the end", (tools) =>
    Effect.gen(function*() {
      const pull = yield* Stream.toPull(tools.wrap.stream(Stream.unwrap(Effect.as(tools.hold("a"), Stream.make(1)))))
      yield* Effect.flatMap(pull, tools.say)
      for (let i = 0; i < 2; i++) yield* tools.say((yield* Effect.exit(pull))._tag)
    }), forStreams),
  effect("by hand", "a scope of one's own, closed before the rest of the work", (tools) =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const pull = yield* Scope.provide(Stream.toPull(tools.wrap.stream(counted(tools))), scope)
      yield* Effect.flatMap(pull, tools.say)
      yield* Scope.close(scope, Exit.void)
      yield* tools.say("closed")
      yield* Effect.sleep(5)
    }), { ...forStreams, modes: [] }),
  effect("by hand", "read in a fiber, while its owner does something else", (tools) =>
    Effect.gen(function*() {
      const reader = yield* Effect.forkChild(Stream.runForEach(tools.wrap.stream(counted(tools)), tools.say))
      yield* Effect.sleep(5)
      yield* Fiber.join(reader)
    }), forStreams),
  stream("tools", "a tool's results as they come", (tools) =>
    Stream.provide(
      Stream.map(Stream.unwrap(Effect.flatMap(kit, ({ handle }) => handle("search", { q: "leaks" }))), ({ result }) =>
        result),
      handlers(tools)
    )),
  stream("tools", "a tool's results, each stage wrapped", (tools) =>
    Stream.provide(
      Stream.map(
        tools.wrap.stream(Stream.unwrap(Effect.flatMap(kit, ({ handle }) => handle("search", { q: "leaks" })))),
        ({ result }) => result
      ),
      handlers(tools)
    )),
  effect("throws", "a tracer", ({ hold, say, wrap }) =>
    Effect.gen(function*() {
      const tracer = Tracer.make({ span: () => throwing("tracer") })
      const work = Effect.scoped(Effect.andThen(hold("a"), Effect.withSpan(Effect.sleep(5), "span")))
      yield* say((yield* Effect.exit(Effect.withTracer(wrap.effect(work), tracer)))._tag)
    })),
  effect("throws", "a tracer, when a span ends", ({ hold, say, wrap }) =>
    Effect.gen(function*() {
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          span.end = () => throwing("the end of a span")
          return span
        }
      })
      const work = Effect.withSpan(Effect.scoped(Effect.andThen(hold("a"), Effect.sleep(5))), "span")
      yield* say((yield* Effect.exit(Effect.withTracer(wrap.effect(work), tracer)))._tag)
    })),
  effect("throws", "a logger", ({ hold, say, wrap }) =>
    Effect.gen(function*() {
      const work = Effect.scoped(Effect.andThen(hold("a"), Effect.andThen(Effect.log("hello"), Effect.sleep(5))))
      const loggers = new Set([Logger.make(() => throwing("logger"))])
      yield* say((yield* Effect.exit(Effect.provideService(wrap.effect(work), Logger.CurrentLoggers, loggers)))._tag)
    })),
  effect("throws", "a listener to the end of a fiber", ({ hold, say, wrap }) =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(wrap.effect(Effect.scoped(Effect.andThen(hold("a"), Effect.sleep(5)))))
      fiber.addObserver(() => throwing("listener"))
      yield* Effect.sleep(20)
      yield* say("goes on")
    })),
  effect("throws", "an acquisition", ({ hold, say, wrap }) =>
    Effect.scoped(Effect.andThen(
      hold("a"),
      wrap.acquire(Effect.sync(() => throwing("acquisition")), () => say("never"))
    ))),
  stream("throws", "a function that a stream is mapped by", ({ hold }) =>
    Stream.unwrap(Effect.as(
      hold("a"),
      Stream.make(1, 2).pipe(Stream.rechunk(1), Stream.map((n) => n === 2 ? throwing("two") : n))
    )))
]
