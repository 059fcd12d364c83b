/** One program for all providers: it uses Effect's interfaces only, and knows neither the provider nor its protocol. */
import { SessionRegistry } from "@clawback/core"
import { ProviderError } from "@clawback/providers"
import { assert } from "@effect/vitest"
import { Effect, Fiber, Option, Schedule, Schema, Stream } from "effect"
import { AiError, EmbeddingModel, LanguageModel, Prompt, Tool, Toolkit } from "effect/ai"

/** What an ability came to. */
export type Outcome = "yes" | "no"

export const answer = "Because someone opened them, naïvely. 🙂"
export const thought = "Sockets do not close by themselves."
export const usage = { inputTokens: 90, cachedInputTokens: 40, outputTokens: 30, reasoningTokens: 20 }
export const weather = { name: "weather", arguments: { city: "Łódź" } } as const
export const person = { name: "Ada", born: 1815 }

/** What the program asks for. The server answers by these words. */
export const words = {
  text: "Why do sockets leak?",
  tools: "Do I need an umbrella?",
  object: "Who wrote the first program?",
  image: "What is in this image?",
  fail: (tag: string) => `Fail with ${tag}.`,
  wait: (phase: string) => `Wait in ${phase}.`
}

const Weather = Tool.make("weather", {
  description: "The weather in a city",
  parameters: Schema.Struct({ city: Schema.String }),
  success: Schema.String
})
const toolkit = Toolkit.make(Weather)
const Handlers = toolkit.toLayer({ weather: ({ city }) => Effect.succeed(`It rains in ${city}.`) })

const Person = Schema.Struct({ name: Schema.String, born: Schema.Int })

/** "no" where the provider lacks it, which the program learns before anything is sent. Other errors fail. */
const ability = <E, R>(self: Effect.Effect<unknown, E, R>): Effect.Effect<Outcome, E, R> =>
  Effect.matchEffect(self, {
    onSuccess: () => Effect.succeed("yes" as const),
    onFailure: (error) => tagOf(error) === "Unsupported" ? Effect.succeed("no" as const) : Effect.fail(error)
  })

const tagOf = (error: unknown): string | undefined =>
  AiError.isAiError(error) ? Option.getOrUndefined(ProviderError.fromAiError(error))?._tag : undefined

const text = Effect.gen(function*() {
  const response = yield* LanguageModel.generateText({ prompt: words.text })
  assert.strictEqual(response.text, answer)
  assert.strictEqual(response.reasoningText, thought)
  assertUsage(response.usage)
})

const assertUsage = ({ inputTokens, outputTokens }: LanguageModel.GenerateTextResponse<{}>["usage"]) => {
  assert.deepInclude(inputTokens, { total: usage.inputTokens, cacheRead: usage.cachedInputTokens })
  assert.strictEqual(outputTokens.total, usage.outputTokens)
}

const stream = Effect.gen(function*() {
  const parts = yield* Stream.runCollect(LanguageModel.streamText({ prompt: words.text }))
  const said = { text: "", reasoning: "", pieces: 0 }
  for (const part of parts) {
    if (part.type === "text-delta") {
      said.text += part.delta
      said.pieces++
    } else if (part.type === "reasoning-delta") said.reasoning += part.delta
    else if (part.type === "finish") {
      assert.strictEqual(part.reason, "stop")
      assertUsage(part.usage)
    }
  }
  assert.strictEqual(parts.at(-1)?.type, "finish")
  assert.deepInclude(said, { text: answer, reasoning: thought })
  assert.isAbove(said.pieces, 1)
})

const readResult = Effect.fnUntraced(
  function*(question: Prompt.Prompt, said: Parameters<typeof Prompt.fromResponseParts>[0]) {
    const prompt = Prompt.concat(question, Prompt.fromResponseParts(said))
    assert.strictEqual((yield* LanguageModel.generateText({ prompt, toolkit })).text, answer)
  }
)

/** Two steps, whole and streamed: the model calls the tool, and reads its result. */
const tools = Effect.fnUntraced(function*(toolChoice: "auto" | "required") {
  const question = Prompt.make(words.tools)
  const first = yield* LanguageModel.generateText({ prompt: question, toolkit, toolChoice })
  assert.deepStrictEqual(first.toolResults.map(({ result }) => result), ["It rains in Łódź."])
  yield* readResult(question, first.content)
  const parts = yield* Stream.runCollect(LanguageModel.streamText({ prompt: question, toolkit }))
  assert.deepStrictEqual(
    parts.flatMap((part) => part.type === "tool-result" ? [part.result] : []),
    ["It rains in Łódź."]
  )
  yield* readResult(question, parts)
})

const object = Effect.gen(function*() {
  const { value } = yield* LanguageModel.generateObject({ prompt: words.object, schema: Person })
  assert.deepStrictEqual(value, person)
})

