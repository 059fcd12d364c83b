/** Credentials that fail, are wiped and are echoed; embeddings of all kinds; telemetry that breaks. */
import { Caller, Credential, Retry, SessionLog, SessionRegistry } from "@clawback/core"
import * as HttpClientView from "@clawback/core/HttpClientView"
import { NodeTransport } from "@clawback/node"
import { EmbeddingTarget, OpenAi, OpenAiChat, OpenAiEmbeddings, ProviderError, Target } from "@clawback/providers"
import { Prometheus, TelemetryOtlp } from "@clawback/telemetry"
import { Behavior, Dialect, FaultyProvider } from "@clawback/testing"
import { describe } from "@effect/vitest"
import {
  Cause,
  ConfigProvider,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Metric,
  Redacted,
  Result,
  Stream,
  Tracer
} from "effect"
import { EmbeddingModel, LanguageModel } from "effect/ai"
import { HttpRouter } from "effect/http"
import { inspect } from "node:util"
import { httpRequest } from "../../support/httpRequest.ts"
import {
  endless,
  eventually,
  expect,
  holds,
  http,
  idle,
  modelAt,
  outcome,
  program,
  promptly,
  secret,
  speaking
} from "./support.ts"

const ask = { messages: [{ role: "user", content: "Why?" }] } as const

/** A credential whose leases are what `lease` says of the n-th. */
const leasing = (lease: (n: number) => Credential.Identity["lease"]): Credential.Credential => {
  let n = 0
  return {
    name: "ours",
    open: Effect.succeed({
      identity: Effect.succeed({ name: "ours", group: "ours", lease: Effect.suspend(() => lease(++n)) })
    })
  }
}
const key = Redacted.make(secret)
const unavailable = new Credential.CredentialUnavailable({ credential: "ours", cause: "expired" })

const shown = (value: unknown) =>
  [String(value), JSON.stringify(value), inspect(value, { depth: 12, showHidden: true })].join(" ")

