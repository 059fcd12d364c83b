/** Calls that are made while things end: in finalizers, in cleanups, in scopes that are closing. */
import { Deadline, Session, SessionRegistry, Transport } from "@clawback/core"
import * as HttpClientView from "@clawback/core/HttpClientView"
import { NodeTransport } from "@clawback/node"
import { EmbeddingTarget, OpenAi, Target } from "@clawback/providers"
import { TelemetryOtlp } from "@clawback/telemetry"
import { Dialect } from "@clawback/testing"
import { describe } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope, Stream } from "effect"
import { Chat, EmbeddingModel, LanguageModel } from "effect/ai"
import { FetchHttpClient, HttpClient } from "effect/http"
import {
  answering,
  endless,
  eventually,
  expect,
  fetchText,
  http,
  modelAt,
  ok,
  opened,
  outcome,
  program,
  promptly,
  secret,
  speaking,
  transportOf
} from "./support.ts"

const ask = { messages: [{ role: "user", content: "Why?" }] } as const

/** What came of an effect that is run in a finalizer of a scope that closes. */
const inFinalizer = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    let got = "never run"
    yield* Effect.scoped(Effect.addFinalizer(() => Effect.map(outcome(self), (outcome) => void (got = outcome))))
    return got
  })

const clients = [
  ["Effect's own client over fetch", opened(HttpClient.HttpClient, FetchHttpClient.layer)],
  [
    "a transport as a client",
    opened(HttpClient.HttpClient, HttpClientView.layerHttpClient.pipe(Layer.provide(NodeTransport.layer())))
  ]
] as const

