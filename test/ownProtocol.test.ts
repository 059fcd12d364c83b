/** A protocol of one's own goes every way that a built-in one goes, without a line changed in `src`. */
import { Retry, SessionRegistry } from "@clawback/core"
import { NodeTransport } from "@clawback/node"
import { EmbeddingTarget, ProviderError, Target } from "@clawback/providers"
import { Behavior, Dialect, FaultyProvider } from "@clawback/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Stream } from "effect"
import { EmbeddingModel, LanguageModel } from "effect/ai"
import { Own } from "./support/ownProtocol.ts"

const secret = "id-1:a/very+secret key"
const model = "maker/own-1 beta"
const text = "Because someone opened them, naïvely. 🙂"
const asked: Target.Request = { messages: [{ role: "user", content: "Why do sockets leak?" }] }

const speaking = (say: Dialect.Options["say"] = () => text, options: Partial<Dialect.Options> = {}) =>
  FaultyProvider.make({ handler: Dialect.handler({ keys: [secret], say, providers: [Own.provider], ...options }) })

const targetAt = (url: string, options: Target.Options = {}) =>
  Own.target(model, { baseUrl: `${url}/v7beta`, credential: Dialect.credential(secret), ...options })

const layerAt = (url: string, options?: Target.Options) =>
  Target.layer(targetAt(url, options)).pipe(Layer.provide(NodeTransport.layer()))

const embeddingsAt = (url: string) =>
  Own.embeddingLayer({ model, baseUrl: `${url}/v7beta`, credential: Dialect.credential(secret) }).pipe(
    Layer.provide(NodeTransport.layer())
  )

const busy = (detail = "later") =>
  new ProviderError.Overloaded({
    provider: "own",
    status: 503,
    detail,
    code: undefined,
    requestId: undefined,
    retryAfter: undefined
  })

const textOf = (events: ReadonlyArray<{ readonly _tag: string; readonly text?: string }>) =>
  events.map((event) => event._tag === "TextDelta" ? event.text : "").join("")

