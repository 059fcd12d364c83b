/** Programs that are stopped during their work: `node exitProgram.ts NAME [BASE URL]`. */
import { Session, SessionRegistry, Shutdown } from "@clawback/core"
import { NodeShutdown, NodeTransport } from "@clawback/node"
import { OpenAi } from "@clawback/providers"
import { ConfigProvider, Effect, Fiber, Layer, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import process, { argv } from "node:process"

const [, , name = "", baseUrl = ""] = argv

const Model = OpenAi.layer({ model: "gpt-5", baseUrl }).pipe(
  Layer.provide([
    NodeTransport.layer(),
    ConfigProvider.layer(ConfigProvider.fromUnknown({ OPENAI_API_KEY: "sk-nobody" }))
  ])
)

const started = Effect.sync(() => process.send?.({ port: 0 }))
const forever = Effect.andThen(started, Effect.never)
const info = { kind: "job", name: "endless" }

const answer = LanguageModel.streamText({ prompt: "Why do sockets leak?" })
const read = <E, R>(stream: Stream.Stream<unknown, E, R>) =>
  Stream.runForEach(stream, () => started).pipe(Effect.provide(Model))

class Failed extends Error {}
const wrapped = (cause: unknown) => new Failed("of its own", { cause })

/** Waits for the drain, which other work keeps going. */
const inDrain = Effect.andThen(
  Effect.forkDetach(Effect.exit(Shutdown.admit({ kind: "job", name: "other" })(Effect.never)), {
    startImmediately: true
  }),
  Stream.runDrain(Stream.takeUntil(Shutdown.changes, (state) => state === "drain"))
)
const revokedByOthers = SessionRegistry.revoke({ name: info.name }, { reason: "suspended" })

const programs: Readonly<Record<string, Effect.Effect<unknown, unknown>>> = {
  "an admitted answer": read(Shutdown.admitStream(info)(answer)),
  "an answer": read(answer),
  "a session": Session.scoped(info)(forever),
  "a connection that is idle": Effect.andThen(Stream.runDrain(answer), forever).pipe(Effect.provide(Model)),
  "work that ends": Effect.uninterruptible(Session.scoped(info)(Effect.andThen(started, Effect.sleep("500 millis")))),
  "an error of its own": Effect.mapError(Shutdown.admit(info)(forever), (cause) => wrapped(wrapped(cause))),
  "revoked by others": Effect.andThen(
    Effect.forkChild(Effect.andThen(inDrain, revokedByOthers), { startImmediately: true }),
    Effect.mapError(Session.scoped(info)(forever), wrapped)
  ),
  "revoked by others before": Effect.gen(function*() {
    const held = yield* Effect.forkChild(Session.scoped(info)(Effect.never), { startImmediately: true })
    yield* revokedByOthers
    const error = yield* Effect.flip(Fiber.join(held))
    yield* started
    yield* inDrain
    return yield* Effect.fail(wrapped(error))
  }),
  "an error that is its own cause": Effect.gen(function*() {
    yield* Effect.andThen(started, inDrain)
    const error = wrapped(undefined)
    return yield* Effect.fail(Object.assign(error, { cause: error }))
  }),
  "fails while it runs": Effect.andThen(
    Effect.forkChild(Effect.andThen(Effect.sleep("50 millis"), revokedByOthers)),
    Session.scoped(info)(forever)
  )
}

NodeShutdown.runMain(programs[name] ?? Effect.die(`There is no program ${name}`), { drain: "200 millis" })
