import { Behavior, FaultyProvider } from "@clawback/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { answers, control } from "./FaultyProviderSuite.ts"
import * as Raw from "./support/rawClient.ts"

const { header } = FaultyProvider

control("this process", FaultyProvider.make)
answers("this process", FaultyProvider.make)
// Answers are given by the same code there.
control("a process of its own", FaultyProvider.makeProcess)

describe("FaultyProvider in its own process: endings", () => {
  it.effect("a reset does not overtake what was sent before it", () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.makeProcess()
      for (let i = 0; i < 10; i++) {
        const client = yield* Raw.send(provider.url, header(Behavior.cutAt(Behavior.bytes("hello"), 3, "reset")))
        yield* client.until(() => client.ended() !== undefined)
        assert.strictEqual(client.ended(), "reset")
        assert.isTrue(client.text().endsWith("3\r\nhel\r\n"), client.text())
      }
    }))
})

/** Lets the server run into its next wait, and checks that nothing comes in the meantime. */
const quiet = (client: Raw.Client, provider: FaultyProvider.FaultyProvider["Service"]) =>
  Effect.gen(function*() {
    const before = client.text()
    yield* Raw.ask(provider.url, header("openai.slow_down"))
    assert.strictEqual(client.text(), before)
  })

describe("FaultyProvider: time", () => {
  it.effect("a first byte is delayed as requested", () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.make()
      const client = yield* Raw.send(provider.url, header(Behavior.delayed(Behavior.json(1), "10 seconds")))
      yield* provider.untilRequest(({ state }) => state === "answering")
      yield* TestClock.adjust("9 seconds")
      yield* quiet(client, provider)
      yield* TestClock.adjust("1 second")
      yield* client.until(() => Raw.parse(client.text())?.body === "1")
    }))

  it.effect("a behavior ends when its client has left", () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.make()
      const client = yield* Raw.send(provider.url, header(Behavior.delayed(Behavior.json(1), "10 seconds"), "mine"))
      yield* provider.untilRequest(({ state }) => state === "answering")
      client.socket.destroy()
      yield* provider.untilRequest(({ id, state }) => id === "mine" && state === "aborted")
      yield* TestClock.adjust("10 seconds")
      yield* Raw.ask(provider.url)
      assert.deepInclude((yield* provider.requests)[0], { id: "mine", headAt: undefined, sent: 0 })
    }))

  it.effect("a body is delayed after its head as requested", () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.make()
      const client = yield* Raw.send(
        provider.url,
        header(Behavior.delayedAfterHead(Behavior.bytes("late"), "1 minute"))
      )
      yield* client.until(() => client.text().endsWith("\r\n\r\n"))
      yield* TestClock.adjust("59 seconds")
      yield* quiet(client, provider)
      yield* TestClock.adjust("1 second")
      yield* client.until(() => Raw.parse(client.text())?.body === "late")
    }))

  it.effect("events are sent one by one, with pauses", () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.make()
      const events = ["a", { event: "ping", data: {} }, { comment: "still here" }, { id: "7", retry: 10, data: "b\nc" }]
      const client = yield* Raw.send(provider.url, header(Behavior.sse(events, { every: "1 second" })))
      const wire = [
        "data: a\n\n",
        "event: ping\ndata: {}\n\n",
        ": still here\n\n",
        "id: 7\nretry: 10\ndata: b\ndata: c\n\n"
      ]
      for (const event of wire) {
        yield* client.until(() => client.text().includes(`${event.length.toString(16)}\r\n${event}\r\n`))
        if (event !== wire.at(-1)) yield* quiet(client, provider)
        yield* TestClock.adjust("1 second")
      }
      yield* client.until(() => Raw.parse(client.text()) !== undefined)
      assert.strictEqual(Raw.parse(client.text())?.body, wire.join(""))
    }))

  it.effect("pieces are sent one by one, with pauses", () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.make()
      const client = yield* Raw.send(provider.url, header(Behavior.inPieces(Behavior.bytes("hello"), 2, "1 second")))
      for (const piece of ["2\r\nhe\r\n", "2\r\nll\r\n", "1\r\no\r\n"]) {
        yield* client.until(() => client.text().includes(piece))
        if (piece !== "1\r\no\r\n") yield* quiet(client, provider)
        yield* TestClock.adjust("1 second")
      }
      yield* client.until(() => Raw.parse(client.text())?.body === "hello")
    }))

  it.effect("a request is read as slowly as requested", () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.make()
      const slow = Behavior.readingSlowly(Behavior.json(1), 4, "1 second")
      const client = yield* Raw.send(provider.url, header(slow, "mine"), "a prompt")
      yield* provider.untilRequest(({ body }) => body === "a pr")
      yield* quiet(client, provider)
      yield* TestClock.adjust("1 second")
      yield* provider.untilRequest(({ body }) => body === "a prompt")
      yield* quiet(client, provider)
      yield* TestClock.adjust("1 second")
      yield* client.until(() => Raw.parse(client.text())?.body === "1")
    }))

  it.effect("a date in Retry-After is relative to the clock", () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.make()
      yield* TestClock.setTime(Date.UTC(2026, 10, 24, 12))
      const { headers } = yield* Raw.ask(
        provider.url,
        header(Behavior.retryAfter(Behavior.status(429), "date", "1 minute"))
      )
      assert.strictEqual(headers["retry-after"], "Tue, 24 Nov 2026 12:01:00 GMT")
    }))
})

const handler: FaultyProvider.Handler = ({ body, url }) => {
  if (body === "break") throw new Error("broken")
  return body === "" ? undefined : Behavior.json({ url, body })
}

describe("FaultyProvider: handlers", () => {
  it.effect("see the whole request and decide, or leave it to the default", () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.make({ handler })
      assert.deepStrictEqual(JSON.parse((yield* Raw.ask(provider.url, {}, "hello")).body), {
        url: "/v1/chat",
        body: "hello"
      })
      assert.strictEqual((yield* Raw.ask(provider.url)).body, "{\"ok\":true}")
    }))

  it.effect("that throw are reported to their caller", () =>
    Effect.gen(function*() {
      const provider = yield* FaultyProvider.make({ handler })
      const { body, status } = yield* Raw.ask(provider.url, {}, "break")
      assert.strictEqual(status, 500)
      assert.include(body, "broken")
    }))

  it.effect("are modules for a provider in its own process", () =>
    Effect.gen(function*() {
      const module = new URL("./support/handler.ts", import.meta.url)
      const provider = yield* FaultyProvider.makeProcess({ handler: module })
      assert.strictEqual((yield* Raw.ask(provider.url, {}, "hello")).body, "\"olleh\"")
    }))

  it.effect("are named in the error if their module does not exist or exports none", () =>
    Effect.forEach(["./support/nobody.ts", "./support/rawClient.ts"], (path) =>
      Effect.gen(function*() {
        const handler = new URL(path, import.meta.url)
        const error = yield* Effect.flip(FaultyProvider.makeProcess({ handler }))
        assert.instanceOf(error, FaultyProvider.CannotStart)
        assert.strictEqual(error.handler, handler.href)
        assert.include(String(error.cause), path.slice(2))
      })))

  it.effect("are not loaded if Node does not start with its flags", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(FaultyProvider.makeProcess({ execArgv: ["--no-such-flag"] }))
      assert.instanceOf(error, FaultyProvider.CannotStart)
      assert.isUndefined(error.handler)
    }))
})
