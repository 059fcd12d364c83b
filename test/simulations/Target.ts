/**
 * Streamed answers of a model, through both of its faces. Readers are slow, leave, are interrupted at any step, or lose the scope
 * in which they read.
 *
 * Six callers of two tenants make four calls each, within a quota and a limit on the whole call. The provider rejects calls,
 * stops sending, loses connections and omits the end of its answer. The names of the properties say what must hold.
 */
import { Caller, Credential, Retry, SessionLeaks, SessionRegistry, Transport, TransportError } from "@clawback/core"
import { OpenAi, ProviderError, Target } from "@clawback/providers"
import { Simulation } from "@clawback/testing"
import {
  Cause,
  Channel,
  Clock,
  Context,
  Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Option,
  Pull,
  Redacted,
  Scope,
  Stream
} from "effect"
import { AiError, LanguageModel } from "effect/ai"
import { inOwnedScope, saysClosed } from "../support/readings.ts"
import { sometimesTraced } from "../support/spans.ts"

const callers = 6
const calls = 4
const tenants = ["acme", "globex"] as const
const quota = 4
const total = 200
const limit = 60
/** How long the provider pauses at most. */
const pause = 15
/** How long it takes at most to give a connection back, and to end a call, which may wait for its body's end before. */
const slow = 30
const ending = slow + pause
const words = ["Since ", "nobody ", "looks."]
/** How an answer is read that has come to its finish. */
const answer = `${words.join("")}!`

class Book {
  readonly calls = new Set<Call>()
}

interface Call {
  /** When its limit passes. */
  endsAt: number
  held: number
}

const CurrentCall = Context.Reference<Call | undefined>("test/CurrentCall", { defaultValue: () => undefined })

const origin = "http://provider.test"
const lost = (phase: "head" | "body") =>
  new TransportError.ConnectionLost({ origin, phase, cause: new Error("reset by peer") })

const bytes = (fields: object) => new TextEncoder().encode(`data: ${JSON.stringify(fields)}\n\n`)
const says = (content: string) => bytes({ choices: [{ index: 0, delta: { content } }] })
const finish = bytes({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] })
const used = bytes({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 30 } })

const serve = Effect.gen(function*() {
  const call = yield* CurrentCall
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      if (call !== undefined) call.held++
    }),
    () =>
      Effect.gen(function*() {
        if (yield* Simulation.fault("release is slow", 0.2)) yield* Simulation.latency(1, slow)
        if (call !== undefined) call.held--
      }).pipe(Simulation.phase("giving back"))
  )
  yield* Simulation.latency(0, 20)
  if (yield* Simulation.fault("the provider refuses", 0.1)) {
    return yield* new TransportError.ConnectFailed({ origin, reason: "refused", cause: "" })
  }
  if (yield* Simulation.fault("the connection is lost", 0.05)) return yield* lost("head")
  const now = yield* Clock.currentTimeMillis
  yield* Simulation.check("nothing is asked past the limit", call === undefined || now <= call.endsAt)
  const chunks = [...words.map(says), finish, used]
  const body = Effect.gen(function*() {
    yield* Simulation.latency(0, pause)
    if (chunks.length > 0 && (yield* Simulation.fault("silence", 0.05))) return yield* Effect.never
    if (chunks.length > 0 && (yield* Simulation.fault("the connection is lost", 0.03))) return yield* lost("body")
    if (chunks.length === 2 && (yield* Simulation.fault("the finish comes as the limit passes", 0.2))) {
      const now = yield* Clock.currentTimeMillis
      if (call !== undefined) yield* Effect.sleep(Math.max(0, call.endsAt - now))
    }
    if (chunks.length === 1 && (yield* Simulation.fault("the usage is forgotten", 0.2))) return yield* Effect.never
    const chunk = chunks.shift()
    return chunk === undefined ? yield* Cause.done() : [chunk] as const
  })
  return { status: 200, headers: { "content-type": "text/event-stream" }, sentAt: now, body }
})

type Failure = ProviderError.CallError | AiError.AiError

