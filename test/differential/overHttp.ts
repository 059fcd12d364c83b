/** Clients of a server, with our transport and without: a transport, an `HttpClient`, and both faces of a model. */
import { Deadline, Retry, Session, Transport } from "@clawback/core"
import * as HttpClientView from "@clawback/core/HttpClientView"
import * as RequestScope from "@clawback/core/RequestScope"
import { OpenAi } from "@clawback/providers"
import { ConfigProvider, Effect, Layer } from "effect"
import { LanguageModel } from "effect/ai"
import { HttpClient, HttpRouter } from "effect/http"
import { Chat, ofLanguageModel, ofTarget, plainModel } from "./chat.ts"
import { plainClient, plainTransport } from "./memoryServer.ts"
import type { Form } from "./program.ts"
import { plain, type World, type Wrapper } from "./wrappers.ts"

const url = (path: string) => `http://server.test${path}`

const transport = (connections: number) => ({ server }: World) =>
  Layer.effect(Transport.Transport, Transport.make(server.wire, { connections }))
const withoutTransport = ({ server }: World) => Layer.succeed(Transport.Transport, plainTransport(server))

/** As many concurrent calls as connections: each must get one. */
const calls = <E, R>(call: Effect.Effect<unknown, E, R>, connections: number) =>
  Effect.all(Array.from({ length: connections }, () => Effect.scoped(call)), { concurrency: "unbounded" })

const probeTransport = (connections: number) =>
  calls(
    Effect.flatMap(Transport.Transport, ({ execute }) =>
      Effect.flatMap(execute({ method: "GET", url: url("/probe"), headers: {} }), Transport.text)),
    connections
  )
const probeClient = (connections: number) =>
  calls(Effect.flatMap(HttpClient.get(url("/probe")), ({ text }) => text), connections)

const asked = (name: string, form: Form, layer: Wrapper["layer"], rest: Partial<Wrapper> = {}): Wrapper => ({
  ...plain,
  name,
  forms: [form],
  layer,
  ...rest
})

/** A rest of a body is read for a quarter of a second, so that its connection can be kept. */
const drain = 250

// Transports

const ownTransport = asked("plain transport", "transport", withoutTransport)
const viaTransport = (name: string, connections: number, rest: Partial<Wrapper> = {}) =>
  asked(name, "transport", transport(connections), {
    oracles: [ownTransport],
    revokes: { kind: "exchange" },
    endsWithItsScope: true,
    slack: drain,
    connections,
    probe: probeTransport(connections),
    ...rest
  })

export const transports: ReadonlyArray<Wrapper> = [
  viaTransport("Transport.make", 2),
  viaTransport("Transport.make, many connections", 8),
  viaTransport("Session.scoped(Transport.make)", 2, {
    effect: (self) => Session.scoped({ kind: "work", name: "of the table" })(self) as never
  }),
  viaTransport("Deadline.within(Transport.make)", 2, { effect: (self) => Deadline.within("1 hour")(self) }),
  asked(
    "HttpClientView.fromHttpClient",
    "transport",
    ({ server }) => Layer.succeed(Transport.Transport, HttpClientView.fromHttpClient(plainClient(server))),
    {
      oracles: [ownTransport],
      revokes: { kind: "exchange" }
    }
  )
]

// Clients

const ownClient = asked(
  "plain client",
  "client",
  ({ server }) => Layer.succeed(HttpClient.HttpClient, plainClient(server))
)
const viaClient = (name: string, connections: number, rest: Partial<Wrapper> = {}) =>
  asked(name, "client", (world) => HttpClientView.layerHttpClient.pipe(Layer.provide(transport(connections)(world))), {
    oracles: [ownClient],
    slack: drain,
    connections,
    probe: probeClient(connections),
    ...rest
  })

export const clients: ReadonlyArray<Wrapper> = [
  viaClient("HttpClientView", 2),
  viaClient("HttpClientView, one connection", 1),
  viaClient("Session.scoped(HttpClientView)", 2, {
    effect: (self) => Session.scoped({ kind: "work", name: "of the table" })(self) as never
  }),
  asked("HttpClientView over its own reverse", "client", ({ server }) =>
    HttpClientView.layerHttpClient.pipe(
      Layer.provide(Layer.succeed(Transport.Transport, HttpClientView.fromHttpClient(plainClient(server))))
    ), { oracles: [ownClient] })
]

