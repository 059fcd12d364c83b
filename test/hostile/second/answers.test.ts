/** Providers that answer with anything, on both faces of a model. */
import { Deadline, Retry, SessionRegistry } from "@clawback/core"
import { NodeTransport } from "@clawback/node"
import { Anthropic, type ChatRequest, type ChatResponse, type OpenAi, ProviderError, Target } from "@clawback/providers"
import { Behavior, Dialect, FaultyProvider } from "@clawback/testing"
import { describe } from "@effect/vitest"
import { Effect, ExecutionPlan, Layer, Schedule, Schema, Stream } from "effect"
import { Fiber } from "effect"
import { Chat, LanguageModel, Model, Prompt, Tool, Toolkit } from "effect/ai"
import { endless, eventually, expect, idle, modelAt, outcome, program, promptly, secret, speaking } from "./support.ts"

const ask = { messages: [{ role: "user", content: "Why?" }] } as const
const chunk = (delta: object, finish: string | null = null) => ({
  id: "1",
  model: "m",
  choices: [{ index: 0, delta, finish_reason: finish }]
})
const whole = (content: string | null, more: object = {}) => ({
  id: "1",
  model: "m",
  choices: [{ index: 0, message: { role: "assistant", content, ...more }, finish_reason: "stop" }]
})

/** Both ways to call, as outcomes. */
const both = (behavior: Behavior.Behavior, options: Parameters<typeof modelAt>[1] = {}) =>
  Effect.gen(function*() {
    const provider = yield* FaultyProvider.make({ otherwise: behavior })
    const got = yield* Effect.all({
      generate: promptly("generate")(outcome(Target.generate(ask))),
      stream: promptly("stream")(outcome(Stream.runDrain(Target.stream(ask)))),
      text: promptly("text")(outcome(LanguageModel.generateText({ prompt: "Why?" }).pipe(ProviderError.precise))),
      parts: promptly("parts")(
        outcome(LanguageModel.streamText({ prompt: "Why?" }).pipe(Stream.runDrain, ProviderError.precise))
      )
    }).pipe(Effect.provide(modelAt(provider, options, { connections: 1 })))
    yield* idle(provider)
    return got
  })

const providerErrors = [
  "InvalidResponse",
  "StreamTruncated",
  "ProviderFailed",
  "RequestRejected",
  "ConnectionLost",
  "BodyTooLarge",
  "ModelNotFound",
  "PermissionDenied",
  "RateLimited",
  "Overloaded",
  "AuthenticationFailed",
  "ContentFiltered",
  "IdleTimeout",
  "FirstTokenTimeout",
  "HeadersTooLarge",
  "RegionBlocked"
]