/** The text of an answer as it comes, and its finish, by either face. */
const faces: readonly [Stream.Stream<string, Failure, Model>, Stream.Stream<string, Failure, Model>] = [
  Stream.map(
    Target.stream({ messages: [{ role: "user", content: "Why do sockets leak?" }] }),
    (event) => event._tag === "TextDelta" ? event.text : event._tag === "Finished" ? "!" : ""
  ),
  Stream.map(
    LanguageModel.streamText({ prompt: "Why do sockets leak?" }),
    (part) => part.type === "text-delta" ? part.delta : part.type === "finish" ? "!" : ""
  )
]

type Model = Target.ChatModel | LanguageModel.LanguageModel

const begin = (book: Book) =>
  Effect.map(Simulation.choose(faces), (face) => {
    const call: Call = { endsAt: Infinity, held: 0 }
    book.calls.add(call)
    const stream = Stream.unwrap(Effect.map(Clock.currentTimeMillis, (now) => {
      call.endsAt = now + total
      return Stream.provideService(face, CurrentCall, call)
    }))
    return { call, stream }
  })

const errorOf = (exit: Exit.Exit<unknown, Failure | Cause.Done>): ProviderError.CallError | undefined => {
  const error = Option.getOrUndefined(Exit.findErrorOption(exit))
  if (error === undefined || Cause.isDone(error)) return undefined
  return AiError.isAiError(error) ? Option.getOrUndefined(ProviderError.fromAiError(error)) : error
}

const expected = new Set([
  "ConnectFailed",
  "ConnectionLost",
  "DeadlineExceeded",
  "FirstTokenTimeout",
  "IdleTimeout",
  "QuotaExceeded",
  "SessionRevoked"
])

/** Reads to the end, now and then slowly. */
const readIn = Effect.fnUntraced(function*(book: Book, scope: Scope.Scope) {
  const { call, stream } = yield* begin(book)
  const pull = yield* Scope.provide(Stream.toPull(stream), scope)
  let text = ""
  while (true) {
    const pulledAt = yield* Clock.currentTimeMillis
    const exit = yield* Effect.exit(pull)
    const now = yield* Clock.currentTimeMillis
    yield* Simulation.check(
      "nobody waits past the limit",
      now <= Math.max(pulledAt, call.endsAt + ending),
      () => `${now} of ${call.endsAt}`
    )
    if (Exit.isFailure(exit)) {
      const error = errorOf(exit)
      const isDone = Pull.isDoneCause(exit.cause)
      yield* Simulation.check("an answer that ends is whole", !isDone || text === answer, text)
      yield* Simulation.check(
        "a reader gets a typed error",
        isDone || (error !== undefined && expected.has(error._tag)),
        () => String(exit)
      )
      yield* Simulation.check(
        "who still reads is not taken for lost, and loses nothing but with the scope",
        error?._tag !== "SessionRevoked" || (saysClosed(error) && scope.state._tag === "Closed"),
        () => String(exit)
      )
      yield* Simulation.check(
        "an answer that has its finish is not lost to a limit",
        text !== answer || (error?._tag !== "DeadlineExceeded" && error?._tag !== "IdleTimeout"),
        () => String(exit)
      )
      yield* Simulation.note(error?._tag ?? "done")
      return
    }
    text += exit.value.join("")
    yield* Simulation.check("an answer comes once, in order", answer.startsWith(text), text)
    if (yield* Simulation.fault("reader is slow", 0.1)) {
      yield* Simulation.latency(0, 2 * total).pipe(Simulation.phase("reading"))
    }
  }
})

/** Reads once, without ever closing anything, and is lost. */
const leave = (book: Book) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const owner = yield* Simulation.makeOwner("a reader is collected")
      const { stream } = yield* begin(book)
      const scope = yield* Scope.make()
      const pull = yield* owner.own(Channel.toPullScoped(Stream.toChannel(stream), scope))
      yield* Effect.exit(owner.own(restore(pull)))
      yield* owner.lose
    })
  )