// Models

const config = ConfigProvider.layer(ConfigProvider.fromUnknown({ OPENAI_API_KEY: "sk-nobody" }))
const ownModel = asked(
  "plain model",
  "chat",
  ({ server }) =>
    Layer.provideMerge(ofLanguageModel, Layer.effect(LanguageModel.LanguageModel, plainModel(plainTransport(server))))
)
const target = (options: Partial<OpenAi.Options> = {}) => (world: World) =>
  OpenAi.layer({ model: "m", baseUrl: url("/v1"), ...options }).pipe(
    Layer.provide([transport(2)(world), config]),
    Layer.orDie
  )
const viaModel = (name: string, layer: Wrapper["layer"], rest: Partial<Wrapper> = {}) =>
  asked(name, "chat", layer, {
    oracles: [ownModel],
    revokes: { kind: "call" },
    endsWithItsScope: true,
    slack: drain,
    ...rest
  })

const inSession = Layer.effect(
  Chat,
  Effect.map(Chat, ({ generate, stream }) => ({
    generate: Session.scoped({ kind: "work", name: "of the table" })(generate),
    stream: Session.scopedStream({ kind: "work", name: "of the table" })(stream)
  }))
)

export const models: ReadonlyArray<Wrapper> = [
  viaModel("LanguageModel of a target", (world) => Layer.provideMerge(ofLanguageModel, target()(world))),
  viaModel("Target.generate and Target.stream", (world) => Layer.provideMerge(ofTarget, target()(world))),
  viaModel(
    "LanguageModel of a target that tries again",
    (world) => Layer.provideMerge(ofLanguageModel, target({ retry: Retry.jittered() })(world))
  ),
  viaModel(
    "Session.scopedStream and Session.scoped around a target",
    (world) => inSession.pipe(Layer.provide(ofTarget), Layer.provideMerge(target()(world)))
  )
]

// Handlers

const routed = (more: Layer.Layer<never, never, HttpRouter.HttpRouter>): Wrapper["effect"] => (self) =>
  Effect.flatten(
    HttpRouter.toHttpEffect(Layer.mergeAll(HttpRouter.add("GET", "/page", self as never), more)) as never
  ) as never

/** A bare handler is run so that nothing interrupts it, which no handler of ours is. */
const interruptible: Wrapper = { ...plain, name: "interruptible", effect: Effect.interruptible }
const ownRouter: Wrapper = { ...plain, name: "plain router", effect: routed(Layer.empty) }

export const handlers: ReadonlyArray<Wrapper> = [
  {
    ...plain,
    name: "RequestScope.http",
    forms: ["handler"],
    oracles: [interruptible],
    revokes: { kind: "request" },
    effect: (self) => RequestScope.http()(self as never) as never
  },
  {
    ...plain,
    name: "RequestScope.layer",
    forms: ["handler"],
    oracles: [ownRouter],
    revokes: { kind: "request" },
    effect: routed(RequestScope.layer())
  }
]

// Handlers that ask

const ownProxy: Wrapper = {
  ...interruptible,
  name: "plain proxy",
  layer: (world) => Layer.mergeAll(ownClient.layer(world), ownModel.layer(world))
}
const viaProxy = (name: string, layer: Wrapper["layer"], effect: Wrapper["effect"]): Wrapper => ({
  ...plain,
  name,
  forms: ["proxy"],
  oracles: [ownProxy],
  connections: 2,
  slack: drain,
  layer,
  effect
})
const inRequest: Wrapper["effect"] = (self) => RequestScope.http()(self as never) as never
const ours: Wrapper["layer"] = (world) =>
  HttpClientView.layerHttpClient.pipe(
    Layer.merge(Layer.orDie(Layer.provide(ofTarget, OpenAi.layer({ model: "m", baseUrl: url("/v1") })))),
    Layer.provide([transport(2)(world), config])
  )

export const proxies: ReadonlyArray<Wrapper> = [
  viaProxy("RequestScope.http", ownProxy.layer, inRequest),
  viaProxy("RequestScope.http over Transport.make", ours, inRequest),
  viaProxy("Transport.make", ours, Effect.interruptible)
]