const image = Effect.gen(function*() {
  const prompt = Prompt.make([{
    role: "user",
    content: [
      { type: "text", text: words.image },
      { type: "file", mediaType: "image/png", data: new Uint8Array([1, 2, 3]) }
    ]
  }])
  assert.strictEqual((yield* LanguageModel.generateText({ prompt })).text, "image/png")
})

/** What the program does with a model of vectors. */
export const embeddings = Effect.gen(function*() {
  const model = yield* EmbeddingModel.EmbeddingModel
  const { embeddings } = yield* model.embedMany(["one", "two"])
  const [one = [], two = []] = embeddings.map(({ vector }) => vector)
  assert.closeTo(Math.hypot(...one), 1, 1e-3)
  assert.notDeepEqual(one, two)
  assert.deepStrictEqual([...(yield* model.embed("two")).vector], [...two])
})

/** The errors that a provider reports or causes, by what a caller can do. */
export const errors = [
  "AuthenticationFailed",
  "PermissionDenied",
  "QuotaExhausted",
  "RateLimited",
  "Overloaded",
  "ProviderFailed",
  "ModelNotFound",
  "RegionBlocked",
  "ContextTooLong",
  "ContentFiltered",
  "RequestRejected",
  "InvalidResponse",
  "StreamTruncated"
] as const

const fails = Effect.fnUntraced(function*(tag: typeof errors[number]) {
  const prompt = words.fail(tag)
  const streamed = Stream.runDrain(LanguageModel.streamText({ prompt }))
  const call = tag === "StreamTruncated" ? streamed : Effect.asVoid(LanguageModel.generateText({ prompt }))
  assert.strictEqual((yield* Effect.flip(ProviderError.precise(call)))._tag, tag)
})

/** Where a call can be when its caller gives it up. */
export const phases = ["waiting", "connecting", "headers", "first token", "streaming", "body"] as const
export type Phase = typeof phases[number]

/** The phases in which the server knows of the call. */
const served = ["headers", "first token", "streaming", "body"] as const

/** What the test sees of the server. */
export interface Server {
  /** Waits until a call is in this phase. */
  readonly reached: (phase: typeof served[number]) => Effect.Effect<unknown, unknown>
  /** Waits until the server sees that the call was given up. */
  readonly gone: Effect.Effect<unknown, unknown>
}

const call = (phase: Phase): Effect.Effect<unknown, unknown, LanguageModel.LanguageModel> => {
  const prompt = words.wait(phase)
  return phase === "first token" || phase === "streaming"
    ? Stream.runDrain(LanguageModel.streamText({ prompt }))
    : LanguageModel.generateText({ prompt })
}

/** Waits until this client has so many exchanges and connections. */
const until = (exchanges: number, connections: number) =>
  SessionRegistry.counts.pipe(
    Effect.repeat({
      until: ({ connection = 0, exchange = 0 }) => exchange === exchanges && connection === connections,
      schedule: Schedule.spaced("1 millis")
    }),
    Effect.timeout("5 seconds")
  )

const assertNoCall = Effect.map(
  SessionRegistry.counts,
  ({ call = 0, exchange = 0 }) => assert.deepStrictEqual({ call, exchange }, { call: 0, exchange: 0 })
)

/** The caller gives the call up in a phase of which the server knows. */
const abort = Effect.fnUntraced(function*(server: Server, phase: typeof served[number]) {
  const fiber = yield* Effect.forkChild(call(phase))
  yield* server.reached(phase)
  yield* Fiber.interrupt(fiber)
  yield* server.gone
  yield* assertNoCall
})

/** With the only connection taken, the next call waits for it. */
const abortWaiting = Effect.fnUntraced(function*(server: Server) {
  const holder = yield* Effect.forkChild(call("headers"))
  yield* server.reached("headers")
  const fiber = yield* Effect.forkChild(call("waiting"))
  yield* until(2, 1)
  yield* Fiber.interrupt(fiber)
  yield* until(1, 1)
  yield* Fiber.interrupt(holder)
  yield* server.gone
  yield* assertNoCall
})

/** What the program does where no connection is ever accepted. */
export const abortConnecting = Effect.gen(function*() {
  const fiber = yield* Effect.forkChild(call("connecting"))
  yield* until(1, 1)
  yield* Fiber.interrupt(fiber)
  yield* until(0, 0)
  yield* assertNoCall
})

/** Runs all of it. Returns what the provider has. */
export const run = Effect.fnUntraced(function*(server: Server) {
  yield* text
  yield* stream
  const abilities = {
    tools: yield* ability(tools("auto")),
    forced: yield* ability(tools("required")),
    object: yield* ability(object),
    image: yield* ability(image)
  }
  yield* Effect.forEach(errors, fails)
  yield* Effect.forEach(served, (phase) => abort(server, phase))
  yield* abortWaiting(server)
  return abilities
}, Effect.provide(Handlers))