describe("whatever comes, both faces tell the same typed error", () => {
  const json = { "content-type": "application/json" }
  const cases: ReadonlyArray<readonly [string, Behavior.Behavior]> = [
    ["a page of HTML", Behavior.bytes("<html>hello</html>", { headers: { "content-type": "text/html" } })],
    ["nothing at all", Behavior.bytes("", { headers: json })],
    ["null", Behavior.bytes("null", { headers: json })],
    ["a number", Behavior.bytes("17", { headers: json })],
    ["an empty object", Behavior.json({})],
    ["no choices", Behavior.json({ id: "1", choices: [] })],
    ["choices that are null", Behavior.json({ id: "1", choices: null })],
    ["choices of nulls", Behavior.json({ id: "1", choices: [null] })],
    ["a status 204", Behavior.script("204", [{ _tag: "Head", status: 204, headers: {} }])],
    ["a redirect", Behavior.status(302, { headers: { location: "http://127.0.0.1:9/evil" } })],
    ["a status 304", Behavior.script("304", [{ _tag: "Head", status: 304, headers: {} }])],
    ["a status 600", Behavior.status(600, { body: "?" })],
    ["a status 418 with a body of nulls", Behavior.status(418, { body: null })],
    ["an error with no message", Behavior.status(400, { body: { error: {} } })],
    [
      "an error whose message is an object",
      Behavior.status(400, { body: { error: { message: { a: 1 }, code: [1] } } })
    ],
    ["an error that is a text", Behavior.status(500, { body: { error: "it broke" } })],
    ["an error with status 200", Behavior.json({ error: { message: "no", type: "server_error" } })],
    ["a gzipped body", Behavior.json(whole("x"), { headers: { "content-encoding": "gzip" } })],
    ["JSON nested ten thousand deep", Behavior.bytes("[".repeat(10_000) + "]".repeat(10_000), { headers: json })],
    ["JSON with a prototype", Behavior.bytes("{\"__proto__\":{\"choices\":[]}}", { headers: json })],
    ["JSON that is cut", Behavior.malformedJson()],
    ["a stream that breaks all rules", Behavior.malformedSse],
    ["a stream of nothing", Behavior.sse([])],
    ["a stream of comments only", Behavior.sse([{ comment: "ping" }, { comment: "ping" }])],
    ["a stream that is done at once", Behavior.sse(["[DONE]"])],
    ["a stream of numbers", Behavior.sse(["1", "2", "[DONE]"])],
    ["a stream without a finish and an end", Behavior.sse([{ data: chunk({ content: "a" }) }])],
    ["a body of zero bytes", Behavior.bytes(new Uint8Array(1000), { headers: json })],
    ["half a character", Behavior.bytes(new Uint8Array([0xe2, 0x82]), { headers: json })]
  ]
  for (const [what, behavior] of cases) {
    program(`${what} is a typed error on every way to call, and never an answer`, () =>
      Effect.gen(function*() {
        const got = yield* both(behavior)
        expect(got.generate).toBe(got.text)
        expect(got.stream).toBe(got.parts)
        expect(providerErrors).toContain(got.generate)
        expect(providerErrors).toContain(got.stream)
      }))
  }

  program(
    "a whole answer where a stream was asked for, and a stream where a whole one was, are typed errors",
    () =>
      Effect.gen(function*() {
        const asJson = yield* both(Behavior.json(whole("x")))
        expect(asJson.generate).toBe("success")
        expect(["InvalidResponse", "StreamTruncated", "success"]).toContain(asJson.stream)
        const asStream = yield* both(Behavior.sse([{ data: chunk({ content: "x" }, "stop") }, "[DONE]"]))
        expect(asStream.stream).toBe("success")
        expect(asStream.generate).toBe("InvalidResponse")
      })
  )

  program("a line of twelve million characters without an end is a typed error", () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.make({ otherwise: { ...Behavior.huge(12_000_000), name: "line" } })
      const got = yield* outcome(promptly("the stream")(Stream.runDrain(Target.stream(ask)))).pipe(
        Effect.provide(modelAt(provider))
      )
      expect(providerErrors).toContain(got)
    }))

  program(
    "an answer larger than the transport allows is BodyTooLarge, and the server is left",
    () =>
      Effect.gen(function*() {
        const provider = yield* FaultyProvider.make({ otherwise: Behavior.huge(5_000_000) })
        const layer = modelAt(provider, {}, { maxBodySize: 1000 })
        expect(yield* outcome(Target.generate(ask)).pipe(Effect.provide(layer))).toBe("BodyTooLarge")
        yield* idle(provider)
      })
  )

  program(
    "pings for ever before the first word are cut by firstToken, and after it by idle",
    () =>
      Effect.gen(function*() {
        const pings = Behavior.sse([{ comment: "ping" }], { every: "3 millis", endless: true })
        const first = yield* both(pings, { timeouts: { firstToken: "40 millis", total: "300 millis" } })
        expect(first.stream).toBe("FirstTokenTimeout")
        const after = Behavior.script("after", [
          { _tag: "Head", status: 200, headers: { "content-type": "text/event-stream" } },
          { _tag: "Body", source: { text: Behavior.encodeEvent({ data: chunk({ content: "a" }) }) } },
          { _tag: "Repeat", steps: [{ _tag: "Body", source: { text: ": ping\n\n" } }, { _tag: "Wait", millis: 3 }] }
        ])
        const provider = yield* FaultyProvider.make({ otherwise: after })
        const got = yield* outcome(Stream.runDrain(Target.stream(ask))).pipe(
          Effect.provide(modelAt(provider, { timeouts: { idle: "40 millis" } }))
        )
        expect(got).toBe("IdleTimeout")
        yield* idle(provider)
      })
  )

  program("empty deltas for ever are no output: the stream is cut as idle", () =>
    Effect.gen(function*() {
      const empty = Behavior.sse([{ data: chunk({ content: "" }) }, { data: chunk({}) }], {
        every: "3 millis",
        endless: true
      })
      const got = yield* both(empty, {
        timeouts: { firstToken: "60 millis", idle: "60 millis", total: "400 millis" }
      })
      expect(["FirstTokenTimeout", "IdleTimeout"]).toContain(got.stream)
    }))

  program(
    "a server that goes on after the finish is left within its second, and the answer is whole",
    () =>
      Effect.gen(function*() {
        const after = Behavior.script("after", [
          { _tag: "Head", status: 200, headers: { "content-type": "text/event-stream" } },
          { _tag: "Body", source: { text: Behavior.encodeEvent({ data: chunk({ content: "a" }, "stop") }) } },
          { _tag: "Repeat", steps: [{ _tag: "Body", source: { text: ": ping\n\n" } }, { _tag: "Wait", millis: 5 }] }
        ])
        const provider = yield* FaultyProvider.make({ otherwise: after })
        const events = yield* promptly("the stream", "4 seconds")(Stream.runCollect(Target.stream(ask))).pipe(
          Effect.provide(modelAt(provider))
        )
        expect(events.map(({ _tag }) => _tag)).toContain("Finished")
        yield* idle(provider)
      })
  )

  program("a stream in the strangest legal spelling is read", () =>
    Effect.gen(function*() {
      const data = JSON.stringify(chunk({ content: "hello" }, "stop"))
      const [one, two] = [data.slice(0, data.indexOf(",") + 1), data.slice(data.indexOf(",") + 1)]
      const text = `\uFEFF:hi\r\rretry: 7\rid\rfoo: bar\rdata:${one}\rdata:${two}\r\rdata: [DONE]\r\r`
      const spelled = Behavior.bytes(text, { headers: { "content-type": "Text/Event-Stream; charset=UTF-8" } })
      const provider = yield* FaultyProvider.make({ otherwise: Behavior.inPieces(spelled, 1) })
      const events = yield* Stream.runCollect(Target.stream(ask)).pipe(Effect.provide(modelAt(provider)))
      expect(events.flatMap((event) => event._tag === "TextDelta" ? [event.text] : []).join("")).toBe("hello")
    }))

  program("an error in the middle of a stream comes after what was delivered", () =>
    Effect.gen(function*() {
      const broken = Behavior.sse([
        { data: chunk({ content: "a" }) },
        { data: { error: { message: "overloaded", type: "server_error", code: 503 } } },
        { data: chunk({ content: "b" }, "stop") }
      ])
      const provider = yield* FaultyProvider.make({ otherwise: broken })
      const seen: Array<string> = []
      const got = yield* outcome(
        Stream.runForEach(Target.stream(ask), (event) => Effect.sync(() => seen.push(event._tag)))
      ).pipe(Effect.provide(modelAt(provider)))
      expect(seen.filter((tag) => tag === "TextDelta")).toHaveLength(1)
      expect(providerErrors).toContain(got)
    }))

  for (
    const retryAfter of ["-1", "abc", "1e9", "99999999999999999999", "Thu, 01 Jan 1970 00:00:00 GMT", "", "0.5", "NaN"]
  ) {
    program(
      `a Retry-After of ${JSON.stringify(retryAfter)} makes no call hang or come at once without end`,
      () =>
        Effect.gen(function*() {
          const provider = yield* FaultyProvider.make({
            otherwise: Behavior.status(429, {
              body: { error: { message: "slow down" } },
              headers: { "retry-after": retryAfter }
            })
          })
          const error = yield* promptly("the call")(Effect.flip(Target.generate(ask))).pipe(
            Effect.provide(
              modelAt(provider, { retry: Retry.jittered({ attempts: 3, base: "1 millis", maxRetryAfter: "1 second" }) })
            )
          )
          expect(error._tag).toBe("RateLimited")
          expect((yield* provider.counts).received).toBeLessThanOrEqual(3)
          expect(error.message.length).toBeGreaterThan(10)
        })
    )
  }

  program("hostile rate limit headers do no harm to an answer", () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.make({
        otherwise: Behavior.json(whole("fine"), {
          headers: {
            "x-ratelimit-limit-requests": "-5e999",
            "x-ratelimit-remaining-requests": ["1", "2"],
            "x-ratelimit-reset-requests": "9999999999999999999h",
            "x-ratelimit-reset-tokens": "__proto__",
            "x-request-id": "a".repeat(5000)
          }
        })
      })
      const { text } = yield* LanguageModel.generateText({ prompt: "x" }).pipe(Effect.provide(modelAt(provider)))
      expect(text).toBe("fine")
    }))
})