describe("credentials", () => {
  program(
    "a credential that fails at the third lease fails that call alone, typed, on both faces",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking()
        const credential = leasing((n) => n % 3 === 0 ? Effect.fail(unavailable) : Effect.succeed(key))
        const context = yield* Layer.build(modelAt(provider, { credential }, { connections: 1 }))
        const got = yield* Effect.forEach(
          Array.from({ length: 7 }),
          () => outcome(promptly("a call")(Target.generate(ask)))
        ).pipe(
          Effect.provideContext(context)
        )
        expect(got).toEqual([
          "success",
          "success",
          "CredentialUnavailable",
          "success",
          "success",
          "CredentialUnavailable",
          "success"
        ])
        const text = LanguageModel.generateText({ prompt: "x" }).pipe(ProviderError.precise)
        yield* Effect.provideContext(text, context)
        expect(yield* outcome(Effect.provideContext(text, context))).toBe("CredentialUnavailable")
      })
  )

  program(
    "a credential that fails for the second attempt ends the retries with its own error",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking({ say: () => Behavior.status(503, { body: "busy" }) })
        const credential = leasing((n) => n === 2 ? Effect.fail(unavailable) : Effect.succeed(key))
        const got = yield* outcome(Target.generate(ask)).pipe(
          Effect.provide(modelAt(provider, { credential, retry: Retry.jittered({ attempts: 5, base: "1 millis" }) }))
        )
        expect(got).toBe("CredentialUnavailable")
        expect((yield* provider.counts).received).toBe(1)
      })
  )

  program("what a lease holds is given back once for each call, however the call ends", () =>
    Effect.gen(function*() {
      let open = 0
      let taken = 0
      const credential = leasing(() =>
        Effect.acquireRelease(Effect.sync(() => (open++, taken++, key)), () => Effect.sync(() => open--))
      )
      let n = 0
      const says = [
        "fine",
        endless,
        Behavior.reset,
        Behavior.status(500, { body: "x" }),
        Behavior.malformedJson(),
        Behavior.stall
      ]
      const provider = yield* speaking({ say: () => says[n++] ?? "fine" })
      const context = yield* Layer.build(modelAt(provider, { credential, timeouts: { total: "300 millis" } }))
      for (const _ of says) {
        yield* outcome(Stream.runDrain(Stream.take(Target.stream(ask), 3))).pipe(Effect.provideContext(context))
      }
      const interrupted = yield* Effect.forkChild(Effect.provideContext(Target.generate(ask), context), {
        startImmediately: true
      })
      yield* Fiber.interrupt(interrupted)
      expect(open).toBe(0)
      expect(taken).toBeGreaterThanOrEqual(says.length)
    }))

  program("a lease that never comes is cut by the limit of the whole call, on both ways", () =>
    Effect.gen(function*() {
      const provider = yield* speaking()
      const layer = modelAt(provider, { credential: leasing(() => Effect.never), timeouts: { total: "60 millis" } })
      const context = yield* Layer.build(layer)
      expect(yield* outcome(promptly("generate")(Effect.provideContext(Target.generate(ask), context)))).toBe(
        "DeadlineExceeded"
      )
      expect(yield* outcome(promptly("stream")(Effect.provideContext(Stream.runDrain(Target.stream(ask)), context))))
        .toBe("DeadlineExceeded")
      expect((yield* provider.counts).received).toBe(0)
    }))

  program("a lease that dies is a defect of that call, and the next is served", () =>
    Effect.gen(function*() {
      const provider = yield* speaking()
      const credential = leasing((n) => n === 1 ? Effect.die(new Error("vault")) : Effect.succeed(key))
      const context = yield* Layer.build(modelAt(provider, { credential }, { connections: 1 }))
      expect(yield* outcome(promptly("a call")(Effect.provideContext(Target.generate(ask), context)))).toContain(
        "vault"
      )
      expect(yield* outcome(promptly("the next")(Effect.provideContext(Target.generate(ask), context)))).toBe("success")
    }))

  program(
    "a key that is wiped in the middle of a call lets that call end, and the next fail with CredentialUnavailable",
    () =>
      Effect.gen(function*() {
        const own = Redacted.make(secret)
        const provider = yield* speaking({ every: "2 millis", pieceSize: 4 })
        const context = yield* Layer.build(modelAt(provider, { credential: Credential.redacted("own", own) }))
        let wiped = 0
        const first = yield* outcome(
          Stream.runForEach(Target.stream(ask), () => Effect.sync(() => wiped++ === 0 && Redacted.wipeUnsafe(own)))
        ).pipe(Effect.provideContext(context))
        expect(first).toBe("success")
        expect(yield* outcome(Effect.provideContext(Target.generate(ask), context))).toBe("CredentialUnavailable")
      })
  )

  for (
    const [what, bad] of [["a line break", "sk-a\r\nx-evil: 1"], ["a zero byte", "sk-a\u0000b"], [
      "letters beyond Latin",
      "sk-\u4e2d"
    ]]
  ) {
    program(
      `a key with ${what} is a typed error that does not show it, and nothing is sent`,
      () =>
        Effect.gen(function*() {
          const provider = yield* speaking()
          const credential = Credential.redacted("own", Redacted.make(bad ?? ""))
          const asked = Target.generate(ask).pipe(Effect.provide(modelAt(provider, { credential })))
          const exit = yield* Effect.exit(asked)
          expect(["InvalidRequest", "CredentialUnavailable"]).toContain(yield* outcome(exit))
          expect(Exit.isFailure(exit) ? shown(exit.cause) : "").not.toContain(bad)
          expect((yield* provider.counts).received).toBe(0)
        })
    )
  }

  program(
    "a blank key from the configuration fails when the layer is built, and one with a line end is trimmed",
    () =>
      Effect.gen(function*() {
        const seen: Array<unknown> = []
        const provider = yield* speaking({
          say: (_, { headers }) => {
            seen.push(headers["authorization"])
            return "x"
          }
        })
        const asked = (value: string) =>
          outcome(
            Target.generate(ask).pipe(
              Effect.provide(
                OpenAi.layer({ model: "m", baseUrl: `${provider.url}/v1`, credential: Credential.config("KEY") }).pipe(
                  Layer.provide(NodeTransport.layer())
                )
              ),
              Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown({ KEY: value }))
            )
          )
        expect(yield* asked("  \n")).toBe("CredentialUnavailable")
        expect(yield* asked(`${secret}\n`)).toBe("success")
        expect(seen).toEqual([`Bearer ${secret}`])
      })
  )

  program("a provider that echoes the key everywhere shows it nowhere", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const spans: Array<unknown> = []
      const logger = Logger.layer([
        Logger.make((options) => void lines.push(shown(options.message), Cause.pretty(options.cause)))
      ])
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          spans.push(span)
          return span
        }
      })
      const escaped = [...secret].map((c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).join("")
      const says: ReadonlyArray<Behavior.Behavior> = [
        Behavior.status(401, {
          body: { error: { message: `bad key ${secret}`, code: secret, type: secret, param: secret } },
          headers: { "x-request-id": secret }
        }),
        Behavior.status(500, { body: `stack: Bearer ${secret}` }),
        Behavior.bytes(`{"error":{"message":"${escaped}"}}`, {
          status: 400,
          headers: { "content-type": "application/json" }
        }),
        Behavior.bytes(`<html>${secret}</html>`),
        Behavior.json({ id: secret, model: secret, choices: secret }),
        Behavior.status(429, { body: { error: { message: secret } }, headers: { "retry-after": secret } }),
        Behavior.status(400, {
          body: { error: { message: `Bearer%20${encodeURIComponent(secret)}`, code: { nested: [secret] } } }
        }),
        Behavior.sse([{ data: { error: { message: secret, code: secret } } }]),
        Behavior.sse([{ event: secret, data: `not json ${secret}` }]),
        Behavior.status(403, { body: { [secret]: secret } })
      ]
      for (const behavior of says) {
        const provider = yield* FaultyProvider.make({ otherwise: behavior })
        const run = Effect.gen(function*() {
          const got: ReadonlyArray<Exit.Exit<unknown, unknown>> = [
            yield* Effect.exit(Target.generate(ask)),
            yield* Effect.exit(Stream.runDrain(Target.stream(ask))),
            yield* Effect.exit(LanguageModel.generateText({ prompt: "x" }))
          ]
          for (const exit of got) {
            expect(Exit.isFailure(exit)).toBe(true)
            if (Exit.isFailure(exit)) {
              yield* Effect.logError("failed", exit.cause)
              expect(`${shown(exit.cause)} ${Cause.pretty(exit.cause)}`).not.toContain(secret)
            }
          }
          for (const session of yield* SessionRegistry.list()) expect(shown(session)).not.toContain(secret)
          expect(yield* Prometheus.format).not.toContain(secret)
        })
        yield* run.pipe(
          Effect.withSpan("all"),
          Effect.provide(modelAt(provider).pipe(Layer.provideMerge(SessionLog.layer()))),
          Effect.provide(logger),
          Effect.provideService(Tracer.Tracer, tracer)
        )
      }
      expect(lines.join("\n")).not.toContain(secret)
      expect(inspect(spans, { depth: 6 })).not.toContain(secret)
    }))

  program("a query of the base URL that is a secret is in no error, session or metric", () =>
    Effect.gen(function*() {
      const provider = yield* speaking({ say: () => Behavior.status(500, { body: `GET /v1?sig=${secret}` }) })
      const layer = modelAt(provider, {
        baseUrl: `${provider.url}/v1?sig=${secret}`,
        credential: Dialect.credential("another-key")
      })
      yield* Effect.gen(function*() {
        const exit = yield* Effect.exit(Target.generate(ask))
        expect(Exit.isFailure(exit) ? shown(exit.cause) : "").not.toContain(secret)
        expect(shown(yield* SessionRegistry.list())).not.toContain(secret)
        expect(yield* Prometheus.format).not.toContain(secret)
      }).pipe(Effect.provide(layer))
    }))
})

