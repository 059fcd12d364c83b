/**
 * A chat over HTTP. When the client leaves, the model call is cancelled: `npm run example -- http-api`.
 *
 * `curl -N 'http://localhost:3000/chat?prompt=Why'` streams an answer as server-sent events. Press Ctrl-C in the middle of it:
 * the provider's work is cancelled. `curl http://localhost:3000/held` counts the open sessions by kind. `PORT` sets the port; 0 is
 * any free port.
 */
import { SessionRegistry } from "@clawback/core"
import { NodeShutdown, NodeTransport } from "@clawback/node"
import * as NodeServer from "@clawback/node/NodeServer"
import { OpenAi } from "@clawback/providers"
import { Config, Effect, Layer, Schema, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import { HttpRouter } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { Provider } from "../standIn.ts"

/** The error that a client gets. The provider's message and address go to the log only. */
class ChatFailed extends Schema.TaggedError<ChatFailed>("ChatFailed")("ChatFailed", {
  message: Schema.String
}) {}

class Api extends HttpApi.make("api").add(
  HttpApiGroup.make("chat").add(
    HttpApiEndpoint.get("chat", "/chat", {
      query: { prompt: Schema.NonEmptyString },
      success: HttpApiSchema.StreamSse({ data: Schema.String, error: ChatFailed })
    }),
    HttpApiEndpoint.get("held", "/held", { success: Schema.Record(Schema.String, Schema.Int) })
  )
) {}

const Chat = HttpApiBuilder.group(Api, "chat", (handlers) =>
  handlers
    .handle("chat", ({ query: { prompt } }) =>
      Effect.map(Effect.context<LanguageModel.LanguageModel>(), (context) =>
        LanguageModel.streamText({ prompt }).pipe(
          Stream.filter((part) =>
            part.type === "text-delta"
          ),
          Stream.map(({ delta }) => delta),
          Stream.tapError((error) => Effect.logError("A chat failed", error.message)),
          Stream.mapError(() => new ChatFailed({ message: "There is no answer at present" })),
          Stream.provideContext(context)
        )))
    .handle("held", () => SessionRegistry.counts))

const Model = OpenAi.layer({ model: "gpt-5-mini" }).pipe(Layer.provide([NodeTransport.layer(), Provider]))

/** Each request is a session with a deadline. What it holds is released when its client goes, and a shutdown drains it. */
const Server = Layer.unwrap(Effect.gen(function*() {
  const port = yield* Config.withDefault(Config.Int("PORT"), 3000)
  return NodeServer.layer({ port, host: "127.0.0.1", deadline: "2 minutes" })
}))

const Served = HttpRouter.serve(HttpApiBuilder.layer(Api).pipe(Layer.provide(Chat))).pipe(
  Layer.provide(Server),
  Layer.provide(Model)
)

NodeShutdown.runMain(Layer.launch(Served))
