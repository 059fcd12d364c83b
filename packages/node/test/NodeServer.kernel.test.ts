import * as NodeProbes from "@clawback/node/NodeProbes"
import { Effect } from "effect"
import { once } from "node:events"
import type * as Net from "node:net"
import { join } from "node:path"
import { performance } from "node:perf_hooks"
import { text } from "node:stream/consumers"
import { setTimeout } from "node:timers/promises"
import { assert, describe, it } from "vitest"
import * as Bundled from "../../../test/support/bundled.ts"
import * as Stopped from "../../../test/support/stopped.ts"
import { connect, connectionsTo, get, isRefused, lastEvent, openStreams, until } from "./clients.ts"

const program = await Bundled.program(join(import.meta.dirname, "ServedProgram.ts"))
const running = (name: string, options: object = {}) => Stopped.running(program, name, JSON.stringify(options))

/** Waits until the socket has received this text. */
const received = (socket: Net.Socket, expected: string) =>
  new Promise<string>((resolve) => {
    let seen = ""
    socket.on("data", (chunk: Buffer) => {
      seen += chunk.toString()
      if (seen.includes(expected)) resolve(seen)
    })
  })

describe("a server of scoped requests", { timeout: 60_000 }, () => {
  describe.each(["NodeServer", "a request scope alone"])("(%s)", (name) => {
    it("drains 10 open streams, rejects later requests with 503, and counts each request once", async () => {
      const { child, ended, port } = await running(name)
      const late = await connect(port, "GET /numbers/1 HTTP/1.1\r\n")
      let open = 10
      const { answers } = await openStreams(port, "/numbers/100", 10, () => open--)
      child.kill("SIGTERM")
      if (name === "NodeServer") await until(() => isRefused(port))
      else await until(async () => (await get(port, "/numbers/1")).status === 503)
      late.end("host: localhost\r\n\r\n")
      const rejection = await text(late)
      assert.match(rejection, /^HTTP\/1\.1 503 [^]*ShuttingDown/)
      assert.match(rejection, /\r\nretry-after: 1\r\n/i)
      assert.match(rejection, /\r\nconnection: close\r\n/i)
      assert.strictEqual(open, 10)
      const all = await answers
      const at = performance.now()
      assert.deepStrictEqual(new Set(all.map(lastEvent)), new Set(["event: done"]))
      assert.isTrue(all.every(({ isWhole }) => isWhole))
      const { code, output, at: endedAt } = await ended
      assert.strictEqual(code, 0, output)
      const count = name === "NodeServer" ? "10" : "1\\d"
      assert.match(output, new RegExp(`${count} ended by themselves, 0 interrupted, 0 forced, 0 failed, 0 stuck`))
      // Idle connections do not delay the exit.
      assert.isBelow(endedAt - at, 4000)
      assert.deepStrictEqual(await connectionsTo(port), [])
    })

    it("ends requests at the end of the drain in their own protocol, and names each once", async () => {
      const { child, ended, port } = await running(name, { drain: "300 millis" })
      const hanging = get(port, "/hang")
      const { answers } = await openStreams(port, "/numbers/100000", 10)
      child.kill("SIGTERM")
      const all = await answers
      assert.deepStrictEqual(new Set(all.map(lastEvent)), new Set(["event: error"]))
      assert.isTrue(all.every(({ body, isWhole }) => isWhole && body.includes("SessionRevoked")))
      assert.deepInclude(await hanging, { status: 503, isWhole: true })
      const { code, output } = await ended
      assert.strictEqual(code, 143, output)
      assert.match(output, /0 ended by themselves, 11 interrupted, 0 forced, 0 failed, 0 stuck/)
      assert.match(output, /interrupted:\n[^]*\s+request #\d+ GET \/numbers\/100000/)
    })

    it("closes a WebSocket at the end of the drain, and names it", async () => {
      const { child, ended, port } = await running(name, { drain: "300 millis" })
      const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`)
      await once(socket, "open")
      const closed = once(socket, "close")
      child.kill("SIGTERM")
      const [event] = await closed
      assert.strictEqual(event.code, 1001)
      const { code, output } = await ended
      assert.strictEqual(code, 143, output)
      assert.match(output, /, 1 interrupted[^]*interrupted:\n\s+request #\d+ GET \/socket/)
    })
  })
})

describe("NodeServer.layer", { timeout: 60_000 }, () => {
  it.each([
    ["sends nothing", "", "nothing"],
    ["sends half of a request", "GET /numbers/1 HTTP/1.1\r\nhost: ", "nothing"],
    ["is idle after a response", "GET /numbers/1 HTTP/1.1\r\nhost: localhost\r\n\r\n", "event: done"]
  ])("a connection that %s does not delay the exit", async (_, said, expected) => {
    const { child, ended, port } = await running("NodeServer")
    const socket = await connect(port, said)
    if (expected !== "nothing") await received(socket, expected)
    // The server has accepted the connection once it responds on a later one.
    await get(port, "/numbers/1")
    child.kill("SIGTERM")
    const { code, output } = await ended
    assert.strictEqual(code, 0, output)
    assert.include(output, "outer layer closed")
  })

  it("closes an idle connection at once, while it drains others", async () => {
    const { child, ended, port } = await running("NodeServer")
    const idle = await connect(port, "GET /numbers/1 HTTP/1.1\r\nhost: localhost\r\n\r\n")
    await received(idle, "event: done")
    let open = 1
    const { answers } = await openStreams(port, "/numbers/100", 1, () => open--)
    const closed = once(idle, "close")
    child.kill("SIGTERM")
    await closed
    assert.strictEqual(open, 1)
    assert.isTrue((await answers).every(({ isWhole }) => isWhole))
    assert.strictEqual((await ended).code, 0)
  })

  it("closes a connection after the response that was under way", async () => {
    const { child, ended, port } = await running("NodeServer")
    const socket = await connect(
      port,
      "POST /echo HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n"
    )
    await received(socket, "100 Continue")
    child.kill("SIGTERM")
    await until(() => isRefused(port))
    socket.write("hello")
    const response = await text(socket)
    assert.match(response, /HTTP\/1\.1 200 OK[^]*\r\nconnection: close\r\n[^]*hello$/i)
    const { code, output } = await ended
    assert.strictEqual(code, 0, output)
    assert.include(output, "1 ended by themselves, 0 interrupted")
  })

  it("releases what a request holds when its client goes, and does not wait for it", async () => {
    const { child, ended, port } = await running("NodeServer")
    const socket = await connect(port, "GET /hang HTTP/1.1\r\nhost: localhost\r\n\r\n")
    await get(port, "/numbers/1")
    socket.destroy()
    await until(async () => (await Effect.runPromise(NodeProbes.sockets(child.pid!))).length === 1)
    child.kill("SIGTERM")
    const { code, output } = await ended
    assert.strictEqual(code, 0, output)
    assert.include(output, "hang released")
    assert.match(output, /0 interrupted, 0 forced, 0 failed, 0 stuck/)
  })

  it("skips the drain at a second signal, and ends in the first signal's code", async () => {
    const { child, ended, port } = await running("NodeServer", { drain: "1 minute", ceiling: "2 minutes" })
    const { answers } = await openStreams(port, "/numbers/100000", 10)
    child.kill("SIGTERM")
    await until(() => isRefused(port))
    const at = performance.now()
    child.kill("SIGINT")
    assert.deepStrictEqual(new Set((await answers).map(lastEvent)), new Set(["event: error"]))
    const { code, output, at: endedAt } = await ended
    assert.strictEqual(code, 143, output)
    assert.match(output, /0 ended by themselves, 10 interrupted, 0 forced/)
    assert.isBelow(endedAt - at, 15_000)
  })

  it("drains a WebSocket that its client closes", async () => {
    const { child, ended, port } = await running("NodeServer")
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`)
    await once(socket, "open")
    child.kill("SIGTERM")
    await until(() => isRefused(port))
    socket.close()
    const { code, output } = await ended
    assert.strictEqual(code, 0, output)
    assert.include(output, "1 ended by themselves, 0 interrupted")
  })

  /** Asks for more than the kernel buffers, in responses that Effect's server hands to Node in one piece. */
  const large = "GET /large/999999 HTTP/1.1\r\nhost: localhost\r\n\r\n".repeat(16)

  it("waits until the last byte of a response is sent", async () => {
    const { child, ended, port } = await running("NodeServer")
    const socket = await connect(port, large)
    await once(socket, "readable")
    await setTimeout(300)
    child.kill("SIGTERM")
    await until(() => isRefused(port))
    await setTimeout(300)
    assert.isNull(child.exitCode)
    const bodies = (await text(socket)).split("HTTP/1.1 200 OK").slice(1)
    assert.isAbove(bodies.length, 1)
    for (const body of bodies) assert.lengthOf(body.slice(body.indexOf("\r\n\r\n") + 4), 999_999)
    const { code, output } = await ended
    assert.strictEqual(code, 0, output)
    assert.match(output, /\d+ ended by themselves, 0 interrupted/)
  })

  it("drops a response that its client does not read, and names its request once", async () => {
    const { child, ended, port } = await running("NodeServer", { drain: "300 millis" })
    const socket = await connect(port, large)
    await once(socket, "readable")
    await setTimeout(300)
    child.kill("SIGTERM")
    const { code, output } = await ended
    assert.strictEqual(code, 143, output)
    assert.match(output, /0 ended by themselves, (\d+) interrupted, \1 forced, 0 failed, 0 stuck/)
    assert.match(output, /interrupted:\n\s+request #\d+ GET \/large/)
    assert.include(output, "outer layer closed")
  })

  it("cuts off a stream that its client does not read, and names its request once", async () => {
    const { child, ended, port } = await running("NodeServer", { drain: "300 millis" })
    const socket = await connect(port, "GET /flood HTTP/1.1\r\nhost: localhost\r\n\r\n")
    await once(socket, "readable")
    child.kill("SIGTERM")
    const { code, output } = await ended
    assert.strictEqual(code, 143, output)
    assert.match(output, /, 1 interrupted, \d forced, 0 failed, 0 stuck[^]*interrupted:\n\s+request #\d+ GET \/flood/)
    assert.include(output, "outer layer closed")
  })

  it("leaves the kernel nothing that listens and no connection", async () => {
    const { child, ended, port } = await running("NodeServer")
    const states = async () =>
      (await Effect.runPromise(NodeProbes.sockets(child.pid!))).map(({ state }) => state).toSorted().join()
    const { answers } = await openStreams(port, "/numbers/50", 2)
    assert.strictEqual(await states(), "ESTABLISHED,ESTABLISHED,LISTEN")
    child.kill("SIGTERM")
    await until(async () => (await states()) === "ESTABLISHED,ESTABLISHED")
    await answers
    assert.strictEqual((await ended).code, 0)
    assert.deepStrictEqual(await connectionsTo(port), [])
  })
})
