/** The spans that a collector receives from calls over real sockets. */
import { Retry, SessionRegistry } from "@clawback/core"
import { TelemetryOtlp } from "@clawback/telemetry"
import { Behavior, FaultyProvider, VendorErrors } from "@clawback/testing"
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Metric, Stream, Tracer } from "effect"
import { LanguageModel } from "effect/ai"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { execPath } from "node:process"
import * as Model from "./support/model.ts"
import * as Answers from "./support/openAiBehaviors.ts"
import * as Receiver from "./support/otlpReceiver.ts"

const prompt = "Why do sockets leak?"
const stream = LanguageModel.streamText({ prompt })
const streamed = Stream.runDrain(stream)
const whole = LanguageModel.generateText({ prompt })

const tokens = { input: 12, output: 34, cached: 5 }
const answer = Answers.streamed(tokens)

type Call = Effect.Effect<unknown, unknown, LanguageModel.LanguageModel>

/** Runs a program against a provider, and returns what a collector received. */
const told = Effect.fnUntraced(function*(
  program: (provider: FaultyProvider.FaultyProvider["Service"]) => Call,
  behaviors: ReadonlyArray<Behavior.Behavior>,
  options: Partial<Model.Options> = {}
) {
  const provider = yield* FaultyProvider.make()
  yield* provider.enqueue(...behaviors)
  const receiver = yield* Receiver.make()
  yield* program(provider).pipe(
    Effect.exit,
    Model.withModel({ baseUrl: `${provider.url}/v1`, ...options }),
    Effect.provide(
      TelemetryOtlp.layer({ baseUrl: receiver.url, serviceName: "test" }).pipe(
        Layer.provide(NodeHttpClient.layerUndici)
      )
    )
  )
  return receiver
})

const isolated = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => Effect.provideService(effect, Metric.MetricRegistry, new Map()))

/** The one tree that was received. */
const treeOf = (receiver: { readonly spans: ReadonlyArray<Receiver.ReceivedSpan> }) => {
  const trees = Receiver.trees(receiver.spans)
  assert.strictEqual(trees.length, 1, trees.map(Receiver.shape).join("\n"))
  const span = (name: string) =>
    receiver.spans.find((span) => span.name === name) ?? assert.fail(`There is no span ${name}`)
  return { shape: trees.map(Receiver.shape).join(), span }
}

