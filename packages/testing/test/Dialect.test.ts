import AnthropicSdk from "@anthropic-ai/sdk"
import { NodeTransport } from "@clawback/node"
import { Anthropic, type ChatRequest, EmbeddingTarget, OpenAi, ProviderError, Target } from "@clawback/providers"
import { Behavior, Dialect, FaultyProvider } from "@clawback/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import OpenAiSdk from "openai"

const key = "sk-test"
const otherKey = "sk-test-2"
const text = "Because someone opened them, naïvely. 🙂"

const asked: Target.Request = { messages: [{ role: "user", content: "Why do sockets leak?" }] }

const providers = {
  openai: (url: string, credential = key) =>
    OpenAi.target("gpt-5", { baseUrl: `${url}/v1`, credential: Dialect.credential(credential) }),
  anthropic: (url: string, credential = key) =>
    Anthropic.target("claude-sonnet-5-5", { baseUrl: url, credential: Dialect.credential(credential) })
}
const names = ["openai", "anthropic"] as const

/** One that says what it is told, and what it was asked, decoded. */
const speaking = Effect.fnUntraced(function*(say: Dialect.Options["say"], options: Partial<Dialect.Options> = {}) {
  const seen: Array<ChatRequest.ChatRequest> = []
  const provider = yield* FaultyProvider.make({
    handler: Dialect.handler({
      keys: [otherKey, key],
      say: (request, received) => {
        seen.push(request)
        return say(request, received)
      },
      ...options
    })
  })
  return { ...provider, seen }
})

const through = (target: Target.Target) =>
  Effect.provide(Target.layer(target).pipe(Layer.provide(NodeTransport.layer())))

const refused = (target: Target.Target) => Effect.flip(Target.generate(asked).pipe(through(target)))

const embedding = (url: string, credential = key) =>
  OpenAi.embeddingTarget("text-embedding-3-small", {
    baseUrl: `${url}/v1`,
    credential: Dialect.credential(credential)
  })

const throughEmbedding = (target: EmbeddingTarget.EmbeddingTarget) =>
  Effect.provide(EmbeddingTarget.layer(target).pipe(Layer.provide(NodeTransport.layer())))

const call = { type: "tool-call", id: "call_1", name: "weather", arguments: "{\"city\":\"Łódź\"}" } as const
const tool = { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } } as const