const Weather = Tool.make("weather", {
  description: "The weather",
  parameters: Schema.Struct({ city: Schema.String }),
  success: Schema.String,
  failure: Schema.String
})
const toolkit = Toolkit.make(Weather)

const calling = (
  calls: ReadonlyArray<{ readonly name: string; readonly arguments: string }>
): ChatResponse.ChatResponse => ({
  id: "1",
  model: "m",
  choices: [{
    content: calls.map((call, n) => ({ type: "tool-call", id: `call-${n}`, ...call })),
    finish: { reason: "tool-calls", raw: "tool_calls" }
  }],
  usage: undefined
})

const last = ({ messages }: ChatRequest.ChatRequest) => messages[messages.length - 1]?.role
const once = (response: ChatResponse.ChatResponse) => (request: ChatRequest.ChatRequest) =>
  last(request) === "tool" ? "done" : response

describe("tools", () => {
  const city = calling([{ name: "weather", arguments: "{\"city\":\"Bergen\"}" }])

  program("a handler that asks the model, over one connection, is answered", () =>
    Effect.gen(function*() {
      const provider = yield* speaking({ say: (request) => request.tools === undefined ? "rain" : once(city)(request) })
      const context = yield* Layer.build(modelAt(provider, {}, { connections: 1 }))
      const handlers = toolkit.toLayer({
        weather: () =>
          Target.generate(ask).pipe(
            Effect.map(({ id }) => id ?? "none"),
            Effect.mapError(({ _tag }) => _tag),
            Effect.provideContext(context)
          )
      })
      const { toolResults } = yield* promptly("the call")(LanguageModel.generateText({ prompt: "x", toolkit })).pipe(
        Effect.provide(handlers),
        Effect.provideContext(context)
      )
      expect(toolResults[0]?.result).toBe("answer-1")
    }))

  program(
    "a handler that asks the model while its stream holds the only connection does not hang",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking({
          say: (request) => request.tools === undefined ? "rain" : once(city)(request)
        })
        const context = yield* Layer.build(modelAt(provider, { timeouts: { queue: "500 millis" } }, { connections: 1 }))
        const handlers = toolkit.toLayer({
          weather: () =>
            Target.generate(ask).pipe(
              Effect.map(({ id }) => id ?? "none"),
              Effect.mapError(({ _tag }) => _tag),
              Effect.provideContext(context)
            )
        })
        const got = yield* outcome(
          promptly("the stream")(
            LanguageModel.streamText({ prompt: "x", toolkit }).pipe(Stream.runDrain)
          )
        ).pipe(Effect.provide(handlers), Effect.provideContext(context))
        expect(["success", "QueueTimeout"]).toContain(got)
        yield* eventually(SessionRegistry.counts, (counts) => counts["call"] === undefined)
      })
  )

  program(
    "a handler that revokes the call it belongs to ends the stream or lets it end, and holds nothing",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking({ say: once(city), every: "1 millis" })
        const handlers = toolkit.toLayer({
          weather: () =>
            Effect.as(
              SessionRegistry.revoke({ kind: "call" }, { reason: "by its tool", deadline: "100 millis" }),
              "rain"
            )
        })
        const got = yield* outcome(
          promptly("the stream")(
            LanguageModel.streamText({ prompt: "x", toolkit }).pipe(Stream.runDrain, ProviderError.precise)
          )
        ).pipe(Effect.provide([handlers, modelAt(provider)]))
        expect(["success", "SessionRevoked"]).toContain(got)
      })
  )

  program(
    "a handler that never ends is interrupted with its reader, and the provider is left",
    () =>
      Effect.gen(function*() {
        let ended = 0
        const provider = yield* speaking({ say: once(city) })
        const handlers = toolkit.toLayer({ weather: () => Effect.ensuring(Effect.never, Effect.sync(() => ended++)) })
        const context = yield* Layer.build(Layer.merge(handlers, modelAt(provider)))
        expect(
          yield* outcome(
            Deadline.within("150 millis")(
              LanguageModel.streamText({ prompt: "x", toolkit }).pipe(Stream.runDrain)
            )
          ).pipe(Effect.provideContext(context))
        ).toBe("DeadlineExceeded")
        expect(
          yield* outcome(
            Deadline.within("150 millis")(
              LanguageModel.generateText({ prompt: "x", toolkit })
            )
          ).pipe(Effect.provideContext(context))
        ).toBe("DeadlineExceeded")
        expect(ended).toBe(2)
        yield* idle(provider)
      })
  )

  program(
    "a handler that dies, or fails, tells so, and the connection is free for the next",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking({ say: once(city) })
        const context = yield* Layer.build(modelAt(provider, {}, { connections: 1 }))
        for (const handler of [Effect.die(new Error("bug")), Effect.fail("no weather")]) {
          const handlers = toolkit.toLayer({ weather: () => handler })
          const run = [
            LanguageModel.generateText({ prompt: "x", toolkit }),
            Stream.runDrain(LanguageModel.streamText({ prompt: "x", toolkit }))
          ]
          for (const one of run) {
            const got = yield* outcome(promptly("the call")(Effect.provide(one, handlers))).pipe(
              Effect.provideContext(context)
            )
            expect(got === "no weather" || got.includes("bug") || got === "success" || got === "AiError").toBe(true)
          }
        }
        yield* promptly("the next")(Effect.provideContext(Target.generate(ask), context))
      })
  )

  for (
    const [what, call] of [
      ["an unknown tool", { name: "nuke", arguments: "{}" }],
      ["arguments that are no JSON", { name: "weather", arguments: "{\"city\":" }],
      ["arguments of another shape", { name: "weather", arguments: "[1,2]" }],
      ["no arguments", { name: "weather", arguments: "" }],
      ["arguments with a prototype", { name: "weather", arguments: "{\"__proto__\":{\"city\":\"x\"}}" }],
      ["an empty name", { name: "", arguments: "{}" }]
    ] as const
  ) {
    program(`a model that calls ${what} is an AiError, not a defect, on both ways`, () =>
      Effect.gen(function*() {
        const provider = yield* speaking({ say: once(calling([call])) })
        const handlers = toolkit.toLayer({ weather: ({ city }) => Effect.succeed(city) })
        const context = yield* Layer.build(Layer.merge(handlers, modelAt(provider)))
        for (
          const run of [
            LanguageModel.generateText({ prompt: "x", toolkit }),
            Stream.runDrain(LanguageModel.streamText({ prompt: "x", toolkit }))
          ]
        ) {
          const got = yield* outcome(promptly("the call")(Effect.provideContext(run, context)))
          expect(["AiError", "success"]).toContain(got)
          expect(got).toBe("AiError")
        }
      }))
  }

  program(
    "two hundred calls in one answer are all handled, and arguments of a megabyte arrive whole",
    () =>
      Effect.gen(function*() {
        const long = "x".repeat(1_000_000)
        const calls = Array.from({ length: 200 }, (_, n) => ({
          name: "weather",
          arguments: JSON.stringify({ city: n === 7 ? long : `c${n}` })
        }))
        const provider = yield* speaking({ say: once(calling(calls)), pieceSize: 5000 })
        let size = 0
        const handlers = toolkit.toLayer({
          weather: ({ city }) =>
            Effect.sync(() => {
              size += city.length
              return "ok"
            })
        })
        const parts = yield* LanguageModel.streamText({ prompt: "x", toolkit, concurrency: "unbounded" }).pipe(
          Stream.filter((part) => part.type === "tool-result"),
          Stream.runCount,
          Effect.provide([handlers, modelAt(provider)])
        )
        expect(parts).toBe(200)
        expect(size).toBeGreaterThan(1_000_000)
      })
  )
})

