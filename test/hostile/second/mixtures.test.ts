/** Several features at once, each of which is fine by itself. */
import { Caller, Deadline, Retry, Session, SessionRegistry, Timeouts, Transport } from "@clawback/core"
import * as HttpClientView from "@clawback/core/HttpClientView"
import { NodeTransport } from "@clawback/node"
import { EmbeddingTarget, OpenAi, ProviderError, Target } from "@clawback/providers"
import { Behavior, Dialect, FaultyProvider } from "@clawback/testing"
import { describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, LayerMap, Scope, Stream } from "effect"
import { AiError, EmbeddingModel, LanguageModel } from "effect/ai"
import { HttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import {
  endless,
  eventually,
  expect,
  http,
  idle,
  modelAt,
  opened,
  outcome,
  program,
  promptly,
  secret,
  speaking
} from "./support.ts"

const ask = { messages: [{ role: "user", content: "Why?" }] } as const
const busy = (millis: number) =>
  Effect.sync(() => {
    const until = performance.now() + millis
    while (performance.now() < until) { /* as a program does that computes */ }
  })

describe("deadlines that pass while the processor is busy", () => {
  program("are told as the deadline by an HttpClient over a transport", () =>
    Effect.gen(function*() {
      const server = yield* http((_, response) => response.end("x"))
      const client = yield* opened(
        HttpClient.HttpClient,
        HttpClientView.layerHttpClient.pipe(Layer.provide(NodeTransport.layer()))
      )
      expect(yield* outcome(Deadline.within("20 millis")(Effect.andThen(busy(60), client.get(server.url))))).toBe(
        "DeadlineExceeded"
      )
    }))

  program("are told as the deadline by embeddings of Effect's face", () =>
    Effect.gen(function*() {
      const provider = yield* speaking()
      const layer = OpenAi.embeddingLayer({
        model: "e",
        baseUrl: `${provider.url}/v1`,
        credential: Dialect.credential(secret)
      }).pipe(
        Layer.provide(NodeTransport.layer())
      )
      const model = yield* opened(EmbeddingModel.EmbeddingModel, layer)
      expect(yield* outcome(Deadline.within("20 millis")(Effect.andThen(busy(60), model.embed("x"))))).toBe(
        "DeadlineExceeded"
      )
    }))

  program("are told as the deadline by a stream under withinStream", () =>
    Effect.gen(function*() {
      const provider = yield* speaking()
      const context = yield* Layer.build(modelAt(provider))
      const stream = Stream.fromEffect(busy(60)).pipe(
        Stream.flatMap(() => LanguageModel.streamText({ prompt: "x" })),
        Deadline.withinStream("20 millis"),
        Stream.provideContext(context)
      )
      expect(yield* outcome(Stream.runDrain(stream))).toBe("DeadlineExceeded")
    }))
})

describe("bodies that are read in two ways", () => {
  const client = opened(
    HttpClient.HttpClient,
    HttpClientView.layerHttpClient.pipe(Layer.provide(NodeTransport.layer()))
  )
  program(
    "a second way to read a body is its content or an HttpClientError, never a defect",
    () =>
      Effect.gen(function*() {
        const server = yield* http((_, response) => {
          response.write("a=")
          setTimeout(() => response.end("1"), 10)
        })
        const own = yield* client
        const fresh = own.get(server.url)
        for (
          const [one, other] of [
            [(r) => r.text, (r) => r.arrayBuffer],
            [(r) => r.arrayBuffer, (r) => r.text],
            [(r) => r.text, (r) => Stream.runDrain(r.stream)],
            [(r) => Stream.runDrain(r.stream), (r) => r.text],
            [(r) => Stream.runDrain(r.stream), (r) => Stream.runDrain(r.stream)],
            [(r) => r.urlParamsBody, (r) => r.text]
          ] as ReadonlyArray<ReadonlyArray<(response: Effect.Success<typeof fresh>) => Effect.Effect<unknown, unknown>>>
        ) {
          const response = yield* fresh
          if (one === undefined || other === undefined) continue
          expect(yield* outcome(promptly("one way")(one(response)))).toBe("success")
          expect(["success", "HttpClientError"]).toContain(yield* outcome(promptly("the other")(other(response))))
        }
      })
  )

  program("two ways to read a body at once both end", () =>
    Effect.gen(function*() {
      const server = yield* http((_, response) => {
        response.write("a=")
        setTimeout(() => response.end("1"), 10)
      })
      const response = yield* Effect.flatMap(client, (own) => own.get(server.url))
      const got = yield* promptly("both")(Effect.all([
        outcome(response.text),
        outcome(Stream.runDrain(response.stream)),
        outcome(response.arrayBuffer)
      ], { concurrency: 3 }))
      // Effect's clients abort a call where one of its readers ends, so that none need get it all.
      expect(got.every((one) => one === "success" || one === "HttpClientError" || one.startsWith("defect"))).toBe(true)
    }))
})

describe("time that stands still", () => {
  it.effect("under a TestClock, a total passes when the clock is moved, over real sockets", () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.make({ otherwise: Behavior.stall })
      const context = yield* Layer.build(modelAt(provider, { timeouts: { total: "5 minutes" } }))
      const call = yield* Effect.forkChild(outcome(Effect.provideContext(Target.generate(ask), context)))
      yield* provider.until(({ inFlight }) => inFlight === 1)
      yield* TestClock.adjust("4 minutes")
      expect(call.pollUnsafe()).toBeUndefined()
      yield* TestClock.adjust("2 minutes")
      expect(yield* Fiber.join(call)).toBe("DeadlineExceeded")
      yield* provider.until(({ aborted }) => aborted === 1)
    }))

  it.effect("under a TestClock, a kept connection is closed when its time has passed", () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.make()
      const transport = yield* opened(Transport.Transport, NodeTransport.layer({ idleTimeToLive: "30 seconds" }))
      yield* Effect.scoped(
        Effect.flatMap(transport.execute({ method: "GET", url: provider.url, headers: {} }), Transport.text)
      )
      expect((yield* provider.counts).open).toBe(1)
      yield* TestClock.adjust("31 seconds")
      yield* provider.until(({ open }) => open === 0)
    }))

  it.effect("under a TestClock, a retry waits as long as the server asks, and not longer than the deadline", () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.make({
        otherwise: Behavior.status(429, { body: { error: { message: "slow" } }, headers: { "retry-after": "20" } })
      })
      const context = yield* Layer.build(modelAt(provider, { retry: Retry.jittered({ attempts: 3, base: 0 }) }))
      const call = yield* Effect.forkChild(outcome(Effect.provideContext(Target.generate(ask), context)))
      yield* provider.until(({ received }) => received === 1)
      yield* TestClock.withLive(Effect.sleep("30 millis"))
      yield* TestClock.adjust("19 seconds")
      expect((yield* provider.counts).received).toBe(1)
      yield* TestClock.adjust("2 seconds")
      yield* provider.until(({ received }) => received === 2)
      yield* TestClock.withLive(Effect.sleep("30 millis"))
      yield* TestClock.adjust("30 seconds")
      expect(yield* Fiber.join(call)).toBe("RateLimited")
      const short = yield* outcome(Deadline.within("5 seconds")(Effect.provideContext(Target.generate(ask), context)))
      expect(short).toBe("RateLimited")
    }))
})

