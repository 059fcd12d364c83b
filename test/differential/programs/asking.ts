/** Who asks a server: through a transport and through a client, reading all, half, or nothing of the answers. */
import { Transport } from "@clawback/core"
import { Effect, Exit, Fiber, Pull, Schedule, Scope, Stream } from "effect"
import { HttpClient, type HttpClientError } from "effect/http"
import { type Handler, reset, silence } from "../memoryServer.ts"
import { effect, type Program } from "../program.ts"

const everyMode = ["interrupt", "close", "revoke"] as const
const url = (path: string) => `http://server.test${path}`

const pages: Handler = (path) => {
  switch (path) {
    case "/slow":
      return { after: 50, body: ["slow"] }
    case "/stalls":
      return { body: ["begun", silence] }
    case "/stalls/unsized":
      return { body: ["begun", silence], isSized: false }
    case "/breaks":
      return { body: ["begun", 10, reset] }
    case "/silent":
      return { after: silence }
    case "/large":
      return { body: Array.from({ length: 12 }, (_, i) => String(i).padEnd(10_000, ".")) }
    case "/busy":
      return { status: 503, body: ["busy"] }
    default:
      return { after: 5, body: [`page ${path}, `, 10, "part two, ", 10, "the end"] }
  }
}

/** Busy the first time, for each path. */
const busyFirst = (body: string): Handler => (path, times) =>
  times === 1 ? { status: 503, after: 5, body: [body] } : { after: 5, body: [`served ${path}`] }

const get = (path: string) =>
  Effect.flatMap(Transport.Transport, ({ execute }) => execute({ method: "GET", url: url(path), headers: {} }))
/** A page by a client, in a scope of its own. */
const page = (path: string) => Effect.scoped(Effect.flatMap(HttpClient.get(url(path)), ({ text }) => text))
const exchange = (name: string, body: Parameters<typeof effect>[2], modes: Program["modes"] = everyMode) =>
  effect("exchange", name, body, { form: "transport", handler: pages, modes })

const client = (name: string, body: Parameters<typeof effect>[2], handler: Handler = pages, atOnce = 1) =>
  effect("client", name, body, { form: "client", handler, modes: ["interrupt"], atOnce })
const reason = ({ reason }: HttpClientError.HttpClientError) => reason._tag