describe("Effect AI around it", () => {
  program("a chat whose stream is given up goes on, and is not locked", () =>
    Effect.gen(function*() {
      let n = 0
      const provider = yield* speaking({ say: () => n++ === 0 ? endless : "fine" })
      const layer = modelAt(provider)
      yield* Effect.gen(function*() {
        const chat = yield* Chat.fromPrompt("You are brief.")
        yield* chat.streamText({ prompt: "one" }).pipe(Stream.take(3), Stream.runDrain)
        const { text } = yield* promptly("the next turn")(chat.generateText({ prompt: "two" }))
        expect(text).toBe("fine")
        yield* chat.exportJson
      }).pipe(Effect.provide(layer))
    }))

  program(
    "a chat that is interrupted while it waits for its turn is not locked for others",
    () =>
      Effect.gen(function*() {
        let n = 0
        const provider = yield* speaking({ say: () => n++ === 0 ? endless : "fine" })
        yield* Effect.gen(function*() {
          const chat = yield* Chat.empty
          const first = yield* Effect.forkChild(Stream.runDrain(chat.streamText({ prompt: "one" })))
          yield* provider.until(({ inFlight }) => inFlight === 1)
          const second = yield* Effect.forkChild(chat.generateText({ prompt: "two" }))
          yield* Effect.sleep("10 millis")
          yield* promptly("interrupting")(Effect.andThen(Fiber.interrupt(second), Fiber.interrupt(first)))
          yield* promptly("the third")(chat.generateText({ prompt: "three" }))
        }).pipe(Effect.provide(modelAt(provider)))
        yield* idle(provider)
      })
  )

  program(
    "an object that fits no schema is an AiError, and one that does is decoded, over one connection",
    () =>
      Effect.gen(function*() {
        const said = ["{\"name\":1}", "no json", "{\"name\":\"x\",\"more\":[]}", "{\"name\":\"x\"}"]
        let n = 0
        const provider = yield* speaking({ say: () => said[n++] ?? "{}" })
        const schema = Schema.Struct({ name: Schema.String })
        const got = yield* Effect.forEach(said, () => outcome(LanguageModel.generateObject({ prompt: "x", schema })))
          .pipe(
            Effect.provide(modelAt(provider, {}, { connections: 1 }))
          )
        expect(got.slice(0, 2)).toEqual(["AiError", "AiError"])
        expect(got[3]).toBe("success")
      })
  )

  program(
    "a plan moves on to the second provider when the first is overloaded, and holds nothing of the first",
    () =>
      Effect.gen(function*() {
        const bad = yield* speaking({ say: () => Behavior.status(503, { body: { error: { message: "busy" } } }) })
        const good = yield* speaking()
        const plan = ExecutionPlan.make(
          { provide: modelAt(bad), attempts: 3, schedule: Schedule.spaced("1 millis") },
          { provide: modelAt(good) }
        )
        const { text } = yield* Effect.withExecutionPlan(LanguageModel.generateText({ prompt: "x" }), plan)
        expect(text).toContain("Because")
        expect((yield* bad.counts).received).toBe(3)
        yield* bad.until(({ open }) => open === 0)
        const parts = yield* Stream.withExecutionPlan(LanguageModel.streamText({ prompt: "x" }), plan).pipe(
          Stream.runCount
        )
        expect(parts).toBeGreaterThan(2)
        yield* bad.until(({ open }) => open === 0)
        yield* good.until(({ open }) => open === 0)
      })
  )

  program("a plan whose first provider hangs is moved on by a deadline of its step", () =>
    Effect.gen(function*() {
      const bad = yield* speaking({ say: () => Behavior.stall })
      const good = yield* speaking()
      const plan = ExecutionPlan.make(
        { provide: modelAt(bad, { timeouts: { total: "60 millis" } }) },
        { provide: modelAt(good) }
      )
      const { text } = yield* promptly("the call")(
        Effect.withExecutionPlan(LanguageModel.generateText({ prompt: "x" }), plan)
      )
      expect(text).toContain("Because")
      yield* bad.until(({ open, aborted }) => open === 0 && aborted === 1)
    }))

  program(
    "a model with a name of Effect's own kind is provided to an effect and closed with it",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking()
        const model = Model.make("openai", "m", modelAt(provider).pipe(Layer.orDie))
        for (let n = 0; n < 5; n++) yield* LanguageModel.generateText({ prompt: "x" }).pipe(Effect.provide(model))
        yield* provider.until(({ open }) => open === 0)
      })
  )

  program("a prompt of ten megabytes arrives whole", () =>
    Effect.gen(function*() {
      let size = 0
      const provider = yield* speaking({
        say: ({ messages }) => {
          size = JSON.stringify(messages).length
          return "read"
        }
      })
      const { text } = yield* LanguageModel.generateText({ prompt: "y".repeat(10_000_000) }).pipe(
        Effect.provide(modelAt(provider))
      )
      expect(text).toBe("read")
      expect(size).toBeGreaterThan(10_000_000)
    }))

  program(
    "a prompt of ten megabytes to a server that does not read ends with the deadline",
    () =>
      Effect.gen(function*() {
        const provider = yield* FaultyProvider.make({ otherwise: Behavior.notReading(Behavior.stall) })
        const got = yield* outcome(
          Deadline.within("150 millis")(
            LanguageModel.generateText({ prompt: "y".repeat(10_000_000) }).pipe(ProviderError.precise)
          )
        ).pipe(Effect.provide(modelAt(provider)))
        expect(got).toBe("DeadlineExceeded")
      })
  )

  program(
    "a deadline that passes while the processor is busy, just before a model is asked, is told as the deadline",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking()
        const context = yield* Layer.build(modelAt(provider))
        const busy = Effect.sync(() => {
          const until = performance.now() + 60
          while (performance.now() < until) { /* such as encoding a large prompt */ }
        })
        for (
          const run of [
            Effect.andThen(busy, LanguageModel.generateText({ prompt: "x" })),
            Effect.andThen(busy, Stream.runDrain(LanguageModel.streamText({ prompt: "x" })))
          ]
        ) {
          const got = yield* outcome(Deadline.within("20 millis")(run)).pipe(Effect.provideContext(context))
          expect(got).toBe("DeadlineExceeded")
        }
      })
  )

  program(
    "lone surrogates, zero bytes and every control character in a prompt arrive or fail with a typed error",
    () =>
      Effect.gen(function*() {
        const controls = Array.from({ length: 0x21 }, (_, n) => String.fromCharCode(n)).join("") + "\uD800\u2028\uFFFF"
        let seen: string | undefined
        const provider = yield* speaking({
          say: ({ messages }) => {
            const content = messages[0]?.content
            seen = typeof content === "string" ? content : JSON.stringify(content)
            return "read"
          }
        })
        const got = yield* outcome(LanguageModel.generateText({ prompt: controls })).pipe(
          Effect.provide(modelAt(provider))
        )
        expect(["success", "AiError"]).toContain(got)
        if (got === "success") expect(seen).toContain("\u2028")
      })
  )

  program(
    "an empty prompt, an empty message and a history that ends with the assistant are answered or typed",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking()
        const context = yield* Layer.build(modelAt(provider))
        for (
          const prompt of [
            Prompt.empty,
            Prompt.make(""),
            Prompt.make([{ role: "assistant", content: [] }]),
            Prompt.make([])
          ]
        ) {
          const got = yield* outcome(
            promptly("the call")(
              Effect.provideContext(LanguageModel.generateText({ prompt }), context)
            )
          )
          expect(["success", "AiError"]).toContain(got)
        }
      })
  )

  for (
    const [what, extras] of [
      ["stream", { stream: false }],
      ["messages", { messages: [] }],
      ["n", { n: 3 }]
    ] as const
  ) {
    program(
      `extras that overwrite ${what} end in an answer or a typed error, and never hang`,
      () =>
        Effect.gen(function*() {
          const provider = yield* speaking()
          const context = yield* Layer.build(modelAt(provider))
          const request = { ...ask, extras: { "openai-chat": extras as never } }
          const got = yield* outcome(promptly("the stream")(Stream.runDrain(Target.stream(request)))).pipe(
            Effect.provideContext(context)
          )
          expect(["success", ...providerErrors]).toContain(got)
        })
    )
  }

  program("Anthropic's face tells the same errors for the same nonsense", () =>
    Effect.gen(function*() {
      for (
        const behavior of [
          Behavior.bytes("<html>"),
          Behavior.json({}),
          Behavior.sse(["x"]),
          Behavior.malformedSse,
          Behavior.json({ type: "message", content: null })
        ]
      ) {
        const provider = yield* FaultyProvider.make({ otherwise: behavior })
        const layer = Anthropic.layer({ model: "m", baseUrl: provider.url, credential: Dialect.credential(secret) })
          .pipe(
            Layer.provide(NodeTransport.layer({ connections: 1 }))
          )
        const got = yield* Effect.all([
          outcome(promptly("a call")(Target.generate(ask))),
          outcome(promptly("a stream")(Stream.runDrain(Target.stream(ask))))
        ]).pipe(Effect.provide(layer))
        for (const one of got) expect(["InvalidResponse", "StreamTruncated", "ProviderFailed"]).toContain(one)
      }
    }))

  program(
    "a tenant at its quota is told so by both faces, and retries do not count twice",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking({ say: () => endless })
        const { Caller } = yield* Effect.promise(() => import("@clawback/core"))
        const got = yield* Effect.gen(function*() {
          const context = yield* Layer.build(modelAt(provider, { retry: Retry.jittered({ base: "1 millis" }) }))
          return yield* Effect.gen(function*() {
            const holding = yield* Effect.forkChild(Stream.runDrain(Target.stream(ask)))
            yield* provider.until(({ inFlight }) => inFlight === 1)
            const refused = [
              yield* outcome(Target.generate(ask)),
              yield* outcome(LanguageModel.generateText({ prompt: "x" }).pipe(ProviderError.precise))
            ]
            yield* Fiber.interrupt(holding)
            return refused
          }).pipe(Caller.provide({ tenant: "a" }), Effect.provideContext(context))
        }).pipe(Effect.scoped, Effect.provide(SessionRegistry.layer({ quota: () => 2 })))
        expect(got).toEqual(["QuotaExceeded", "QuotaExceeded"])
      })
  )

  program(
    "a base URL in every strange spelling is called rightly or refused when the layer is built",
    () =>
      Effect.gen(function*() {
        const provider = yield* speaking()
        const spelled = [
          `${provider.url}/v1/`,
          `${provider.url}/v1//`,
          `${provider.url}/v1?api-version=1`,
          `${provider.url}/x/../v1`,
          `${provider.url.replace("http", "HTTP")}/v1`,
          ` ${provider.url}/v1 `,
          `${provider.url}/v1/?`
        ]
        for (const baseUrl of spelled) {
          const got = yield* outcome(
            promptly(baseUrl)(
              Target.generate(ask).pipe(Effect.provide(modelAt(provider, { baseUrl })))
            )
          )
          expect(["success", "InvalidUrl", "ModelNotFound", "RequestRejected"]).toContain(got)
        }
        for (
          const baseUrl of [
            "",
            " ",
            "/v1",
            "localhost:1",
            "http://",
            "http://u:p@h/v1",
            "http://h/v1#frag",
            "ws://h/v1",
            "http://h:0x/"
          ]
        ) {
          const got = yield* outcome(
            promptly(baseUrl)(
              Target.generate(ask).pipe(Effect.provide(modelAt(provider, { baseUrl })))
            )
          )
          expect([baseUrl, got]).toEqual([baseUrl, "InvalidUrl"])
        }
      })
  )

  program("options that are wrong are defects that name them, and nothing is opened", () =>
    Effect.gen(function*() {
      const provider = yield* speaking()
      const wrong: ReadonlyArray<[string, Partial<OpenAi.Options>]> = [
        ["model", { model: " " }],
        ["total", { timeouts: { total: -1 } }],
        ["idle", { timeouts: { idle: "never" as never } }]
      ]
      for (const [name, options] of wrong) {
        const got = yield* outcome(Target.generate(ask).pipe(Effect.provide(modelAt(provider, options))))
        expect(got).toContain("RangeError")
        expect(got).toContain(name)
      }
      expect((yield* provider.counts).accepted).toBe(0)
    }))
})