describe("finalizers", () => {
  for (const [whose, client] of clients) {
    program(`by ${whose}, a farewell can be said in a finalizer, and its answer read`, () =>
      Effect.gen(function*() {
        const server = yield* answering(ok("bye"))
        const own = yield* client
        // As the documentation says: in a scope of its own, since that around a finalizer is closed.
        expect(yield* inFinalizer(Effect.scoped(own.get(server.url)))).toBe("success")
        expect(yield* inFinalizer(Effect.scoped(Effect.flatMap(own.get(server.url), ({ text }) => text)))).toBe(
          "success"
        )
      }))

    program(
      `by ${whose}, a call after its surrounding scope has closed is answered, or fails typed`,
      () =>
        Effect.gen(function*() {
          const server = yield* answering(ok("late"))
          const own = yield* client
          const scope = yield* Scope.make()
          const call = Scope.provide(Effect.flatMap(own.get(server.url), ({ text }) => text), scope)
          yield* Scope.close(scope, Exit.void)
          expect(["success", "HttpClientError"]).toContain(yield* outcome(promptly("the call")(call)))
        })
    )

    program(
      `by ${whose}, what is recorded last reaches the collector as its layer closes`,
      () =>
        Effect.gen(function*() {
          let text = ""
          const collector = yield* http((request, response) => {
            request.on("data", (data: Buffer) => text += data.toString()).on("end", () => response.end("{}"))
          })
          const telemetry = TelemetryOtlp.layer({
            baseUrl: collector.url,
            serviceName: "hostile",
            interval: "1 hour",
            metricsInterval: "1 hour"
          }).pipe(Layer.provide(Layer.effect(HttpClient.HttpClient, client)))
          yield* Effect.void.pipe(Effect.withSpan("the-last-span"), Effect.provide(telemetry))
          expect(text).toContain("the-last-span")
        })
    )
  }

  program("a transport can be asked in a finalizer, in a scope of its own", () =>
    Effect.gen(function*() {
      const server = yield* answering(ok("bye"))
      const transport = yield* transportOf()
      expect(yield* inFinalizer(fetchText(transport, server.url))).toBe("success")
    }))

  program("a model can be asked in a finalizer, on every face", () =>
    Effect.gen(function*() {
      const provider = yield* speaking()
      const context = yield* Layer.build(modelAt(provider))
      const embeddings = yield* Layer.build(
        OpenAi.embeddingLayer({ model: "e", baseUrl: `${provider.url}/v1`, credential: Dialect.credential(secret) })
          .pipe(
            Layer.provide(NodeTransport.layer())
          )
      )
      yield* Effect.gen(function*() {
        expect(yield* inFinalizer(Target.generate(ask))).toBe("success")
        expect(yield* inFinalizer(Stream.runDrain(Target.stream(ask)))).toBe("success")
        expect(yield* inFinalizer(LanguageModel.generateText({ prompt: "x" }))).toBe("success")
        expect(yield* inFinalizer(Stream.runDrain(LanguageModel.streamText({ prompt: "x" })))).toBe("success")
        const chat = yield* Chat.empty
        expect(yield* inFinalizer(chat.generateText({ prompt: "x" }))).toBe("success")
      }).pipe(Effect.provideContext(context))
      yield* Effect.gen(function*() {
        const model = yield* EmbeddingModel.EmbeddingModel
        expect(yield* inFinalizer(model.embed("x"))).toBe("success")
        expect(yield* inFinalizer(EmbeddingTarget.embed({ input: ["x"] }))).toBe("success")
      }).pipe(Effect.provideContext(embeddings))
    }))

  program(
    "a model over fetch, and one over a client over a transport, can be asked in a finalizer",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking()
        for (const [, client] of clients) {
          const context = yield* Layer.build(
            OpenAi.layer({ model: "m", baseUrl: `${provider.url}/v1`, credential: Dialect.credential(secret) }).pipe(
              Layer.provide(HttpClientView.layerTransport),
              Layer.provide(Layer.effect(HttpClient.HttpClient, client))
            )
          )
          expect(yield* Effect.provideContext(inFinalizer(Target.generate(ask)), context)).toBe("success")
          expect(yield* Effect.provideContext(inFinalizer(Stream.runDrain(Target.stream(ask))), context)).toBe(
            "success"
          )
        }
      })
  )

  program("a model can be asked in the cleanup of an interrupted fiber", () =>
    Effect.gen(function*() {
      const provider = yield* speaking()
      const context = yield* Layer.build(modelAt(provider))
      let got = "never run"
      const fiber = yield* Effect.forkChild(
        Effect.onInterrupt(Effect.never, () =>
          Effect.map(outcome(Target.generate(ask)), (outcome) => void (got = outcome))).pipe(
            Effect.provideContext(context)
          ),
        { startImmediately: true }
      )
      yield* promptly("interrupting")(Fiber.interrupt(fiber))
      expect(got).toBe("success")
    }))

  program("a model that is asked in the cleanup after its deadline has its own time", () =>
    Effect.gen(function*() {
      const provider = yield* speaking()
      const context = yield* Layer.build(modelAt(provider))
      let got = "never run"
      yield* Effect.never.pipe(
        Deadline.within("20 millis"),
        Effect.onError(() => Effect.map(outcome(Target.generate(ask)), (outcome) => void (got = outcome))),
        Effect.exit,
        Effect.provideContext(context)
      )
      expect(got).toBe("success")
    }))

  program(
    "a model that is asked in a finalizer of a revoked session is answered or told so, and nothing hangs",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking()
        const context = yield* Layer.build(modelAt(provider))
        let got = "never run"
        const work = Session.scoped({ kind: "job", name: "x" })(
          Effect.andThen(
            Effect.addFinalizer(() =>
              Effect.map(outcome(promptly("the farewell")(Target.generate(ask))), (outcome) => void (got = outcome))
            ),
            Effect.never
          )
        )
        const fiber = yield* Effect.forkChild(Effect.provideContext(outcome(work), context), { startImmediately: true })
        const { stuck } = yield* promptly("revoking")(SessionRegistry.revoke({ kind: "job" }, { reason: "test" }))
        expect(yield* Fiber.join(fiber)).toBe("SessionRevoked")
        expect(stuck).toEqual([])
        expect(["success", "SessionRevoked"]).toContain(got)
      })
  )

  program(
    "a transport that is asked as the layer that holds it closes tells TransportClosed",
    () =>
      Effect.gen(function*() {
        const server = yield* answering(ok("late"))
        const scope = yield* Scope.make()
        const transport = yield* Scope.provide(transportOf(), scope)
        let got = "never run"
        // Added before the layer was built, so it runs after that has closed.
        const outer = yield* Scope.make()
        yield* Scope.addFinalizer(
          outer,
          Effect.map(outcome(fetchText(transport, server.url)), (outcome) => void (got = outcome))
        )
        yield* Scope.close(scope, Exit.void)
        yield* promptly("closing")(Scope.close(outer, Exit.void))
        expect(got).toBe("TransportClosed")
      })
  )

  program(
    "a finalizer of a reader that stops another reader of the same layer does not lock",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking({ say: () => endless })
        const context = yield* Layer.build(modelAt(provider, {}, { connections: 2 }))
        const other = yield* Effect.forkChild(Effect.provideContext(Stream.runDrain(Target.stream(ask)), context))
        yield* provider.until(({ inFlight }) => inFlight === 1)
        yield* promptly("the reader")(
          Target.stream(ask).pipe(
            Stream.ensuring(Fiber.interrupt(other)),
            Stream.take(2),
            Stream.runDrain,
            Effect.provideContext(context)
          )
        )
        yield* provider.until(({ aborted }) => aborted === 2)
        yield* eventually(SessionRegistry.counts, (counts) => counts["call"] === undefined)
      })
  )

  program(
    "a body that is read in a finalizer of the scope that holds it is whole or typed, and nothing hangs",
    () =>
      Effect.gen(function*() {
        const server = yield* answering(ok("body"))
        const transport = yield* transportOf()
        let got = "never run"
        yield* promptly("closing")(Effect.scoped(Effect.gen(function*() {
          const response = yield* transport.execute({ method: "GET", url: server.url, headers: {} })
          yield* Effect.addFinalizer(() =>
            Effect.map(outcome(Transport.text(response)), (outcome) => void (got = outcome))
          )
        })))
        expect(got).toBe("success")
      })
  )
})