describe("a protocol of one's own", () => {
  it.live("has the model and the verb in the path, and is asked what it accepts", () =>
    Effect.gen(function*() {
      const provider = yield* speaking()
      yield* Effect.all([Target.generate(asked), Stream.runDrain(Target.stream(asked))]).pipe(
        Effect.provide(layerAt(provider.url))
      )
      const [whole, streamed] = yield* provider.requests
      assert(whole !== undefined && streamed !== undefined)
      assert.strictEqual(whole.url, "/v7beta/models/maker%2Fown-1%20beta:speak?version=7")
      assert.strictEqual(whole.headers["accept"], "application/json")
      assert.strictEqual(streamed.url, "/v7beta/models/maker%2Fown-1%20beta:speakLines?version=7")
      assert.strictEqual(streamed.headers["accept"], "application/x-ndjson")
      assert.strictEqual(streamed.headers["x-client"], "clawback")
    }).pipe(Effect.scoped))

  it.live("goes through the provider's own face, whole and in pieces, with its usage", () =>
    Effect.gen(function*() {
      const seen: Array<unknown> = []
      const { url } = yield* speaking((request) => {
        seen.push(request)
        return text
      })
      const [whole, events] = yield* Effect.all([Target.generate(asked), Stream.runCollect(Target.stream(asked))]).pipe(
        Effect.provide(layerAt(url, { parameters: { extras: { own: { tone: "dry" } } } }))
      )
      assert.deepStrictEqual(whole.choices[0].content, [{ type: "text", text }])
      assert.strictEqual(whole.usage?.outputTokens, Math.ceil(Buffer.byteLength(text) / 4))
      assert.strictEqual(textOf(events), text)
      assert.deepStrictEqual(events.map(({ _tag }) => _tag).slice(-2), ["Finished", "Used"])
      const request = { model, ...asked, extras: { own: { tone: "dry" } } }
      assert.deepStrictEqual(seen, [request, request])
    }).pipe(Effect.scoped))

  it.live("goes through Effect's LanguageModel, and so does its Model", () =>
    Effect.gen(function*() {
      const { url } = yield* speaking()
      const prompt = "Why do sockets leak?"
      const calls = Effect.all([
        Effect.map(LanguageModel.generateText({ prompt }), (response) => response.text),
        Effect.map(
          Stream.runCollect(LanguageModel.streamText({ prompt })),
          (parts) => parts.map((part) => part.type === "text-delta" ? part.delta : "").join("")
        )
      ])
      const options = { baseUrl: `${url}/v7beta`, credential: Dialect.credential(secret) }
      assert.deepStrictEqual(yield* Effect.provide(calls, layerAt(url)), [text, text])
      assert.deepStrictEqual(
        yield* Effect.provide(calls, Own.model(model, options).pipe(Layer.provide(NodeTransport.layer()))),
        [text, text]
      )
    }).pipe(Effect.scoped))

  it.live("makes vectors through both faces, and splits by the limits of its row", () =>
    Effect.gen(function*() {
      const provider = yield* speaking()
      const [native, effect] = yield* Effect.all([
        EmbeddingTarget.embed({ input: ["sockets", "leak"] }),
        Effect.flatMap(EmbeddingModel.EmbeddingModel, (model) => model.embedMany(["a", "b", "c", "d"]))
      ]).pipe(Effect.provide(embeddingsAt(provider.url)))
      assert.deepStrictEqual(native.embeddings.map(({ length }) => length), [8, 8])
      assert.strictEqual(effect.embeddings.length, 4)
      const bodies = (yield* provider.requests).map(({ body }) => JSON.parse(body).texts)
      assert.deepStrictEqual(bodies, [["sockets", "leak"], ["a", "b", "c"], ["d"]])
    }).pipe(Effect.scoped))

  it.live("signs each attempt anew, over what is sent", () =>
    Effect.gen(function*() {
      let calls = 0
      const provider = yield* speaking(() => ++calls < 3 ? busy() : text)
      const retry = Retry.jittered({ attempts: 3, base: "20 millis" })
      const response = yield* Effect.provide(Target.generate(asked), layerAt(provider.url, { retry }))
      assert.deepStrictEqual(response.choices[0].content, [{ type: "text", text }])
      const requests = yield* provider.requests
      assert.strictEqual(new Set(requests.map(({ headers }) => headers["x-signature"])).size, 3)
      assert.strictEqual(new Set(requests.map(({ headers }) => headers["idempotency-key"])).size, 1)
    }).pipe(Effect.scoped))

  it.live("is refused where the key, a header or the signature is wrong", () =>
    Effect.gen(function*() {
      const provider = yield* speaking()
      for (const other of ["id-1:another key", "id-2:a/very+secret key"]) {
        const error = yield* Effect.flip(
          Effect.provide(Target.generate(asked), layerAt(provider.url, { credential: Dialect.credential(other) }))
        )
        assert.strictEqual(error._tag, "AuthenticationFailed")
      }
      yield* Effect.provide(Target.generate(asked), layerAt(provider.url))
      const sent = (yield* provider.requests).at(-1)
      const again = (body: string, headers: object = {}) =>
        Effect.promise(() =>
          fetch(provider.url + sent?.url, {
            method: "POST",
            headers: { ...sent?.headers as Record<string, string>, ...headers, "content-length": String(body.length) },
            body
          }).then(({ status }) => status)
        )
      assert.strictEqual(yield* again(sent?.body ?? ""), 200)
      assert.strictEqual(yield* again(`${sent?.body} `), 401)
      assert.strictEqual(yield* again(sent?.body ?? "", { "x-date": "1" }), 401)
    }).pipe(Effect.scoped))

  it.live("fails with errors that come in arrays, typed and without the secret, also in a stream", () =>
    Effect.gen(function*() {
      const key = secret.slice(secret.indexOf(":") + 1)
      const { url } = yield* speaking(() => busy(`not with ${key} nor ${JSON.stringify(key)}`))
      const error = yield* Effect.flip(Effect.provide(Target.generate(asked), layerAt(url)))
      assert.deepInclude(error, { _tag: "Overloaded", code: "busy", detail: "not with <redacted> nor \"<redacted>\"" })
      const precise = yield* LanguageModel.generateText({ prompt: "Why?" }).pipe(
        ProviderError.precise,
        Effect.provide(layerAt(url)),
        Effect.flip
      )
      assert.strictEqual(precise._tag, "Overloaded")
      const embedding = yield* speaking(() => text, { embed: () => busy() })
      const failed = yield* Effect.flip(
        Effect.provide(EmbeddingTarget.embed({ input: ["a"] }), embeddingsAt(embedding.url))
      )
      assert.strictEqual(failed._tag, "Overloaded")
      const encoder = Own.provider.chat.makeEncoder({ stream: true, includeUsage: true })
      const pieces = [encoder.push([{ _tag: "TextDelta", text: "Be" }]), encoder.fail(busy())].join("")
      const broken = yield* speaking(() =>
        Behavior.bytes(pieces, { headers: { "content-type": "application/x-ndjson" } })
      )
      const texts: Array<string> = []
      const inStream = yield* Target.stream(asked).pipe(
        Stream.runForEach((event) => Effect.sync(() => event._tag === "TextDelta" && texts.push(event.text))),
        Effect.provide(layerAt(broken.url)),
        Effect.flip
      )
      assert.deepStrictEqual([inStream._tag, texts], ["Overloaded", ["Be"]])
    }).pipe(Effect.scoped))

  it.live("says what it cannot express, and what breaks its form", () =>
    Effect.gen(function*() {
      const { url } = yield* speaking()
      const image = { type: "image", source: { url: "https://example.com/a.png" } } as const
      const unsupported = yield* Effect.flip(
        Effect.provide(Target.generate({ messages: [{ role: "user", content: [image] }] }), layerAt(url))
      )
      assert.strictEqual(unsupported._tag, "Unsupported")
      const rejected = yield* Effect.flip(
        Effect.provide(Target.generate({ ...asked, extras: { own: { volume: 11 } } }), layerAt(url))
      )
      assert.strictEqual(rejected._tag, "RequestRejected")
      const lost = yield* Effect.flip(Effect.provide(Target.generate(asked), layerAt(`${url}/v1`)))
      assert.deepInclude(lost, { status: 404 })
      const sse = yield* speaking(() => Behavior.sse([{ data: { say: "Be" } }]))
      const error = yield* Effect.flip(Effect.provide(Stream.runDrain(Target.stream(asked)), layerAt(sse.url)))
      assert.strictEqual(error._tag, "ProviderFailed")
    }).pipe(Effect.scoped))

  it.live("is cancelled at the provider, and holds nothing then", () =>
    Effect.gen(function*() {
      const provider = yield* speaking(() => text, { every: "1 second" })
      yield* Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(Stream.runDrain(Target.stream(asked)))
        yield* provider.untilRequest(({ sent }) => sent > 0)
        yield* Fiber.interrupt(fiber)
        yield* provider.untilRequest(({ state }) => state === "aborted")
        assert.doesNotHaveAnyKeys(yield* SessionRegistry.counts, ["call", "exchange"])
        assert.isTrue(Exit.hasInterrupts(yield* Fiber.await(fiber)))
      }).pipe(Effect.provide(layerAt(provider.url).pipe(Layer.provideMerge(SessionRegistry.layer()))))
    }).pipe(Effect.scoped))
})
