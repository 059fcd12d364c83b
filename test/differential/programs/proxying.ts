/** Handlers that ask others: three of ours inside of each other. */
import { type Context, Effect, Fiber, Stream } from "effect"
import { HttpClient, HttpServerResponse } from "effect/http"
import { Chat, talk } from "../chat.ts"
import { type Handler, silence } from "../memoryServer.ts"
import { handler, type Program } from "../program.ts"

const url = (path: string) => `http://server.test${path}`
const words = talk(["why ", 10, "do ", 10, "sockets ", 10, "leak?"])

const upstream: Handler = (path, times, body) => {
  switch (path) {
    case "/audit":
      return { after: 2000, body: ["noted"] }
    case "/stalls":
      return { body: ["begun", silence], isSized: false }
    case "/page":
      return { after: 5, body: ["one ", 10, "two ", 10, "three"] }
    default:
      return words(path, times, body)
  }
}

const proxied = (name: string, body: Parameters<typeof handler>[2]) =>
  handler("proxy", name, body, { form: "proxy", handler: upstream, atOnce: 2 })
const streamed = <E, R>(body: Stream.Stream<Uint8Array, E, R>) =>
  Effect.contextWith((context: Context.Context<R>) =>
    Effect.succeed(HttpServerResponse.stream(Stream.provideContext(body, context), { contentType: "text/plain" }))
  )
const spoken = Stream.unwrap(Effect.map(Chat, ({ stream }) => stream))

export const programs: ReadonlyArray<Program> = [
  proxied(
    "a page that is passed on whole",
    () =>
      Effect.flatMap(
        HttpClient.get(url("/page")),
        ({ text }) => Effect.map(text, (text) => HttpServerResponse.text(text))
      )
  ),
  proxied(
    "a page that is passed on as it comes",
    () => Effect.flatMap(HttpClient.get(url("/page")), ({ stream }) => streamed(stream))
  ),
  proxied(
    "the first piece of a page that is passed on",
    () => Effect.flatMap(HttpClient.get(url("/page")), ({ stream }) => streamed(Stream.take(stream, 1)))
  ),
  proxied(
    "a page that is asked for by the body",
    () => streamed(Stream.unwrap(Effect.map(HttpClient.get(url("/page")), ({ stream }) => stream)))
  ),
  proxied(
    "a page that nobody passes on",
    () => Effect.as(HttpClient.get(url("/page")), HttpServerResponse.text("nothing"))
  ),
  proxied("a page that stalls, given up in time", ({ say }) =>
    Effect.gen(function*() {
      const page = Effect.scoped(Effect.flatMap(HttpClient.get(url("/stalls")), ({ text }) => text))
      yield* say(yield* Effect.timeoutOption(page, 100))
      return HttpServerResponse.text("given up")
    })),
  proxied("a note that a fiber on its own sends after the answer", () =>
    Effect.gen(function*() {
      yield* Effect.forkDetach(Effect.ignore(Effect.flatMap(HttpClient.get(url("/audit")), ({ text }) => text)))
      return HttpServerResponse.text("accepted")
    })),
  proxied("two pages at once, for one answer", () =>
    Effect.gen(function*() {
      const page = Effect.scoped(Effect.flatMap(HttpClient.get(url("/page")), ({ text }) => text))
      const other = yield* Effect.forkChild(page)
      return HttpServerResponse.text((yield* page) + (yield* Fiber.join(other)))
    })),
  proxied(
    "an answer of a model, as it comes",
    ({ hold }) => streamed(Stream.encodeText(Stream.unwrap(Effect.as(hold("a"), spoken))))
  ),
  proxied(
    "an answer of a model, whole",
    () => Effect.map(Effect.flatMap(Chat, ({ generate }) => generate), (text) => HttpServerResponse.text(text))
  )
]