export const programs: ReadonlyArray<Program> = [
  exchange(
    "a page that is read",
    ({ say }) => Effect.flatMap(get("/a"), (page) => Effect.flatMap(Transport.text(page), say))
  ),
  exchange(
    "a page that is read as it comes",
    ({ say }) => Effect.flatMap(get("/a"), (page) => Stream.runForEach(Stream.decodeText(Transport.stream(page)), say))
  ),
  exchange("a page of which half is read", ({ say }) =>
    Effect.gen(function*() {
      const page = yield* get("/a")
      yield* page.body
      yield* say("one piece")
    })),
  exchange("a page that nobody reads", ({ say }) => Effect.flatMap(get("/a"), ({ status }) => say(status))),
  exchange("a large page that nobody reads", ({ say }) => Effect.flatMap(get("/large"), ({ status }) => say(status))),
  exchange(
    "a page that is slow to come",
    ({ say }) => Effect.flatMap(get("/slow"), (page) => Effect.flatMap(Transport.text(page), say))
  ),
  exchange(
    "a page that breaks",
    ({ say }) =>
      Effect.flatMap(get("/breaks"), Transport.text).pipe(Effect.catchTag("ConnectionLost", ({ phase }) => say(phase)))
  ),
  exchange("a sized page that stalls", ({ say }) =>
    Effect.gen(function*() {
      const page = yield* get("/stalls")
      yield* say(page.status)
      yield* Transport.text(page)
    }), ["interrupt", "revoke"]),
  exchange("an unsized page that stalls", ({ say }) =>
    Effect.gen(function*() {
      const page = yield* get("/stalls/unsized")
      yield* say(page.status)
      yield* Transport.text(page)
    }), ["interrupt", "revoke"]),
  exchange("an answer that never comes", () => get("/silent"), ["interrupt", "revoke"]),
  exchange("a request that is given up", ({ say }) =>
    Effect.andThen(
      Effect.timeoutOption(Effect.scoped(get("/silent")), 100),
      Effect.flatMap(Effect.scoped(Effect.flatMap(get("/a"), Transport.text)), say)
    ), ["interrupt", "revoke"]),
  exchange("two pages, one after the other", ({ say }) =>
    Effect.gen(function*() {
      yield* say(yield* Effect.scoped(Effect.flatMap(get("/a"), Transport.text)))
      yield* say(yield* Effect.scoped(Effect.flatMap(get("/b"), Transport.text)))
    })),
  exchange("two pages at once", ({ say }) =>
    Effect.gen(function*() {
      const one = yield* get("/a")
      const other = yield* get("/b")
      yield* say(yield* Transport.text(one))
      yield* say(yield* Transport.text(other))
    })),
  exchange("five pages, two at a time", ({ say }) =>
    Effect.forEach(
      ["/a", "/b", "/c", "/d", "/e"],
      (path) => Effect.scoped(Effect.flatMap(get(path), Transport.text)),
      { concurrency: 2 }
    ).pipe(Effect.flatMap(say)), ["interrupt", "revoke"]),
  exchange("a call of a fiber on its own, in a scope that closes", ({ say }) =>
    Effect.gen(function*() {
      yield* Effect.acquireUseRelease(Scope.make(), (scope) =>
        Effect.forkDetach(Effect.ignore(Scope.provide(Effect.flatMap(get("/stalls"), Transport.text), scope)), {
          startImmediately: true
        }), (scope) =>
        Scope.close(scope, Exit.void))
      yield* say(yield* Effect.scoped(Effect.flatMap(get("/a"), Transport.text)))
    }), ["interrupt"]),
  exchange("a body that is sent as it is made", ({ hold, say }) =>
    Effect.gen(function*() {
      const { execute } = yield* Transport.Transport
      const body = Stream.unwrap(Effect.as(hold("file"), Stream.encodeText(Stream.make("a", "b"))))
      const page = yield* execute({ method: "POST", url: url("/a"), headers: {}, body })
      yield* say(yield* Transport.text(page))
    }), ["interrupt", "revoke"]),

  client(
    "a page, by a client",
    ({ say }) => Effect.flatMap(HttpClient.get(url("/a")), ({ text }) => Effect.flatMap(text, say))
  ),
  client(
    "a page as it comes, by a client",
    ({ say }) =>
      Effect.flatMap(HttpClient.get(url("/a")), ({ stream }) => Stream.runForEach(Stream.decodeText(stream), say))
  ),
  client("the first piece of a page, by a client", ({ say }) =>
    Effect.flatMap(
      HttpClient.get(url("/a")),
      ({ stream }) => Stream.runForEach(Stream.take(Stream.decodeText(stream), 1), say)
    )),
  client(
    "a page that nobody reads, by a client",
    ({ say }) => Effect.flatMap(HttpClient.get(url("/a")), ({ status }) => say(status))
  ),
  client("a page that is read twice, by a client", ({ say }) =>
    Effect.gen(function*() {
      const page = yield* HttpClient.get(url("/a"))
      yield* say(yield* page.text)
      yield* say(yield* page.text)
    })),
  client("one page, another, and then their bodies", ({ say }) =>
    Effect.gen(function*() {
      const one = yield* HttpClient.get(url("/a"))
      const other = yield* HttpClient.get(url("/b"))
      yield* say(yield* one.text)
      yield* say(yield* other.text)
    })),
  client(
    "a page that breaks, by a client",
    ({ say }) =>
      Effect.flatMap(HttpClient.get(url("/breaks")), ({ text }) => text).pipe(
        Effect.catchTag("HttpClientError", (error) => say(reason(error)))
      )
  ),
  client(
    "a status that is an error",
    ({ say }) =>
      Effect.flatMap(HttpClient.HttpClient, (client) => HttpClient.filterStatusOk(client).get(url("/busy"))).pipe(
        Effect.catchTag("HttpClientError", (error) => say(reason(error)))
      )
  ),
  client("as many calls as connections, each tried again", ({ say }) =>
    Effect.gen(function*() {
      const client = HttpClient.retryTransient(yield* HttpClient.HttpClient, { times: 2 })
      const pages = yield* Effect.forEach(
        ["/a", "/b"],
        (path) => Effect.scoped(Effect.flatMap(client.get(url(path)), ({ text }) => text)),
        { concurrency: "unbounded" }
      )
      yield* say(pages)
    }), busyFirst("busy")),
  client("a call tried again after a large refusal", ({ say }) =>
    Effect.gen(function*() {
      const client = HttpClient.retryTransient(yield* HttpClient.HttpClient, { times: 2 })
      yield* say(yield* Effect.scoped(Effect.flatMap(client.get(url("/a")), ({ text }) => text)))
    }), busyFirst("busy".repeat(30_000))),
  client("a call tried again on a schedule", ({ say }) =>
    Effect.gen(function*() {
      const client = HttpClient.filterStatusOk(yield* HttpClient.HttpClient)
      const page = yield* client.get(url("/a")).pipe(Effect.retry(Schedule.spaced(20)))
      yield* say(yield* page.text)
    }), busyFirst("busy")),
  client("a call in a scope of its own", ({ say }) =>
    Effect.gen(function*() {
      const client = HttpClient.withScope(yield* HttpClient.HttpClient)
      yield* Effect.scoped(Effect.flatMap(client.get(url("/stalls")), ({ status }) => say(status)))
      yield* say(yield* Effect.scoped(Effect.flatMap(client.get(url("/a")), ({ text }) => text)))
    })),
  client(
    "the faster of two calls",
    ({ say }) =>
      Effect.gen(function*() {
        yield* say(yield* Effect.race(page("/slow"), page("/a")))
      }),
    pages,
    2
  ),
  client("a call that is given up, and another", ({ say }) =>
    Effect.gen(function*() {
      yield* say(yield* Effect.timeoutOption(page("/silent"), 30))
      yield* say(yield* page("/a"))
    })),
  client("a fiber that reads what another one asked for", ({ say }) =>
    Effect.gen(function*() {
      const page = yield* HttpClient.get(url("/a"))
      const reader = yield* Effect.forkChild(page.text)
      yield* say(yield* Fiber.join(reader))
    })),
  client("a page read by hand", ({ say }) =>
    Effect.gen(function*() {
      const page = yield* HttpClient.get(url("/a"))
      const pull = yield* Stream.toPull(Stream.decodeText(page.stream))
      yield* Pull.catchDone(Effect.forever(Effect.flatMap(pull, (texts) => Effect.forEach(texts, say))), () =>
        Effect.void)
    }))
]
