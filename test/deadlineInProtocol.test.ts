/** A server's deadline, as its handler's stream and a real client see it. */
import { SessionRegistry } from "@clawback/core"
import { NodeTransport } from "@clawback/node"
import * as NodeServer from "@clawback/node/NodeServer"
import { OpenAi, ProviderError } from "@clawback/providers"
import { Behavior, Dialect, FaultyProvider } from "@clawback/testing"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"

const piece = { data: JSON.stringify({ choices: [{ index: 0, delta: { content: "Because" } }] }) }
/** A provider that says one word, and then nothing more. */
const hesitates = Behavior.ending(Behavior.sse([piece]), "stall")

const data = (value: object) => `data: ${JSON.stringify(value)}\n\n`

/** An answer as server-sent events, which ends in its protocol even if the deadline passes. */
const answer = LanguageModel.streamText({ prompt: "Why do sockets leak?" }).pipe(
  ProviderError.preciseStream,
  Stream.filter((part) => part.type === "text-delta"),
  Stream.map(({ delta }) => data({ text: delta })),
  Stream.catchTag("DeadlineExceeded", ({ _tag, message }) => Stream.make(data({ error: _tag, message }))),
  Stream.concat(Stream.make("data: [DONE]\n\n"))
)

const chat = HttpRouter.add(
  "GET",
  "/chat",
  Effect.map(
    LanguageModel.LanguageModel,
    (model) =>
      HttpServerResponse.stream(
        Stream.encodeText(Stream.provideService(answer, LanguageModel.LanguageModel, model)),
        { contentType: "text/event-stream" }
      )
  )
)

const calls = Effect.map(
  SessionRegistry.list(),
  (all) => all.filter(({ kind }) => kind === "call" || kind === "request")
)

describe("the deadline of a request", () => {
  it.live("reaches the stream of its handler, which ends in its own protocol", () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.make({ otherwise: hesitates })
      const Model = OpenAi.layer({
        model: "gpt-5-mini",
        baseUrl: `${provider.url}/v1`,
        credential: Dialect.credential("sk-test")
      }).pipe(Layer.provide(NodeTransport.layer()))
      const Server = NodeServer.layer({ port: 0, host: "127.0.0.1", deadline: "400 millis" })
      const app = HttpRouter.serve(chat, { disableLogger: true, disableListenLog: true })
      const context = yield* Layer.build(Layer.provideMerge(app, [Server, Model]))
      const { address } = Context.get(context, HttpServer.HttpServer)
      const url = `http://127.0.0.1:${"port" in address ? address.port : 0}/chat`
      const [status, body] = yield* Effect.promise(async () => {
        const response = await fetch(url)
        return [response.status, await response.text()] as const
      })
      const events = body.split("\n\n").filter((event) => event !== "").map((event) => event.slice("data: ".length))
      assert.strictEqual(status, 200)
      assert.deepStrictEqual(JSON.parse(events[0] ?? ""), { text: "Because" })
      assert.deepInclude(JSON.parse(events[1] ?? ""), { error: "DeadlineExceeded" })
      assert.strictEqual(events[2], "[DONE]")
      assert.lengthOf(events, 3)
      assert.deepStrictEqual(yield* calls, [])
    }).pipe(Effect.scoped, Effect.provide(SessionRegistry.layer())))
})
