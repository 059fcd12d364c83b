/** Handlers of requests: what they fork, hold and answer with, until the last byte of the body. */
import { type Cause, Effect, Fiber, Queue, Stream } from "effect"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { handler, type Program } from "../program.ts"

const words = (wait: number) =>
  Effect.fnUntraced(function*(queue: Queue.Queue<Uint8Array, Cause.Done>) {
    for (const word of ["one ", "two ", "three "]) {
      yield* Effect.sleep(wait)
      yield* Queue.offer(queue, new TextEncoder().encode(word))
    }
    yield* Queue.end(queue)
  })

const text = (body: Stream.Stream<Uint8Array, unknown>) =>
  HttpServerResponse.stream(body, { contentType: "text/plain" })
const bytes = (...pieces: ReadonlyArray<string>) =>
  Stream.rechunk(Stream.map(Stream.fromIterable(pieces), (piece) => new TextEncoder().encode(piece)), 1)

/** A body that something else writes, in the way that is said. */
const written = (fork: (work: Effect.Effect<void>) => Effect.Effect<unknown>) =>
  Effect.gen(function*() {
    const queue = yield* Queue.unbounded<Uint8Array, Cause.Done>()
    yield* fork(words(30)(queue))
    return text(Stream.fromQueue(queue))
  })

export const programs: ReadonlyArray<Program> = [
  handler("request", "a short answer", ({ hold }) => Effect.as(hold("a"), HttpServerResponse.text("hello"))),
  handler("request", "an answer that takes a while", ({ hold, say }) =>
    Effect.gen(function*() {
      yield* hold("a")
      yield* Effect.sleep(20)
      yield* say("ready")
      return HttpServerResponse.text("hello")
    })),
  handler(
    "request",
    "a handler that fails",
    ({ hold }) => Effect.andThen(hold("a"), Effect.andThen(Effect.sleep(5), Effect.fail("no such page")))
  ),
  handler(
    "request",
    "a handler that dies",
    ({ hold }) => Effect.andThen(hold("a"), Effect.andThen(Effect.sleep(5), Effect.die("a bug")))
  ),
  handler(
    "request",
    "a body that holds something to its end",
    ({ hold }) =>
      Effect.succeed(text(Stream.unwrap(Effect.as(
        hold("a"),
        Stream.tap(bytes("one ", "two ", "three "), () => Effect.sleep(10))
      ))))
  ),
  handler(
    "request",
    "a handler's hold that lasts to the end of the body",
    ({ hold }) => Effect.as(hold("a"), text(Stream.tap(bytes("one ", "two "), () => Effect.sleep(10))))
  ),
  handler("request", "a body that a child of the handler writes", () => written(Effect.forkChild)),
  handler("request", "a body that a fiber of the request's scope writes", ({ hold }) =>
    Effect.gen(function*() {
      const queue = yield* Queue.unbounded<Uint8Array, Cause.Done>()
      yield* Effect.forkScoped(Effect.scoped(Effect.andThen(hold("pen"), words(30)(queue))))
      return text(Stream.fromQueue(queue))
    })),
  handler("request", "a body that a fiber on its own writes", () => written(Effect.forkDetach)),
  handler("request", "a child of the handler that holds something", ({ hold }) =>
    Effect.gen(function*() {
      const queue = yield* Queue.unbounded<Uint8Array, Cause.Done>()
      yield* Effect.forkChild(Effect.scoped(Effect.andThen(hold("pen"), words(30)(queue))))
      return text(Stream.fromQueue(queue))
    })),
  handler(
    "request",
    "a body that forks its writer when it is read",
    () =>
      Effect.succeed(text(Stream.unwrap(Effect.gen(function*() {
        const queue = yield* Queue.unbounded<Uint8Array, Cause.Done>()
        yield* Effect.forkChild(words(30)(queue))
        return Stream.fromQueue(queue)
      }))))
  ),
  handler("request", "a child that is joined before the answer", ({ hold, say }) =>
    Effect.gen(function*() {
      const child = yield* Effect.forkChild(Effect.scoped(Effect.andThen(hold("a"), Effect.as(Effect.sleep(10), 7))))
      yield* say(yield* Fiber.join(child))
      return HttpServerResponse.text("joined")
    })),
  handler(
    "request",
    "a body that fails in the middle",
    ({ hold }) => Effect.as(hold("a"), text(Stream.concat(bytes("one "), Stream.fail("torn"))))
  ),
  handler("request", "an end of a body that is told of", ({ hold, say }) =>
    Effect.as(
      hold("a"),
      text(Stream.ensuring(Stream.tap(bytes("one ", "two "), () => Effect.sleep(10)), say("body over")))
    ).pipe(Effect.ensuring(say("handler over")))),
  handler("request", "a finalizer of the request", ({ say }) =>
    Effect.gen(function*() {
      yield* Effect.addFinalizer(() => say("request over"))
      const { method } = yield* HttpServerRequest.HttpServerRequest
      return text(Stream.tap(bytes(`${method} `, "two "), () => Effect.sleep(10)))
    })),
  handler(
    "request",
    "a limit of the handler's own",
    ({ hold }) =>
      Effect.scoped(Effect.andThen(hold("a"), Effect.sleep(100))).pipe(
        Effect.timeoutOrElse({ duration: 20, orElse: () => Effect.void }),
        Effect.as(HttpServerResponse.text("too late"))
      )
  )
]
