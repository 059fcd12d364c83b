/**
 * Texts that are embedded concurrently, and share requests. Workers are interrupted at any step.
 *
 * Six workers of two tenants embed four texts each through one layer. The server is slow, responds in any order, loses
 * connections and omits vectors. The names of the properties say what must hold.
 */
import { Caller, Credential, SessionRegistry, Transport, TransportError } from "@clawback/core"
import { OpenAi } from "@clawback/providers"
import { Simulation } from "@clawback/testing"
import { Cause, Effect, Exit, Fiber, Layer, Redacted } from "effect"
import { EmbeddingModel } from "effect/ai"

const workers = 6
const texts = 4
const tenants = ["acme", "globex"] as const
const origin = "http://provider.test"

class Book {
  /** The texts that somebody waits for. */
  readonly awaited = new Set<string>()
  /** Requests that the server works on. */
  open = 0
}

/** Each text is `tenant worker number`, and its vector says so. */
const vectorOf = (text: string) => {
  const [tenant, worker, number] = text.split(" ")
  return [tenants.findIndex((name) => name === tenant), Number(worker), Number(number)]
}

const answer = Effect.fnUntraced(function*(input: ReadonlyArray<string>) {
  const data = input.map((text, index) => ({ index, embedding: vectorOf(text) }))
  if (yield* Simulation.fault("answers come out of order", 0.3)) data.reverse()
  if (yield* Simulation.fault("a vector is forgotten", 0.1)) data.pop()
  return new TextEncoder().encode(JSON.stringify({ data, usage: { prompt_tokens: input.length } }))
})

const serve = (book: Book, request: Transport.Request) =>
  Effect.gen(function*() {
    const { input } = JSON.parse(String(request.body)) as { readonly input: ReadonlyArray<string> }
    const { tenant } = (yield* Caller.Current) ?? {}
    yield* Simulation.check(
      "a request has the texts of one caller, for whom it is made",
      input.every((text) => text.startsWith(`${tenant} `)),
      () => `${tenant}: ${input.join(", ")}`
    )
    yield* Effect.acquireRelease(Effect.sync(() => book.open++), () =>
      Effect.andThen(
        Simulation.fault("release is slow", 0.2).pipe(Effect.flatMap((slow) => slow ? Effect.sleep(20) : Effect.void)),
        Effect.sync(() => book.open--)
      ).pipe(Simulation.phase("releasing")))
    for (let i = 0; i < 3; i++) {
      yield* Simulation.latency(1, 20)
      yield* Simulation.check(
        "nobody's request runs on",
        input.some((text) => book.awaited.has(text)),
        () => input.join(", ")
      )
    }
    if (yield* Simulation.fault("the connection is lost", 0.1)) {
      return yield* new TransportError.ConnectionLost({ origin, phase: "head", cause: new Error("reset") })
    }
    const chunks = [yield* answer(input)]
    const body = Effect.suspend(() => {
      const chunk = chunks.shift()
      return chunk === undefined ? Cause.done() : Effect.succeed([chunk] as const)
    })
    return { status: 200, headers: { "content-type": "application/json" }, sentAt: 0, body }
  }).pipe(Simulation.phase("answering"))

/** What may go wrong with a text whose request went wrong. */
const expected = new Set(["InvalidResponseError", "NetworkError"])

const embed = Effect.fnUntraced(function*(book: Book, text: string) {
  const model = yield* EmbeddingModel.EmbeddingModel
  const exit = yield* Effect.suspend(() => {
    book.awaited.add(text)
    return model.embed(text)
  }).pipe(
    Effect.ensuring(Effect.sync(() => book.awaited.delete(text))),
    Simulation.phase("waiting"),
    Effect.exit
  )
  if (Exit.isSuccess(exit)) {
    yield* Simulation.check(
      "each text has its own vector",
      exit.value.vector.join() === vectorOf(text).join(),
      () => `${text}: ${exit.value.vector.join()}`
    )
    return
  }
  yield* Simulation.check(
    "what goes wrong is told by its reason",
    exit.cause.reasons.every((reason) =>
      reason._tag === "Interrupt" || (reason._tag === "Fail" && expected.has(reason.error.reason._tag))
    ),
    () => String(exit.cause)
  )
  if (Exit.hasInterrupts(exit)) return yield* Effect.failCause(exit.cause)
})

const worker = Effect.fnUntraced(function*(book: Book, number: number) {
  const tenant = yield* Simulation.choose(tenants)
  for (let i = 0; i < texts; i++) {
    yield* Simulation.latency(0, 10)
    yield* embed(book, `${tenant} ${number} ${i}`).pipe(Caller.provide({ tenant }))
  }
})

const model = (book: Book) =>
  OpenAi.embeddingLayer({
    model: "text-embedding-3-small",
    baseUrl: origin,
    credential: Credential.redacted("a key", Redacted.make("sk-test"))
  }).pipe(
    Layer.provide(
      Layer.succeed(
        Transport.Transport,
        Transport.Transport.of({ execute: (request) => serve(book, request) })
      )
    )
  )

const run = Effect.fnUntraced(function*(book: Book) {
  const fibers = yield* Effect.forEach(
    Array.from({ length: workers }, (_, number) => worker(book, number)),
    (program) => Simulation.fork(program, "worker")
  )
  for (const fiber of fibers) {
    const exit = yield* Fiber.await(fiber)
    yield* Simulation.check(
      "only who was interrupted ends so",
      Exit.isSuccess(exit) || (Exit.hasInterrupts(exit) && (yield* Simulation.isStruck(fiber))),
      () => String(exit)
    )
  }
  const { call = 0 } = yield* SessionRegistry.counts
  yield* Simulation.check(
    "once nobody waits, no call is open and no request",
    call === 0 && book.open === 0,
    () => `${call} calls, ${book.open} requests`
  )
})

const program = Effect.suspend(() => {
  const book = new Book()
  return run(book).pipe(Effect.provide(Layer.provideMerge(model(book), SessionRegistry.layer())), Effect.orDie)
})

export default {
  name: "Embeddings",
  program,
  phases: ["waiting", "answering", "releasing"],
  faults: ["answers come out of order", "a vector is forgotten", "the connection is lost", "release is slow"]
} satisfies Simulation.Scenario