const embeddings = (provider: { url: string }, options: Partial<OpenAi.EmbeddingOptions> = {}) =>
  OpenAi.embeddingLayer({
    model: "e",
    baseUrl: `${provider.url}/v1`,
    credential: Dialect.credential(secret),
    ...options
  })
    .pipe(Layer.provide(NodeTransport.layer({ connections: 2 })))

const vector = (more: object) => ({
  object: "list",
  model: "e",
  data: [{ object: "embedding", index: 0, embedding: [1, 2], ...more }]
})

describe("embeddings", () => {
  program(
    "three hundred texts at once are answered each with its own vector, half of the askers gone",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking({ embed: (text) => [Number(text), 1] })
        yield* Effect.gen(function*() {
          const model = yield* EmbeddingModel.EmbeddingModel
          const asking = yield* Effect.forEach(
            Array.from({ length: 300 }, (_, n) => n),
            (n) => Effect.forkChild(model.embed(String(n)))
          )
          yield* Effect.forEach(asking, (fiber, n) => n % 2 === 0 ? Fiber.interrupt(fiber) : Effect.void)
          for (const [n, fiber] of asking.entries()) {
            if (n % 2 === 1) expect((yield* promptly("a vector")(Fiber.join(fiber))).vector[0]).toBe(n)
          }
        }).pipe(Effect.provide(embeddings(provider)))
        yield* idle(provider)
      })
  )

  program("texts of two tenants are never in one request", () =>
    Effect.gen(function*() {
      const seen: Array<ReadonlyArray<unknown>> = []
      const provider = yield* speaking({
        embed: (_, { input }) => {
          seen.push(input)
          return [1]
        }
      })
      yield* Effect.gen(function*() {
        const model = yield* EmbeddingModel.EmbeddingModel
        yield* Effect.forEach(
          Array.from({ length: 20 }, (_, n) => n),
          (n) =>
            Caller.provide({ tenant: n % 2 === 0 ? "even" : "odd" })(
              model.embed(`${n % 2 === 0 ? "even" : "odd"} ${n}`)
            ),
          { concurrency: "unbounded" }
        )
      }).pipe(Effect.provide(embeddings(provider)))
      for (const input of seen) expect(new Set(input.map((text) => String(text).split(" ")[0])).size).toBe(1)
    }))

  program("nothing to embed is nothing sent, by embedMany and by embed of no input", () =>
    Effect.gen(function*() {
      const provider = yield* speaking()
      yield* Effect.gen(function*() {
        const model = yield* EmbeddingModel.EmbeddingModel
        expect((yield* model.embedMany([])).embeddings).toEqual([])
        const got = yield* outcome(promptly("an empty request")(EmbeddingTarget.embed({ input: [] })))
        expect(["success", "RequestRejected", "Unsupported", "InvalidResponse"]).toContain(got)
      }).pipe(Effect.provide(embeddings(provider)))
    }))

  for (
    const [what, answer] of [
      ["too few vectors", { ...vector({}), data: [] }],
      ["too many vectors", { ...vector({}), data: [...vector({}).data, { index: 1, embedding: [1] }] }],
      ["an index twice", { ...vector({}), data: [...vector({}).data, ...vector({}).data] }],
      ["an index out of range", vector({ index: 7 })],
      ["a negative index", vector({ index: -1 })],
      ["an index that is no whole number", vector({ index: 0.5 })],
      ["a vector of texts", vector({ embedding: ["1"] })],
      ["a vector that is null", vector({ embedding: null })],
      ["base64 that is none", vector({ embedding: "!!!" })],
      ["base64 of half a number", vector({ embedding: "AAA=" })],
      ["no data", { object: "list" }],
      ["an error", { error: { message: "no" } }]
    ] as const
  ) {
    program(`an answer with ${what} is a typed error on both faces`, () =>
      Effect.gen(function*() {
        const provider = yield* FaultyProvider.make({ otherwise: Behavior.json(answer) })
        yield* Effect.gen(function*() {
          const model = yield* EmbeddingModel.EmbeddingModel
          const tag = yield* outcome(promptly("a call")(EmbeddingTarget.embed({ input: ["x"] })))
          expect(["InvalidResponse", "ProviderFailed", "RequestRejected"]).toContain(tag)
          expect(yield* outcome(promptly("embed")(model.embed("x").pipe(ProviderError.precise)))).toBe(tag)
          expect(yield* outcome(promptly("embedMany")(model.embedMany(["x"]).pipe(ProviderError.precise)))).toBe(tag)
        }).pipe(Effect.provide(embeddings(provider)))
      }))
  }

  program(
    "numbers that are no numbers in base64 are read or refused, not taken for an answer of another length",
    () =>
      Effect.gen(function*() {
        const bytes = Buffer.from(new Float32Array([Number.NaN, Infinity, 1]).buffer).toString("base64")
        const decoded = OpenAiEmbeddings.protocol.decodeResponse({ provider: "p", redact: (text) => text }, {
          status: 200,
          headers: {},
          body: JSON.stringify(vector({ embedding: bytes }))
        })
        if (Result.isSuccess(decoded)) expect(decoded.success.embeddings[0]).toHaveLength(3)
        else expect(decoded.failure._tag).toBe("InvalidResponse")
        yield* Effect.void
      })
  )

  program(
    "a layer of embeddings that closes while a batch is under way ends all who wait, typed",
    () =>
      Effect.gen(function*() {
        const provider = yield* FaultyProvider.make({ otherwise: Behavior.stall })
        const asking = yield* Effect.scoped(Effect.gen(function*() {
          const context = yield* Layer.build(embeddings(provider))
          const fibers = yield* Effect.forEach([1, 2, 3], (n) =>
            Effect.forkDetach(
              Effect.provideContext(
                Effect.flatMap(EmbeddingModel.EmbeddingModel, (model) => outcome(model.embed(String(n)))),
                context
              )
            ))
          yield* provider.until(({ inFlight }) => inFlight === 1)
          return fibers
        }))
        const got = yield* promptly("all")(Effect.forEach(asking, Fiber.join))
        expect(new Set(got)).toEqual(new Set(["AiError"]))
        yield* holds({})
      })
  )

  program("a row whose request may hold next to nothing still sends every text once", () =>
    Effect.gen(function*() {
      let texts = 0
      const provider = yield* speaking({ embed: () => (texts++, [1]) })
      const target = EmbeddingTarget.make(
        { ...OpenAi.provider, limits: { embeddings: { inputs: 1, tokens: 1 } } },
        "e",
        {
          baseUrl: `${provider.url}/v1`,
          credential: Dialect.credential(secret)
        }
      )
      const { embeddings: vectors } = yield* Effect.flatMap(
        EmbeddingModel.EmbeddingModel,
        (model) => model.embedMany(["a", "b", "a long text", "a"])
      ).pipe(
        Effect.provide(EmbeddingTarget.layer(target).pipe(Layer.provide(NodeTransport.layer())))
      )
      expect(vectors).toHaveLength(4)
      expect(texts).toBe(4)
    }))
})

