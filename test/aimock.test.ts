/**
 * Calls of a server by others, `@copilotkit/aimock`, through both faces of both providers, over real sockets.
 *
 * - text in one piece, with its usage
 * - a stream, in more than one piece
 * - a tool call, and a second turn with its result
 * - structured output, by `generateObject`
 * - status 529: `Overloaded`
 * - status 429: `RateLimited`, with its `Retry-After`
 * - a wrong key: `AuthenticationFailed`
 * - a stream that is cut off after some chunks, or after some time: `ConnectionLost` or `StreamTruncated`, after the
 *   delivered parts
 * - a reader that leaves in the middle of a stream, and a caller that is interrupted while it waits
 *
 * aimock records no aborts and sends no pings. Node.js counts the responses that it has not ended.
 */
import { SessionRegistry } from "@clawback/core"
import { ProviderError, Target } from "@clawback/providers"
import { type Fixture, LLMock } from "@copilotkit/aimock"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Option, Schema, type Scope, Stream } from "effect"
import { type AiError, LanguageModel, Prompt, Tool, Toolkit } from "effect/ai"
import { subscribe, unsubscribe } from "node:diagnostics_channel"
import type { ServerResponse } from "node:http"
import { anthropic, openAi, type Provider, until, withModel } from "./support/model.ts"

const key = "sk-aimock"
const text = "Because somebody forgot to close them."
const usage = { prompt_tokens: 12, completion_tokens: 7, total_tokens: 19, input_tokens: 12, output_tokens: 7 }

const says = (userMessage: string, fixture: Omit<Fixture, "match">): Fixture => ({ match: { userMessage }, ...fixture })

const refuses = (userMessage: string, status: number, type: string): Fixture =>
  says(userMessage, { response: { error: { message: "Not now.", type }, status, retryAfter: 7 } })

const fixtures: ReadonlyArray<Fixture> = [
  {
    match: { userMessage: "weather", hasToolResult: false },
    response: { toolCalls: [{ id: "call_1", name: "weather", arguments: "{\"city\":\"Rome\"}" }] }
  },
  {
    match: { userMessage: "weather", hasToolResult: true, toolResultContains: "4 degrees" },
    response: { content: "It is cold in Rome." }
  },
  says("sockets", { response: { content: text, usage }, chunkSize: 8 }),
  says("object", { response: { content: "{\"city\":\"Rome\",\"degrees\":4}" } }),
  refuses("too much", 529, "overloaded_error"),
  refuses("too often", 429, "rate_limit_error"),
  says("a few chunks", { response: { content: text.repeat(20) }, chunkSize: 8, latency: 5, truncateAfterChunks: 9 }),
  says("a short time", { response: { content: text.repeat(20) }, chunkSize: 8, latency: 10, disconnectAfterMs: 120 }),
  says("at length", { response: { content: text.repeat(200) }, chunkSize: 4, latency: 10 }),
  says("late", { response: { content: text }, latency: 60_000 })
]

interface Served {
  readonly url: string
  /** How many answers it is giving. */
  readonly inFlight: () => number
  readonly begun: () => number
}

const server: Effect.Effect<Served, never, Scope.Scope> = Effect.gen(function*() {
  const mock = new LLMock({ port: 0, logLevel: "silent", auth: { apiKeys: [key] } })
  mock.addFixtures([...fixtures])
  yield* Effect.acquireRelease(Effect.promise(() => mock.start()), () => Effect.promise(() => mock.stop()))
  let inFlight = 0
  let begun = 0
  const onRequest = (message: unknown) => {
    const { response } = message as { readonly response: ServerResponse }
    inFlight++
    begun++
    response.once("close", () => inFlight--)
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => subscribe("http.server.request.start", onRequest)),
    () => Effect.sync(() => unsubscribe("http.server.request.start", onRequest))
  )
  return { url: mock.url, inFlight: () => inFlight, begun: () => begun }
})

type Model = LanguageModel.LanguageModel | Target.ChatModel

/** Asks the server through a provider of ours, and leaves nothing behind, here or there. */
const asking = <A, E>(
  provider: Provider,
  ask: (served: Served) => Effect.Effect<A, E, Model>,
  apiKey = key
): Effect.Effect<A, E | Target.OpenError, Scope.Scope> =>
  Effect.gen(function*() {
    const served = yield* server
    return yield* Effect.gen(function*() {
      const answer = yield* ask(served)
      assert.doesNotHaveAnyKeys(yield* SessionRegistry.counts, ["call", "exchange"])
      yield* until(() => served.inFlight() === 0)
      return answer
    }).pipe(withModel({ provider, baseUrl: `${served.url}${provider.basePath}`, apiKey }))
  })

const request = (content: string): Target.Request => ({ messages: [{ role: "user", content }] })

/** A call by each face, failing with the precise errors. */
const faces = (
  prompt: string
): ReadonlyArray<Effect.Effect<unknown, AiError.AiError | ProviderError.CallError, Model>> => [
  ProviderError.precise(LanguageModel.generateText({ prompt })),
  ProviderError.precise(Stream.runDrain(LanguageModel.streamText({ prompt }))),
  Target.generate(request(prompt)),
  Stream.runDrain(Target.stream(request(prompt)))
]

const weather = Tool.make("weather", {
  description: "The weather of a place",
  parameters: Schema.Struct({ city: Schema.String }),
  success: Schema.String
})
const toolkit = Toolkit.make(weather)
const handlers = toolkit.toLayer({ weather: ({ city }) => Effect.succeed(`4 degrees in ${city}`) })