describe("mixtures", () => {
  program("errors of others pass through precise as they are, in effects and streams", () =>
    Effect.gen(function*() {
      const foreign = AiError.make({
        module: "x",
        method: "y",
        reason: new AiError.InvalidOutputError({ description: "z" })
      })
      expect(yield* Effect.flip(ProviderError.precise(Effect.fail(foreign)))).toBe(foreign)
      expect(yield* Effect.flip(ProviderError.precise(Effect.fail(null)))).toBe(null)
      expect(yield* outcome(ProviderError.precise(Effect.die(new Error("bug"))))).toContain("bug")
      const got = yield* Stream.concat(Stream.make(1, 2), Stream.fail(foreign)).pipe(
        ProviderError.preciseStream,
        Stream.catch((error) => Stream.make(error === foreign ? 3 : 4)),
        Stream.runCollect
      )
      expect(got).toEqual([1, 2, 3])
    }))

  program("a LayerMap of models by tenant, invalidated under load, closes every one", () =>
    Effect.gen(function*() {
      const provider = yield* speaking()
      yield* Effect.scoped(Effect.gen(function*() {
        const models = yield* LayerMap.make((name: string) => Layer.fresh(modelAt(provider, { model: name })), {
          idleTimeToLive: "5 millis"
        })
        yield* Effect.forEach(
          Array.from({ length: 60 }, (_, n) => n),
          (n) =>
            Target.generate(ask).pipe(
              Effect.provide(models.get(`t${n % 6}`)),
              Effect.andThen(n % 7 === 0 ? models.invalidate(`t${n % 6}`) : Effect.void)
            ),
          { concurrency: 12 }
        )
      }))
      yield* provider.until(({ open }) => open === 0)
    }))

  program(
    "a retry around a stream of Effect's face sends each attempt once, and holds nothing between",
    () =>
      Effect.gen(function*() {
        let n = 0
        const provider = yield* speaking({
          say: () => ++n < 3 ? Behavior.status(503, { body: { error: { message: "busy" } } }) : "fine"
        })
        const context = yield* Layer.build(modelAt(provider, {}, { connections: 1 }))
        const policy = Retry.jittered({ attempts: 4, base: "5 millis", classify: ProviderError.advice })
        const parts = yield* LanguageModel.streamText({ prompt: "x" }).pipe(
          Stream.mapError((error) =>
            Object.assign(error, {
              retry: ProviderError.advice(error) ?? { reach: "answered" as const, isTransient: false }
            })
          ),
          Retry.applyStream(policy as Retry.Policy<unknown>),
          Stream.runCount,
          Effect.provideContext(context)
        )
        expect(parts).toBeGreaterThan(1)
        expect(n).toBe(3)
      })
  )

  program(
    "limits, a deadline, a session, a caller and a retry around one stream give the first error that is due",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking({ say: () => endless })
        const context = yield* Layer.build(modelAt(provider))
        const run = Target.stream(ask).pipe(
          Timeouts.applyStream({ timeouts: { firstToken: "5 seconds", idle: "5 seconds" } }),
          Session.scopedStream({ kind: "feed", name: "x" }),
          Retry.applyStream(Retry.jittered()),
          Deadline.withinStream("150 millis"),
          Stream.runDrain,
          Caller.provide({ tenant: "a" }),
          Effect.provideContext(context)
        )
        expect(yield* outcome(promptly("the stream")(run))).toBe("DeadlineExceeded")
        yield* idle(provider)
        yield* eventually(
          SessionRegistry.counts,
          (counts) => counts["feed"] === undefined && counts["call"] === undefined
        )
      })
  )

  program(
    "an embedder of one request for ten thousand texts is answered whole or refused, typed",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking({ embed: () => [1, 0] })
        const layer = EmbeddingTarget.layer(
          OpenAi.embeddingTarget("e", { baseUrl: `${provider.url}/v1`, credential: Dialect.credential(secret) })
        ).pipe(
          Layer.provide(NodeTransport.layer())
        )
        yield* Effect.gen(function*() {
          const input = Array.from({ length: 10_000 }, (_, n) => `t${n}`)
          const got = yield* Effect.exit(promptly("a call")(EmbeddingTarget.embed({ input })))
          if (Exit.isSuccess(got)) expect(got.value.embeddings).toHaveLength(10_000)
          else expect(yield* outcome(got)).toBe("RequestRejected")
          const model = yield* EmbeddingModel.EmbeddingModel
          expect((yield* model.embedMany(input)).embeddings).toHaveLength(10_000)
        }).pipe(Effect.provide(layer))
      })
  )

  program(
    "a base URL, a key and a model of one hundred kilobytes each are an answer or a typed error",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking()
        const long = "x".repeat(100_000)
        for (
          const options of [{ model: long }, { baseUrl: `${provider.url}/v1?${long}` }, {
            credential: Dialect.credential(long)
          }]
        ) {
          const got = yield* outcome(
            promptly("a call")(Target.generate(ask).pipe(Effect.provide(modelAt(provider, options))))
          )
          expect(got).not.toContain("defect")
          expect(got).not.toBe("interrupted")
        }
      })
  )

  program(
    "a call in a scope that closes in the same step as it begins is told so, and sends or holds nothing",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking()
        const transport = yield* opened(Transport.Transport, NodeTransport.layer())
        const scope = yield* Scope.make()
        yield* Scope.close(scope, Exit.void)
        const got = yield* outcome(
          promptly("a call")(Scope.provide(
            transport.execute({ method: "GET", url: provider.url, headers: {} }),
            scope
          ))
        )
        expect(got).toBe("SessionRevoked")
        expect((yield* provider.counts).received).toBe(0)
      })
  )

  program(
    "a provider that is changed under way, refuses and comes back serves again over the same layer",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking()
        const context = yield* Layer.build(
          modelAt(provider, { timeouts: { connect: "300 millis" } }, { connections: 2 })
        )
        const call = Effect.provideContext(outcome(Target.generate(ask)), context)
        expect(yield* call).toBe("success")
        for (
          const [how, expected] of [["refuse", ["ConnectFailed"]], ["close", ["ConnectFailed", "ConnectionLost"]], [
            "reset",
            ["ConnectFailed", "ConnectionLost"]
          ], ["silent", ["ConnectTimeout", "DeadlineExceeded"]]] as const
        ) {
          yield* provider.listening(how)
          yield* provider.disconnect("reset")
          yield* provider.until(({ open }) => open === 0)
          expect(expected).toContain(
            yield* promptly(how)(Effect.provideContext(
              outcome(Deadline.within("500 millis")(Target.generate(ask))),
              context
            ))
          )
          yield* provider.listening("accept")
          yield* provider.disconnect("close")
          expect(yield* promptly("again")(call)).toBe("success")
        }
      })
  )
})