describe("codecs by themselves", () => {
  const peer = { provider: "p", redact: (text: string) => text }

  program(
    "a decoder that is pushed after its end, ended twice, or given nothing, does no harm",
    () =>
      Effect.sync(() => {
        const decoder = OpenAiChat.protocol.makeDecoder(peer)
        decoder.push(new Uint8Array(0))
        decoder.end()
        expect(decoder.failure?._tag).toBe("StreamTruncated")
        expect(decoder.push(new TextEncoder().encode("data: {}\n\n"))).toEqual([])
        expect(decoder.end()).toEqual([])
      })
  )

  program(
    "a decoder is not made slow by a megabyte of one-byte pushes, or a long line in small pieces",
    () =>
      Effect.sync(() => {
        const decoder = OpenAiChat.protocol.makeDecoder(peer)
        const started = performance.now()
        const piece = new TextEncoder().encode("data: ".padEnd(64, "x"))
        for (let n = 0; n < 16_000; n++) decoder.push(piece)
        decoder.end()
        expect(performance.now() - started).toBeLessThan(5000)
      })
  )

  program("a redact that throws is a defect or an error, but no hang of a decoder", () =>
    Effect.sync(() => {
      const decoder = OpenAiChat.protocol.makeDecoder({
        provider: "p",
        redact: () => {
          throw new Error("redact")
        }
      })
      expect(() => {
        decoder.push(new TextEncoder().encode("data: nonsense\n\n"))
        decoder.end()
      }).not.toThrow(TypeError)
    }))

  program("requests that no client should send are RequestInvalid with a path, never a throw", () =>
    Effect.sync(() => {
      for (
        const body of [
          "",
          "null",
          "[]",
          "17",
          "\"x\"",
          "{}",
          "{\"model\":1}",
          "{\"model\":\"m\",\"messages\":{}}",
          "{\"model\":\"m\",\"messages\":[null]}",
          "{\"model\":\"m\",\"messages\":[{\"role\":\"king\"}]}",
          "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}",
          "{\"model\":\"m\",\"messages\":[],\"tools\":[1]}",
          `{"model":"m","messages":${"[".repeat(600)}${"]".repeat(600)}}`,
          "{\"__proto__\":null}"
        ]
      ) {
        const decoded = OpenAiChat.protocol.decodeRequest(httpRequest(body))
        expect(Result.isFailure(decoded) && decoded.failure._tag).toBe("RequestInvalid")
      }
    }))
})

