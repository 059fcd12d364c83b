/** A server whose requests each call a model: routes, an API and remote calls, each in a request scope. */
import { SessionRegistry } from "@clawback/core"
import * as RequestScope from "@clawback/core/RequestScope"
import { NodeTransport } from "@clawback/node"
import * as NodeServer from "@clawback/node/NodeServer"
import { OpenAi } from "@clawback/providers"
import { ConfigProvider, Effect, Layer, Schema, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { Rpc, RpcGroup, RpcSerialization, RpcServer } from "effect/rpc"
import { argv } from "node:process"

/** The text of the model, as long as it is read. */
const talk = Effect.map(
  Effect.context<LanguageModel.LanguageModel>(),
  (context) =>
    LanguageModel.streamText({ prompt: "Why do sockets leak?" }).pipe(
      Stream.filter((part) => part.type === "text-delta"),
      Stream.map((part) => part.delta),
      Stream.orDie,
      Stream.provideContext(context)
    )
)

const Routes = HttpRouter.add(
  "GET",
  "/route",
  Effect.map(talk, (text) => HttpServerResponse.stream(Stream.encodeText(text), { contentType: "text/plain" }))
)

class Api extends HttpApi.make("api").add(
  HttpApiGroup.make("chat").add(
    HttpApiEndpoint.get("talk", "/api", { success: HttpApiSchema.StreamSse({ data: Schema.String }) })
  )
) {}
const ApiRoutes = HttpApiBuilder.layer(Api).pipe(
  Layer.provide(HttpApiBuilder.group(Api, "chat", (handlers) => handlers.handle("talk", () => talk)))
)

class Calls extends RpcGroup.make(
  Rpc.make("talk", { success: Schema.String, error: RequestScope.RpcError, stream: true })
).middleware(RequestScope.Rpc) {}
const RpcRoutes = RpcServer.layerHttp({ group: Calls, path: "/rpc", protocol: "http" }).pipe(
  Layer.provide([
    Calls.toLayer({ talk: () => Stream.unwrap(talk) }),
    RequestScope.layerRpc(),
    RpcSerialization.layerNdjson
  ])
)

const Server = NodeServer.layer({
  port: 0,
  host: "127.0.0.1",
  caller: (headers) => Effect.succeed({ tenant: headers["x-tenant"] })
})

const Model = OpenAi.layer({ model: "gpt-5", baseUrl: argv[2] ?? "" }).pipe(
  Layer.provide(NodeTransport.layer({ connections: 512, maxWaiting: 4096 })),
  Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ OPENAI_API_KEY: "sk-nobody" })))
)

const Served = HttpRouter.serve(Layer.mergeAll(Routes, ApiRoutes, RpcRoutes), { disableLogger: true }).pipe(
  Layer.provideMerge(Server),
  Layer.provide(Model)
)

const held = Effect.gen(function*() {
  const open = yield* SessionRegistry.list()
  return {
    counts: yield* SessionRegistry.counts,
    tenants: [...new Set(open.flatMap(({ owner }) => owner.caller?.tenant ?? []))]
  }
})

const main = Effect.gen(function*() {
  const { address } = yield* HttpServer.HttpServer
  process.on("message", () => void Effect.runPromise(held).then((held) => process.send?.(held)))
  process.send?.({ port: "port" in address ? address.port : 0 })
  yield* Effect.callback<void>((resume) => void process.once("disconnect", () => resume(Effect.void)))
})

await Effect.runPromise(Effect.provide(main, Served))