describe.each([openAi, anthropic])("a server by others, called as $name", (provider) => {
  it.live("responds with a text and its usage", () =>
    asking(provider, () =>
      Effect.gen(function*() {
        const answer = yield* LanguageModel.generateText({ prompt: "Why do sockets leak?" })
        assert.strictEqual(answer.text, text)
        assert.deepInclude(answer.usage.inputTokens, { total: 12 })
        assert.deepInclude(answer.usage.outputTokens, { total: 7 })
        const { choices: [choice], usage } = yield* Target.generate(request("Why do sockets leak?"))
        assert.deepStrictEqual(choice.content, [{ type: "text", text }])
        assert.deepInclude(usage, { inputTokens: 12, outputTokens: 7 })
      })))

  it.live("responds with a stream", () =>
    asking(provider, () =>
      Effect.gen(function*() {
        const parts = yield* Stream.runCollect(LanguageModel.streamText({ prompt: "Why do sockets leak?" }))
        const deltas = parts.flatMap((part) => part.type === "text-delta" ? [part.delta] : [])
        assert.strictEqual(deltas.join(""), text)
        assert.isAbove(deltas.length, 1)
        assert.strictEqual(parts.at(-1)?.type, "finish")
        const events = yield* Stream.runCollect(Target.stream(request("Why do sockets leak?")))
        const texts = events.flatMap((event) => event._tag === "TextDelta" ? [event.text] : [])
        assert.strictEqual(texts.join(""), text)
      })))

  it.live("calls a tool, and continues with its result", () =>
    asking(provider, () =>
      Effect.gen(function*() {
        const prompt = Prompt.make("How is the weather?")
        for (const isStreamed of [false, true]) {
          const ask = (prompt: Prompt.Prompt) =>
            isStreamed
              ? Stream.runCollect(LanguageModel.streamText({ prompt, toolkit }))
              : Effect.map(LanguageModel.generateText({ prompt, toolkit }), ({ content }) => content)
          const first = yield* ask(prompt)
          const call = first.find((part) => part.type === "tool-call")
          assert.deepInclude(call, { id: "call_1", name: "weather", params: { city: "Rome" } } as object)
          const second = yield* ask(Prompt.concat(prompt, Prompt.fromResponseParts([...first])))
          const said = second.map((part) =>
            part.type === "text" ? part.text : part.type === "text-delta" ? part.delta : ""
          )
          assert.strictEqual(said.join(""), "It is cold in Rome.")
        }
      }).pipe(Effect.provide(handlers))))

  it.live("responds with an object of the requested schema", () =>
    asking(provider, () =>
      Effect.gen(function*() {
        const schema = Schema.Struct({ city: Schema.String, degrees: Schema.Finite })
        const { value } = yield* LanguageModel.generateObject({ prompt: "An object, please", schema })
        assert.deepStrictEqual(value, { city: "Rome", degrees: 4 })
      })))

  it.live("rejects a call with 529, which is Overloaded", () =>
    asking(provider, () =>
      Effect.gen(function*() {
        for (const call of faces("That is too much")) {
          const error = yield* Effect.flip(call)
          assert.deepInclude(error, { _tag: "Overloaded", status: 529, detail: "Not now." } as object)
        }
      })))

  it.live("rejects a call with 429, which is RateLimited", () =>
    asking(provider, () =>
      Effect.gen(function*() {
        for (const call of faces("That is too often")) {
          const error = yield* Effect.flip(call)
          assert.deepInclude(error, { _tag: "RateLimited", status: 429, retryAfter: Duration.seconds(7) } as object)
        }
      })))

  it.live("rejects the key, which is AuthenticationFailed", () =>
    asking(provider, () =>
      Effect.gen(function*() {
        for (const call of faces("Why do sockets leak?")) {
          assert.deepInclude(yield* Effect.flip(call), { _tag: "AuthenticationFailed", status: 401 } as object)
        }
      }), "sk-another"))

  it.live.each(["a few chunks", "a short time"])(
    "breaks off after %s, and what came before is delivered",
    (after) =>
      asking(provider, () =>
        Effect.gen(function*() {
          const prompt = `Go on for ${after}`
          const streams: ReadonlyArray<Stream.Stream<boolean, AiError.AiError | ProviderError.CallError, Model>> = [
            ProviderError.preciseStream(LanguageModel.streamText({ prompt })).pipe(
              Stream.map((part) => part.type === "text-delta")
            ),
            Stream.map(Target.stream(request(prompt)), (event) => event._tag === "TextDelta")
          ]
          for (const stream of streams) {
            let texts = 0
            const read = Stream.runForEach(stream, (isText) => Effect.sync(() => isText && texts++))
            assert.oneOf((yield* Effect.flip(read))._tag, ["ConnectionLost", "StreamTruncated"])
            assert.isAbove(texts, 0)
          }
        }))
  )

  it.live("stops its work when the reader leaves in the middle of a stream", () =>
    asking(provider, ({ inFlight }) =>
      Effect.gen(function*() {
        const prompt = "Explain it at length"
        const streams: ReadonlyArray<Stream.Stream<unknown, unknown, Model>> = [
          Stream.filter(LanguageModel.streamText({ prompt }), (part) => part.type === "text-delta"),
          Stream.filter(Target.stream(request(prompt)), (event) => event._tag === "TextDelta")
        ]
        for (const stream of streams) {
          const seen = yield* Stream.runHead(Stream.mapEffect(stream, () => Effect.sync(inFlight)))
          assert.deepStrictEqual(seen, Option.some(1))
          yield* until(() => inFlight() === 0)
        }
      })))

  it.live("stops its work when the caller is interrupted", () =>
    asking(provider, ({ begun, inFlight }) =>
      Effect.gen(function*() {
        for (const [index, call] of faces("It may be late").entries()) {
          const fiber = yield* Effect.forkChild(call)
          yield* until(() => begun() > index)
          yield* Fiber.interrupt(fiber)
          yield* until(() => inFlight() === 0)
        }
      })))
})