const caller = Effect.fnUntraced(function*(book: Book, number: number) {
  for (let i = 0; i < calls; i++) {
    yield* Simulation.latency(0, 30)
    const isLost = yield* Simulation.fault("reader does not come back", 0.3)
    const reading = Effect.map(inOwnedScope((scope) => readIn(book, scope)), ({ exit }) => exit)
    yield* (isLost ? leave(book) : Effect.flatten(reading)).pipe(
      Simulation.phase("calling"),
      Caller.provide({ tenant: tenants[number % tenants.length] })
    )
  }
})

/** No session of a call outlives its limit. */
const watch = Effect.gen(function*() {
  const open = yield* SessionRegistry.list({ kind: "call" })
  const age = Math.max(0, ...open.map(({ age }) => Duration.toMillis(age)))
  yield* Simulation.check(
    "a call's session is released at its limit, though its reader is away",
    age <= total + ending,
    () => `${age} ms`
  )
  yield* Effect.sleep(25)
})

const run = Effect.fnUntraced(function*(book: Book) {
  const clock = yield* Clock.Clock
  yield* Simulation.always(
    "past its limit a call holds nothing, though its reader is away",
    () => [...book.calls].every(({ endsAt, held }) => held === 0 || clock.currentTimeMillisUnsafe() <= endsAt + ending),
    () => JSON.stringify([clock.currentTimeMillisUnsafe(), ...book.calls])
  )
  const watching = yield* Effect.forkChild(Effect.forever(watch))
  const fibers = yield* Effect.forEach(
    Array.from({ length: callers }, (_, number) => caller(book, number)),
    (program) => Simulation.fork(program, "caller")
  )
  for (const fiber of fibers) {
    const exit = yield* Fiber.await(fiber)
    yield* Simulation.check(
      "only who was interrupted ends so",
      Exit.isSuccess(exit) || (Exit.hasInterrupts(exit) && (yield* Simulation.isStruck(fiber))),
      () => String(exit)
    )
  }
  yield* Simulation.heal
  yield* Effect.sleep(total + 2 * ending)
  yield* Fiber.interrupt(watching)
  for (const tenant of tenants) {
    const { stream } = yield* begin(book)
    const exit = yield* Effect.exit(Stream.mkString(stream).pipe(Caller.provide({ tenant })))
    yield* Simulation.check(
      "a tenant whose readers are gone is served again",
      Exit.isSuccess(exit) && exit.value === answer,
      () => String(exit)
    )
  }
  const { call = 0 } = yield* SessionRegistry.counts
  yield* Simulation.check("nothing is held in the end", call === 0 && [...book.calls].every(({ held }) => held === 0))
})

const model = Target.layer(OpenAi.target("gpt-5", {
  baseUrl: origin,
  credential: Credential.redacted("a key", Redacted.make("sk-test")),
  retry: Retry.jittered({ attempts: 2, base: 20 }),
  timeouts: { total, firstToken: limit, idle: 2 * limit }
})).pipe(Layer.provide(Layer.succeed(Transport.Transport, Transport.Transport.of({ execute: () => serve }))))

const program = Effect.suspend(() =>
  run(new Book()).pipe(
    Effect.provide(
      SessionLeaks.layer({ every: 40, onLeak: SessionLeaks.reclaim }).pipe(
        Layer.provideMerge(model),
        Layer.provideMerge(SessionRegistry.layer({ quota: () => quota, sampleAll: true }))
      )
    ),
    Effect.orDie
  )
)

export default {
  name: "Target",
  // Effect's own spans end with a scope that a lost reader does not close.
  program: sometimesTraced(program, (name) => !name.startsWith("LanguageModel.")),
  phases: ["calling", "reading", "giving back"],
  faults: [
    "the provider refuses",
    "the connection is lost",
    "silence",
    "the usage is forgotten",
    "the finish comes as the limit passes",
    "release is slow",
    "reader is slow",
    "reader does not come back",
    "a reader is collected",
    "the scope has an owner elsewhere",
    "a scope closes under its reader",
    "spans are on"
  ]
} satisfies Simulation.Scenario