describe("one tree of spans for each call", () => {
  it.live.each([["a stream", streamed, "streamText"], ["an answer in one piece", whole, "generateText"]] as const)(
    "and nothing below a root that is not sampled, of %s",
    ([, call, method]) =>
      Effect.gen(function*() {
        const asked: Array<string> = []
        const tracer = Tracer.make({
          span: (options) => {
            asked.push(options.name)
            return new Tracer.NativeSpan({ ...options, sampled: false })
          }
        })
        const provider = yield* FaultyProvider.make()
        yield* provider.enqueue(method === "streamText" ? answer : Answers.whole(tokens))
        yield* Effect.provideService(call, Tracer.Tracer, tracer).pipe(
          Model.withModel({ baseUrl: `${provider.url}/v1` })
        )
        assert.deepStrictEqual(asked, [`LanguageModel.${method}`])
      }).pipe(isolated)
  )

  it.live("of a stream that is read to its end, with the attributes of the GenAI conventions", () =>
    Effect.gen(function*() {
      const { shape, span } = treeOf(yield* told(() => streamed, [answer]))
      assert.strictEqual(shape, "LanguageModel.streamText(chat gpt-5(attempt(connect first token stream)))")
      const call = span("chat gpt-5")
      assert.deepStrictEqual([call.kind, call.status], [3, "ok"])
      const { "gen_ai.response.time_to_first_chunk": first, "server.port": port, ...attributes } = call.attributes
      assert.deepStrictEqual(attributes, {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.request.stream": true,
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "gpt-5-2025",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 34,
        "gen_ai.usage.cache_read.input_tokens": 5,
        "server.address": "127.0.0.1"
      })
      assert.isAbove(Number(first), 0)
      assert.isAbove(Number(port), 0)
      assert.strictEqual(span("attempt").attributes["clawback.attempt.number"], 1)
    }).pipe(isolated))

  it.live("of a complete response", () =>
    Effect.gen(function*() {
      const { shape, span } = treeOf(yield* told(() => whole, [Answers.whole(tokens)]))
      assert.strictEqual(shape, "LanguageModel.generateText(chat gpt-5(attempt(connect)))")
      const { attributes, status } = span("chat gpt-5")
      assert.strictEqual(status, "ok")
      assert.strictEqual(attributes["gen_ai.request.stream"], false)
      assert.deepStrictEqual(attributes["gen_ai.response.finish_reasons"], ["stop"])
      assert.strictEqual(attributes["gen_ai.usage.output_tokens"], 34)
    }).pipe(isolated))

  it.live.each([["a stream", streamed, "streamText"], ["an answer in one piece", whole, "generateText"]] as const)(
    "of %s that fails, with the tag of why",
    ([, call, method]) =>
      Effect.gen(function*() {
        const { shape, span } = treeOf(yield* told(() => call, [VendorErrors.named("openai.invalid_api_key")]))
        assert.strictEqual(shape, `LanguageModel.${method}(chat gpt-5(attempt(connect)))`)
        for (const name of ["chat gpt-5", "attempt"]) {
          const { attributes, events, message, status } = span(name)
          assert.deepStrictEqual(
            [status, message, attributes["error.type"]],
            ["error", "AuthenticationFailed", "AuthenticationFailed"]
          )
          assert.deepStrictEqual(events.map(({ attributes }) => attributes["exception.message"]), [
            "AuthenticationFailed"
          ])
        }
        assert.strictEqual(span(`LanguageModel.${method}`).status, "error")
      }).pipe(isolated)
  )

  it.live("of a stream that is cut off after it has begun, which fails", () =>
    Effect.gen(function*() {
      const { shape, span } = treeOf(yield* told(() => streamed, [Answers.cut]))
      assert.strictEqual(shape, "LanguageModel.streamText(chat gpt-5(attempt(connect first token stream)))")
      assert.deepStrictEqual(
        ["chat gpt-5", "attempt"].map((name) => span(name).attributes["error.type"]),
        ["ConnectionLost", "ConnectionLost"]
      )
    }).pipe(isolated))

  it.live("of a stream whose reader is interrupted, or stops early", () =>
    Effect.gen(function*() {
      const interrupted = Effect.gen(function*() {
        const begun = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkChild(Stream.runForEach(stream, () => Deferred.succeed(begun, undefined)))
        yield* Deferred.await(begun)
        yield* Fiber.interrupt(fiber)
      })
      for (const program of [interrupted, Stream.runDrain(Stream.take(stream, 2))]) {
        const { shape, span } = treeOf(yield* told(() => program, [Answers.endless]))
        assert.strictEqual(shape, "LanguageModel.streamText(chat gpt-5(attempt(connect first token stream)))")
        for (const name of ["chat gpt-5", "attempt", "stream"]) {
          assert.strictEqual(span(name).status, "unset", name)
          assert.isUndefined(span(name).attributes["error.type"])
        }
      }
    }).pipe(isolated))

  it.live("of a complete response that is interrupted", () =>
    Effect.gen(function*() {
      const { shape, span } = treeOf(
        yield* told((provider) =>
          Effect.gen(function*() {
            const fiber = yield* Effect.forkChild(whole)
            yield* provider.until(({ inFlight }) => inFlight === 1)
            yield* Fiber.interrupt(fiber)
          }), [Behavior.stall])
      )
      assert.strictEqual(shape, "LanguageModel.generateText(chat gpt-5(attempt(connect)))")
      assert.deepStrictEqual([span("chat gpt-5").status, span("attempt").status], ["unset", "unset"])
    }).pipe(isolated))

  it.live.each([["a stream", streamed], ["an answer in one piece", whole]] as const)(
    "of %s that is revoked",
    ([, call]) =>
      Effect.gen(function*() {
        const { span } = treeOf(
          yield* told((provider) =>
            Effect.gen(function*() {
              const fiber = yield* Effect.forkChild(call)
              yield* provider.until(({ inFlight }) => inFlight === 1)
              yield* SessionRegistry.revoke({ kind: "call" }, { reason: "enough" })
              yield* Fiber.await(fiber)
            }), [Behavior.stall])
        )
        assert.deepStrictEqual(
          [span("chat gpt-5").status, span("chat gpt-5").attributes["error.type"]],
          ["error", "SessionRevoked"]
        )
      }).pipe(isolated)
  )

  it.live("of a call with several attempts, each with its own subtree", () =>
    Effect.gen(function*() {
      const { shape, span } = treeOf(
        yield* told(() => streamed, [VendorErrors.named("openai.server_error"), answer], {
          retry: Retry.jittered({ base: 0 })
        })
      )
      assert.match(
        shape,
        /^LanguageModel.streamText\(chat gpt-5\(attempt\(connect\) attempt\((connect )?first token stream\)\)\)$/
      )
      assert.deepStrictEqual([span("chat gpt-5").status, span("attempt").status], ["ok", "error"])
    }).pipe(isolated))

  it.live("of each of several calls that wait for one connection", () =>
    Effect.gen(function*() {
      const receiver = yield* told(
        () => Effect.all([streamed, streamed, streamed], { concurrency: "unbounded" }),
        [answer, answer, answer],
        { connections: 1 }
      )
      const shapes = Receiver.trees(receiver.spans).map(Receiver.shape).toSorted()
      assert.deepStrictEqual(shapes, [
        "LanguageModel.streamText(chat gpt-5(attempt(connect first token stream)))",
        "LanguageModel.streamText(chat gpt-5(attempt(wait first token stream)))",
        "LanguageModel.streamText(chat gpt-5(attempt(wait first token stream)))"
      ])
    }).pipe(isolated))

  it.live("below the caller's span", () =>
    Effect.gen(function*() {
      const { shape } = treeOf(yield* told(() => Effect.withSpan(streamed, "job"), [answer]))
      assert.strictEqual(shape, "job(LanguageModel.streamText(chat gpt-5(attempt(connect first token stream))))")
    }).pipe(isolated))
})