describe("a provider that speaks", () => {
  it.live("answers 404 as its vendor does below a base URL that is not the vendor's", () =>
    Effect.gen(function*() {
      const { url } = yield* speaking(() => text)
      const credential = Dialect.credential(key)
      for (const baseUrl of [url, `${url}/v1/v1`, `${url}/v2`]) {
        const openai = yield* refused(OpenAi.target("gpt-5", { baseUrl, credential }))
        assert.deepInclude(openai, {
          status: 404,
          detail: `Invalid URL (POST ${new URL(`${baseUrl}/chat/completions`).pathname})`
        })
        const anthropic = yield* refused(
          Anthropic.target("claude-sonnet-5-5", { baseUrl: `${baseUrl}/v3`, credential })
        )
        assert.deepInclude(anthropic, { status: 404, detail: "Not Found" })
        const target = OpenAi.embeddingTarget("text-embedding-3-small", { baseUrl, credential })
        const embedded = yield* Effect.flip(EmbeddingTarget.embed({ input: ["a"] }).pipe(throughEmbedding(target)))
        assert.deepInclude(embedded, { status: 404 })
      }
    }).pipe(Effect.scoped))

  it.live.each(names)("answers %s whole and in pieces, with its usage", (name) =>
    Effect.gen(function*() {
      const provider = yield* speaking(() => text)
      const target = providers[name](provider.url)
      const whole = yield* Target.generate(asked).pipe(through(target))
      assert.deepStrictEqual(whole.choices[0].content, [{ type: "text", text }])
      assert.strictEqual(whole.usage?.outputTokens, Math.ceil(Buffer.byteLength(text) / 4))
      const events = yield* Stream.runCollect(Target.stream(asked)).pipe(through(target))
      const texts = events.flatMap((event) => event._tag === "TextDelta" ? [event.text] : [])
      assert.strictEqual(texts.join(""), text)
      assert.isAbove(texts.length, 1)
      assert.deepStrictEqual(provider.seen[0]?.messages, asked.messages)
    }).pipe(Effect.scoped))

  it.live.each(names)("makes %s call tools, and wants their results", (name) =>
    Effect.gen(function*() {
      const provider = yield* speaking(({ messages }) =>
        messages.at(-1)?.role === "tool"
          ? text
          : {
            ...Dialect.answer(""),
            choices: [{ content: [call], finish: { reason: "tool-calls", raw: "tool_calls" } }]
          }
      )
      const target = providers[name](provider.url)
      const events = yield* Stream.runCollect(Target.stream({ ...asked, tools: [tool] })).pipe(through(target))
      assert.strictEqual(
        events.flatMap((event) => event._tag === "ToolCallDelta" ? [event.arguments] : []).join(""),
        call.arguments
      )
      const history: ChatRequest.ChatRequest["messages"] = [...asked.messages, { role: "assistant", content: [call] }]
      const refused = yield* Target.generate({ messages: history, tools: [tool] }).pipe(through(target), Effect.flip)
      assert.strictEqual(refused._tag, "RequestRejected")
      const answered = yield* Target.generate({
        messages: [...history, { role: "tool", toolCallId: call.id, content: "rain" }],
        tools: [tool]
      }).pipe(through(target))
      assert.deepStrictEqual(answered.choices[0].content, [{ type: "text", text }])
    }).pipe(Effect.scoped))

  it.live.each(names)("calls tools of %s, one or several at once", (name) =>
    Effect.gen(function*() {
      const provider = yield* speaking((request) =>
        Dialect.toolCalls([{ name: tool.name, parameters: { city: "Łódź" } }, { name: "clock", id: "call_b" }], request)
      )
      const target = providers[name](provider.url)
      const request = { ...asked, tools: [tool, { name: "clock", parameters: { type: "object" } }] }
      const { choices } = yield* Target.generate(request).pipe(through(target))
      assert.deepStrictEqual(choices[0].content, [
        { ...call, id: "call-1" },
        { type: "tool-call", id: "call_b", name: "clock", arguments: "{}" }
      ])
      assert.strictEqual(choices[0].finish.reason, "tool-calls")
      const events = yield* Stream.runCollect(Target.stream(request)).pipe(through(target))
      const deltas = events.flatMap((event) => event._tag === "ToolCallDelta" ? [event.arguments] : [])
      assert.strictEqual(deltas.join(""), "{\"city\":\"Łódź\"}{}")
    }).pipe(Effect.scoped))

  it.live.each(names)(
    "refuses %s with another key, and says an error as the vendor would",
    (name) =>
      Effect.gen(function*() {
        const provider = yield* speaking(() =>
          new ProviderError.ContextTooLong({
            provider: name,
            status: 400,
            detail: "prompt is too long",
            code: undefined,
            requestId: undefined
          })
        )
        const refused = yield* Target.generate(asked).pipe(
          through(providers[name](provider.url, "sk-other")),
          Effect.flip
        )
        assert.strictEqual(refused._tag, "AuthenticationFailed")
        for (const accepted of [key, otherKey]) {
          const error = yield* Target.generate(asked).pipe(
            through(providers[name](provider.url, accepted)),
            Effect.flip
          )
          assert.strictEqual(error._tag, "ContextTooLong")
        }
      }).pipe(Effect.scoped)
  )

  it.live.each(names)("does anything else that a provider can do to %s", (name) =>
    Effect.gen(function*() {
      const provider = yield* speaking(() => Behavior.reset)
      const error = yield* Target.generate(asked).pipe(through(providers[name](provider.url)), Effect.flip)
      assert.strictEqual(error._tag, "ConnectionLost")
    }).pipe(Effect.scoped))

  it.live.each(names)("refuses parameters that %s does not have", (name) =>
    Effect.gen(function*() {
      const provider = yield* speaking(() => text)
      const extras = { "openai-chat": { temprature: 1 }, "anthropic-messages": { temprature: 1 } }
      const error = yield* Target.generate({ ...asked, extras }).pipe(
        through(providers[name](provider.url)),
        Effect.flip
      )
      assert.deepInclude(error, { _tag: "RequestRejected", status: 400 } as object)
      assert.include(error.message, "temprature")
    }).pipe(Effect.scoped))

  it.live("hands a long history over whole, though the report keeps its beginning only", () =>
    Effect.gen(function*() {
      const provider = yield* speaking(() => text)
      const content = "é".repeat(200_000)
      yield* Target.generate({ messages: [{ role: "user", content }] }).pipe(through(providers.openai(provider.url)))
      assert.strictEqual(provider.seen[0]?.messages[0]?.content, content)
      const [received] = yield* provider.requests
      assert.isAtMost(received?.body.length ?? 0, 64 * 1024)
    }).pipe(Effect.scoped))

  it.live("is understood by the vendors' own SDKs, and understands them", () =>
    Effect.gen(function*() {
      const provider = yield* speaking(() => text)
      const openai = new OpenAiSdk({ apiKey: key, baseURL: `${provider.url}/v1`, maxRetries: 0 })
      const anthropic = new AnthropicSdk({ apiKey: key, baseURL: provider.url, maxRetries: 0 })
      const messages = [{ role: "user", content: "Why?" } as const]
      const said = yield* Effect.promise(async () => {
        const whole = await openai.chat.completions.create({ model: "gpt-5", messages })
        let streamed = ""
        for await (
          const { choices } of await openai.chat.completions.create({ model: "gpt-5", messages, stream: true })
        ) {
          streamed += choices[0]?.delta.content ?? ""
        }
        const message = await anthropic.messages.create({ model: "claude-sonnet-5-5", max_tokens: 99, messages })
        const final = anthropic.messages.stream({ model: "claude-sonnet-5-5", max_tokens: 99, messages }).finalText()
        const [block] = message.content
        return [whole.choices[0]?.message.content, streamed, block?.type === "text" ? block.text : "", await final]
      })
      assert.deepStrictEqual(said, [text, text, text, text])
    }).pipe(Effect.scoped))

  it.live("makes vectors of texts, each its own, which OpenAI's SDK reads as we do", () =>
    Effect.gen(function*() {
      const provider = yield* speaking(() => text)
      const target = embedding(provider.url)
      const input = ["sockets", "leaks", "sockets"]
      const { embeddings, usage } = yield* EmbeddingTarget.embed({ input }).pipe(throughEmbedding(target))
      assert.deepStrictEqual(embeddings.map(({ length }) => length), [8, 8, 8])
      assert.deepStrictEqual(embeddings[0], embeddings[2])
      assert.notDeepEqual(embeddings[0], embeddings[1])
      assert.approximately(Math.hypot(...embeddings[0] ?? []), 1, 1e-6)
      assert.strictEqual(usage?.inputTokens, 6)
      const sdk = new OpenAiSdk({ apiKey: key, baseURL: `${provider.url}/v1`, maxRetries: 0 })
      const theirs = yield* Effect.promise(() => sdk.embeddings.create({ model: "text-embedding-3-small", input }))
      for (const [at, { embedding }] of theirs.data.entries()) {
        assert.deepStrictEqual([...embedding], [...(embeddings[at] ?? [])])
      }
    }).pipe(Effect.scoped))

  it.live("makes of a text the vector that it is told, or an error, or anything else", () =>
    Effect.gen(function*() {
      const provider = yield* speaking(() => text, {
        embed: (text) =>
          text === "reset" ? Behavior.reset : text === "7 8" ? [7, 8] : new ProviderError.RateLimited({
            provider: "openai",
            status: 429,
            detail: "slow down",
            code: undefined,
            requestId: undefined,
            retryAfter: undefined
          })
      })
      const ask = (input: EmbeddingTarget.Request["input"]) =>
        EmbeddingTarget.embed({ input }).pipe(throughEmbedding(embedding(provider.url)))
      assert.deepStrictEqual((yield* ask([[7, 8]])).embeddings, [[7, 8]])
      assert.strictEqual((yield* Effect.flip(ask(["anything"])))._tag, "RateLimited")
      assert.strictEqual((yield* Effect.flip(ask(["reset"])))._tag, "ConnectionLost")
    }).pipe(Effect.scoped))

  it.live.each<readonly [string, EmbeddingTarget.Request]>([
    ["nothing", { input: [] }],
    ["an empty text", { input: ["a", ""] }],
    ["more than 2,048 texts", { input: Array.from({ length: 2049 }, () => "a") }],
    ["no dimensions", { input: ["a"], dimensions: 0 }],
    ["a parameter that OpenAI does not have", {
      input: ["a"],
      extras: { "openai-embeddings": { input_type: "query" } }
    }]
  ])("makes no vectors of %s", ([, request]) =>
    Effect.gen(function*() {
      const provider = yield* speaking(() => text)
      const error = yield* EmbeddingTarget.embed(request).pipe(
        throughEmbedding(embedding(provider.url)),
        Effect.flip
      )
      assert.deepInclude(error, { _tag: "RequestRejected", status: 400 } as object)
    }).pipe(Effect.scoped))

  it.live("makes no vectors under another key", () =>
    Effect.gen(function*() {
      const provider = yield* speaking(() => text)
      const error = yield* EmbeddingTarget.embed({ input: ["a"] }).pipe(
        throughEmbedding(embedding(provider.url, "sk-other")),
        Effect.flip
      )
      assert.strictEqual(error._tag, "AuthenticationFailed")
    }).pipe(Effect.scoped))
})
