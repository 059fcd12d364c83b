import * as HttpClientView from "@clawback/core/HttpClientView"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as TransportError from "@clawback/core/TransportError"
import * as NodeTransport from "@clawback/node/NodeTransport"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Option, Schedule, Stream } from "effect"
import { HttpClient } from "effect/http"
import type * as Http from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as Servers from "./Servers.ts"

const client = (connections: number) =>
  Effect.provide(
    HttpClientView.layerHttpClient.pipe(
      Layer.provide(NodeTransport.layer({ connections })),
      Layer.provideMerge(SessionRegistry.layer())
    )
  )

const soon = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.timeout(effect, "2 seconds")
const later = (millis: number, then: () => void) => void sleep(millis).then(then)

/** Looks until no exchange is left, or for 2 seconds. Returns the last look. */
const withoutExchange = <E, R>(look: Effect.Effect<Readonly<Record<string, number>>, E, R>) =>
  Effect.repeat(look, {
    until: (counts) => counts["exchange"] === undefined,
    schedule: Schedule.max([Schedule.spaced("20 millis"), Schedule.recurs(100)])
  }).pipe(Effect.andThen(look))
const text = (url: string) => Effect.flatMap(HttpClient.get(url), (response) => response.text)

/** Answers each path once with an error, and then well. */
const overloaded = (answer: (response: Http.ServerResponse) => void) => {
  const seen = new Set<string | undefined>()
  return Servers.http((request, response) => {
    if (seen.has(request.url)) return response.end("ok")
    seen.add(request.url)
    response.statusCode = 503
    answer(response)
  })
}

const large = Buffer.alloc(2_000_000, "x")

const errorBodies: Readonly<Record<string, (response: Http.ServerResponse) => void>> = {
  "small ones": (response) => response.end("busy"),
  "some that come in chunks": (response) => {
    response.write("bu")
    later(5, () => response.end("sy"))
  },
  "some of 2 MB": (response) => response.end(large),
  "some of 2 MB in chunks": (response) => {
    response.write(large)
    response.end()
  },
  "some that never come": (response) => {
    response.setHeader("content-length", "4")
    response.flushHeaders()
  },
  "some that never end": (response) => response.write("bu")
}