const broken = (part: "span" | "end" | "attribute" | "event"): Tracer.Tracer =>
  Tracer.make({
    span: (options) => {
      if (part === "span") throw new Error("broken tracer")
      const span = new Tracer.NativeSpan(options)
      return Object.assign(span, {
        [part]: () => {
          throw new Error("broken tracer")
        }
      })
    }
  })

const build = (options: Partial<TelemetryOtlp.Options>) =>
  Effect.exit(
    Layer.build(
      TelemetryOtlp.layer({ baseUrl: "http://127.0.0.1:9", serviceName: "x", ...options }).pipe(
        Layer.provide(HttpClientView.layerHttpClient),
        Layer.provide(NodeTransport.layer())
      )
    )
  )

describe("telemetry", () => {
  for (const part of ["span", "end", "attribute", "event"] as const) {
    program(
      `a tracer whose ${part} throws costs a call its defect at most: nothing hangs and nothing is held`,
      () =>
        Effect.gen(function*() {
          const provider = yield* speaking()
          const context = yield* Layer.build(
            modelAt(provider, { timeouts: { queue: "200 millis" } }, { connections: 1 })
          )
          for (let n = 0; n < 3; n++) {
            const runs: ReadonlyArray<Effect.Effect<unknown, unknown, Target.ChatModel | LanguageModel.LanguageModel>> =
              [
                Target.generate(ask),
                Stream.runDrain(Target.stream(ask)),
                LanguageModel.generateText({ prompt: "x" })
              ]
            for (const run of runs) {
              yield* outcome(promptly("a call", "3 seconds")(run)).pipe(
                Effect.provideContext(context),
                Effect.provideService(Tracer.Tracer, broken(part))
              )
            }
          }
          const got = yield* outcome(
            promptly("a call without it", "3 seconds")(Effect.provideContext(Target.generate(ask), context))
          )
          expect(got).toBe("success")
          yield* eventually(
            SessionRegistry.counts,
            (counts) => counts["call"] === undefined && counts["exchange"] === undefined
          )
          yield* idle(provider)
        })
    )
  }

  program(
    "a thousand models make no thousand series, and what is beyond the bound is told as one",
    () =>
      Effect.gen(function*() {
        const registry: Effect.Success<typeof Metric.MetricRegistry> = new Map()
        const provider = yield* speaking()
        yield* Effect.gen(function*() {
          const transport = yield* Layer.build(NodeTransport.layer())
          yield* Effect.forEach(
            Array.from({ length: 1000 }, (_, n) => n),
            (n) =>
              Effect.scoped(Effect.flatMap(
                Target.open(
                  OpenAi.target(`model-${n}`, { baseUrl: `${provider.url}/v1`, credential: Dialect.credential(secret) })
                ),
                (model) => n % 20 === 0 ? Effect.asVoid(model.generate(ask)) : Effect.void
              )),
            { concurrency: 20 }
          ).pipe(Effect.provideContext(transport))
        }).pipe(Effect.scoped, Effect.provideService(Metric.MetricRegistry, registry))
        expect(registry.size).toBeLessThan(1000)
      })
  )

  program("a model that answers under a thousand names makes no thousand series", () =>
    Effect.gen(function*() {
      const registry: Effect.Success<typeof Metric.MetricRegistry> = new Map()
      let n = 0
      const provider = yield* speaking({ say: () => ({ ...Dialect.answer("x"), model: `dated-${n++}` }) })
      yield* Effect.gen(function*() {
        const context = yield* Layer.build(modelAt(provider))
        yield* Effect.forEach(Array.from({ length: 150 }), () => Effect.provideContext(Target.generate(ask), context), {
          concurrency: 10
        })
      }).pipe(Effect.scoped, Effect.provideService(Metric.MetricRegistry, registry))
      expect(registry.size).toBeLessThan(150)
    }))

  program(
    "names of models with quotes, line breaks and backslashes do not break Prometheus' lines",
    () =>
      Effect.gen(function*() {
        const registry: Effect.Success<typeof Metric.MetricRegistry> = new Map()
        const provider = yield* speaking()
        const text = yield* Effect.gen(function*() {
          for (const model of ["a\"b", "a\nevil_metric 1", "a\\", "a}b{", "\u4e2d"]) {
            const context = yield* Layer.build(modelAt(provider, { model }))
            yield* Effect.provideContext(Target.generate(ask), context)
          }
          return yield* Prometheus.format
        }).pipe(Effect.scoped, Effect.provideService(Metric.MetricRegistry, registry))
        for (const line of text.split("\n")) {
          expect(line).toMatch(
            /^$|^#|^[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\\n]|\\["\\n])*",?)*\})? \S+( \d+)?$/
          )
        }
        expect(text).not.toMatch(/^evil_metric/m)
      })
  )

  program("a path of Prometheus that is none is a RangeError", () =>
    Effect.gen(function*() {
      const got = yield* outcome(
        Layer.build(Prometheus.layer({ path: "metrics" as never })).pipe(
          Effect.provide(HttpRouter.layer)
        )
      )
      expect(got).toContain("path")
    }))

  for (const what of ["is away", "resets", "is silent", "answers 500", "answers garbage"] as const) {
    program(`a collector that ${what} makes no call fail, and does not hold up the end`, () =>
      Effect.gen(function*() {
        const collector = yield* FaultyProvider.make({
          otherwise: what === "resets" ? Behavior.reset : what === "is silent" ?
            Behavior.stall
            : what === "answers 500"
            ? Behavior.status(500)
            : Behavior.raw("garbage")
        })
        if (what === "is away") yield* collector.listening("refuse")
        const provider = yield* speaking()
        const telemetry = TelemetryOtlp.layer({
          baseUrl: collector.url,
          serviceName: "hostile",
          interval: "5 millis",
          metricsInterval: "5 millis",
          shutdownTimeout: "100 millis",
          headers: { authorization: Redacted.make(secret) }
        }).pipe(
          Layer.provide(HttpClientView.layerHttpClient),
          Layer.provide(NodeTransport.layer({ closeTimeout: "200 millis" }))
        )
        const lines: Array<string> = []
        const logger = Logger.layer([
          Logger.make((options) => void lines.push(shown(options.message), Cause.pretty(options.cause)))
        ])
        const got = yield* promptly("all of it")(
          Effect.gen(function*() {
            const context = yield* Layer.build(modelAt(provider))
            const got: Array<string> = []
            for (let n = 0; n < 5; n++) got.push(yield* outcome(Effect.provideContext(Target.generate(ask), context)))
            yield* Effect.sleep("30 millis")
            return got
          }).pipe(Effect.scoped, Effect.withSpan("all"), Effect.provide(telemetry), Effect.provide(logger))
        )
        expect(new Set(got)).toEqual(new Set(["success"]))
        expect(lines.join("\n")).not.toContain(secret)
      }))
  }

  program(
    "a telemetry that is sent over the very transport that it tells of does not feed itself without end",
    () =>
      Effect.gen(function*() {
        let received = 0
        const collector = yield* http((request, response) => {
          received++
          request.resume().on("end", () => response.end("{}"))
        })
        const telemetry = TelemetryOtlp.layer({
          baseUrl: collector.url,
          serviceName: "x",
          interval: "20 millis",
          metricsInterval: "1 hour"
        })
          .pipe(Layer.provide(HttpClientView.layerHttpClient), Layer.provideMerge(NodeTransport.layer()))
        yield* Effect.sleep("300 millis").pipe(Effect.withSpan("idle"), Effect.provide(telemetry))
        expect(received).toBeLessThan(40)
      })
  )

  program(
    "options of telemetry that are wrong are defects or typed, name the option, and show no secret",
    () =>
      Effect.gen(function*() {
        const wrong: ReadonlyArray<[string, Partial<TelemetryOtlp.Options>]> = [
          ["baseUrl", { baseUrl: `http://u:${secret}@h` }],
          ["baseUrl", { baseUrl: `http://h?key=${secret}` }],
          ["baseUrl", { baseUrl: "" }],
          ["serviceName", { serviceName: " " }],
          ["interval", { interval: 0 }],
          ["metricsInterval", { metricsInterval: "soon" as never }],
          ["shutdownTimeout", { shutdownTimeout: -1 }],
          ["format", { format: "xml" as never }],
          ["headers", { headers: { authorization: `${secret}\r\nx: y` } }],
          ["headers", { headers: { "a b": "x" } }]
        ]
        for (const [name, options] of wrong) {
          const exit = yield* build(options)
          expect(Exit.isFailure(exit)).toBe(true)
          if (Exit.isFailure(exit)) {
            expect(Cause.pretty(exit.cause)).toContain(name)
            expect(shown(exit.cause)).not.toContain(secret)
          }
        }
      })
  )
})