/** Starts a program that streams, sends it SIGTERM once the provider answers, and tells how it ended. */
const terminated = Effect.fnUntraced(function*(behavior: Behavior.Behavior) {
  const provider = yield* FaultyProvider.make()
  yield* provider.enqueue(behavior)
  const receiver = yield* Receiver.make()
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(
        execPath,
        ["--conditions=@clawback/source", `${import.meta.dirname}/support/tracedServer.ts`, provider.url, receiver.url],
        { stdio: ["ignore", "ignore", "inherit"] }
      )
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const exited = once(child, "exit")
  yield* provider.untilRequest(({ headAt, state }) => headAt !== undefined && state === "answering", "20 seconds")
  child.kill("SIGTERM")
  const [code] = yield* Effect.promise(() => exited)
  return { code, ...treeOf(receiver) }
})

describe("one tree of spans for a call during a shutdown", () => {
  it.live("of a call that ends in the drain", () =>
    Effect.gen(function*() {
      const { code, shape, span } = yield* terminated(Behavior.delayedAfterHead(answer, "200 millis"))
      assert.strictEqual(shape, "LanguageModel.streamText(chat gpt-5(attempt(connect first token stream)))")
      assert.deepStrictEqual([code, span("chat gpt-5").status], [0, "ok"])
    }), 30_000)

  it.live("of a call that is interrupted after the drain", () =>
    Effect.gen(function*() {
      const { code, shape, span } = yield* terminated(Answers.endless)
      assert.strictEqual(shape, "LanguageModel.streamText(chat gpt-5(attempt(connect first token stream)))")
      const { attributes, status } = span("chat gpt-5")
      assert.deepStrictEqual([code, status, attributes["error.type"]], [143, "error", "SessionRevoked"])
    }), 30_000)
})