describe("A transport as an HttpClient: as many calls as connections meet an error, and retry", () => {
  for (const [name, answer] of Object.entries(errorBodies)) {
    it.live(`all are served, where the error bodies are ${name}`, () =>
      Effect.gen(function*() {
        const { url } = yield* overloaded(answer)
        const retrying = HttpClient.retryTransient(yield* HttpClient.HttpClient, { times: 1 })
        const calls = Effect.forEach(
          Array.from({ length: 8 }, (_, n) => n),
          (n) => Effect.scoped(Effect.flatMap(retrying.get(`${url}/${n}`), (response) => response.text)),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(yield* soon(calls), Array(8).fill("ok"))
        assert.isUndefined((yield* SessionRegistry.counts)["exchange"])
      }).pipe(client(8)))
  }
})

describe("A transport as an HttpClient: an unread body", () => {
  it.live("of an error is read at once, and its connection is returned; it can be read later", () =>
    Effect.gen(function*() {
      const { accepted, url } = yield* overloaded((response) => response.end("busy"))
      const first = yield* HttpClient.get(url)
      assert.deepStrictEqual(yield* withoutExchange(SessionRegistry.counts), { connection: 1 })
      assert.strictEqual(yield* soon(text(url)), "ok")
      assert.deepStrictEqual([first.status, yield* first.text, yield* first.text], [503, "busy", "busy"])
      assert.strictEqual(accepted(), 1)
    }).pipe(client(1)))

  it.live("of an error is not lost where it is small and comes a little later than another call waits", () =>
    Effect.gen(function*() {
      const { accepted, url } = yield* overloaded((response) => {
        response.write("bu")
        later(30, () => response.end("sy"))
      })
      const first = yield* HttpClient.get(url)
      assert.strictEqual(yield* soon(text(url)), "ok")
      assert.strictEqual(yield* Stream.mkString(Stream.decodeText(first.stream)), "busy")
      assert.strictEqual(accepted(), 1)
    }).pipe(client(1)))

  for (
    const [name, answer] of [["large", "some of 2 MB"], ["large, in chunks", "some of 2 MB in chunks"], [
      "late",
      "some that never come"
    ]] as const
  ) {
    it.live(`of an error that is ${name} is closed once another call waits, and a later read fails`, () =>
      Effect.gen(function*() {
        const { url } = yield* overloaded(errorBodies[answer]!)
        const first = yield* HttpClient.get(url)
        yield* Effect.sleep(20)
        assert.strictEqual((yield* SessionRegistry.counts)["exchange"], 1)
        assert.strictEqual(yield* soon(text(url)), "ok")
        const error = yield* Effect.flip(first.text)
        assert.strictEqual(error.reason._tag, "DecodeError")
        assert.deepStrictEqual(error.reason.cause, new TransportError.UnreadBodyClosed({ status: 503 }))
        assert.match((error.reason.cause as Error).message, /another call waited.*Effect.scoped/)
        assert.isTrue(yield* Effect.isFailure(Stream.runDrain(first.stream)))
      }).pipe(client(1)))
  }

  it.live("of an error is not closed once a reader has begun", () =>
    Effect.gen(function*() {
      const { url } = yield* overloaded((response) => {
        response.write(large.subarray(0, 1_000_000))
        later(300, () => response.end(large.subarray(1_000_000)))
      })
      const first = yield* HttpClient.get(url)
      const reader = yield* Effect.forkChild(first.text, { startImmediately: true })
      assert.strictEqual(yield* soon(text(url)), "ok")
      assert.lengthOf(yield* Fiber.join(reader), large.length)
    }).pipe(client(1)))

  for (
    const [name, answer] of [
      ["with a length", (response) => response.end("hello")],
      ["in chunks", (response) => {
        response.write("hel")
        later(5, () => response.end("lo"))
      }]
    ] satisfies ReadonlyArray<readonly [string, (response: Http.ServerResponse) => void]>
  ) {
    it.live(`of a small success, ${name}, gives its connection up to a call that waits, and is not lost`, () =>
      Effect.gen(function*() {
        const { accepted, url } = yield* Servers.http((_, response) => answer(response))
        const bodies = Effect.gen(function*() {
          const a = yield* HttpClient.get(url)
          const b = yield* HttpClient.get(url)
          const c = yield* HttpClient.get(url)
          return [yield* b.text, yield* a.text, yield* c.text]
        })
        assert.deepStrictEqual(yield* soon(bodies), ["hello", "hello", "hello"])
        assert.strictEqual(accepted(), 1)
      }).pipe(client(1)))
  }

  it.live("of a large success is never dropped, in whatever way its length is known", () =>
    Effect.forEach([true, false], (isSized) =>
      Effect.gen(function*() {
        const { url } = yield* Servers.http((_, response) => {
          if (!isSized) response.write("")
          if (!isSized) response.flushHeaders()
          response.end(large)
        })
        const first = yield* HttpClient.get(url)
        assert.isTrue(Option.isNone(yield* Effect.timeoutOption(text(url), 100)))
        assert.lengthOf(yield* first.text, large.length)
        assert.lengthOf(yield* soon(text(url)), large.length)
      }).pipe(client(1))))

  it.live("and is none, does not keep its connection from a call that waits", () =>
    Effect.gen(function*() {
      const { url } = yield* Servers.http((_, response) => {
        response.statusCode = 302
        response.setHeader("location", "/elsewhere")
        response.end("moved")
      })
      const heads = Effect.all([HttpClient.head(url), HttpClient.get(url), HttpClient.head(url), HttpClient.get(url)])
      assert.lengthOf(yield* soon(heads), 4)
    }).pipe(client(1)))

  it.live("ends with its scope: what is small is drained, and its connection kept", () =>
    Effect.gen(function*() {
      const { accepted, url } = yield* Servers.http((_, response) => {
        response.statusCode = 503
        response.setHeader("content-length", "4")
        response.flushHeaders()
        later(20, () => response.end("busy"))
      })
      for (let i = 0; i < 3; i++) yield* Effect.scoped(HttpClient.get(url))
      assert.strictEqual(accepted(), 1)
      assert.deepStrictEqual(yield* SessionRegistry.counts, { connection: 1 })
    }).pipe(client(1)))
})

describe("A transport as an HttpClient: a lost and unread response", () => {
  setFlagsFromString("--expose-gc")
  const collect: () => void = runInNewContext("gc")

  const answers: Readonly<Record<string, (response: Http.ServerResponse) => void>> = {
    "a success": (response) => {
      response.setHeader("content-length", "200000")
      response.write("part")
    },
    "an error": (response) => {
      response.statusCode = 503
      response.write("part")
    }
  }
  const runs = Object.entries(answers).flatMap(([name, answer]) =>
    [false, true].map((isTraced) => ({ name: `${name}, ${isTraced ? "under a span" : "untraced"}`, answer, isTraced }))
  )
  for (const { answer, isTraced, name } of runs) {
    it.live(`is closed once the collector has found it, and the next call is served: ${name}`, () =>
      Effect.gen(function*() {
        let isWell = false
        const { url } = yield* Servers.http((_, response) => isWell ? response.end("ok") : answer(response))
        const lost = Effect.gen(function*() {
          // Its fiber has ended with the response, and somebody knew that fiber.
          const response = yield* Fiber.join(yield* Effect.forkChild(Effect.withSpan(HttpClient.get(url), "getting")))
          yield* Effect.sleep(50)
          return yield* response.text
        }).pipe(Effect.withSpan("calling"))
        yield* Effect.forEach(Array.from({ length: 4 }), () => Effect.timeoutOption(lost, 20), { discard: true })
        isWell = true
        const collecting = Effect.forever(Effect.andThen(Effect.sync(collect), Effect.sleep(20)))
        assert.strictEqual(yield* soon(Effect.raceFirst(text(url), collecting)), "ok")
        const left = Effect.andThen(Effect.sync(collect), SessionRegistry.counts)
        assert.isUndefined((yield* withoutExchange(left))["exchange"])
      }).pipe(Effect.withTracerEnabled(isTraced), client(4)))
  }
})
