import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as Transport from "@clawback/core/Transport"
import * as NodeTransport from "@clawback/node/NodeTransport"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import type * as Net from "node:net"
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises"
import { Upload } from "../src/internal/upload.ts"
import { eventually } from "./eventually.ts"
import * as Servers from "./Servers.ts"

const transport = Effect.provide(Layer.provideMerge(NodeTransport.layer(), SessionRegistry.layer()))

const send = (url: string, request: Partial<Transport.Request> = {}) =>
  Transport.Transport.use((service) => service.execute({ method: "GET", url, headers: {}, ...request })).pipe(
    Effect.flatMap((response) => Effect.map(Transport.text(response), (text) => `${response.status} ${text}`)),
    Effect.scoped
  )

/** Real time: what the kernel does does not wait for the test clock. */
const soon = <A, E, R>(effect: Effect.Effect<A, E, R>) => TestClock.withLive(Effect.timeout(effect, "5 seconds"))

/** Refuses a large request by its head alone, keeps the connection, and reads the rest in its own way. */
const hasty = (readRest: (socket: Net.Socket) => void) =>
  Servers.tcp((socket) => {
    let isFirst = true
    socket.on("data", (data: Buffer) => {
      const text = data.toString("latin1")
      if (isFirst && text.startsWith("POST /large")) {
        isFirst = false
        socket.write("HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno")
        readRest(socket)
      } else if (text.includes("GET /small")) socket.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    })
  })

const never = (socket: Net.Socket) => void socket.pause()

const slowly = (socket: Net.Socket): void => {
  if (socket.destroyed) return
  socket.pause()
  const readSome = sleep(50).then(() => {
    socket.resume()
    return nextTurn()
  })
  void readSome.then(() => slowly(socket))
}

const chunk = new Uint8Array(1024 * 1024).fill(121)
const bodies: Readonly<Record<string, NonNullable<Transport.Request["body"]>>> = {
  text: "y".repeat(16 * chunk.byteLength),
  bytes: new Uint8Array(16 * chunk.byteLength),
  "a stream": Stream.take(Stream.forever(Stream.make(chunk)), 16),
  "a stream that goes on": Stream.forever(Stream.make(chunk))
}

describe("NodeTransport: an answer that comes before the request was read", () => {
  for (const [readRest, how] of [[never, "never"], [slowly, "slowly"]] as const) {
    for (const [name, body] of Object.entries(bodies)) {
      it.effect(`costs the connection: the body is ${name}, and its rest is read ${how}`, () =>
        Effect.gen(function*() {
          const server = yield* hasty(readRest)
          assert.strictEqual(yield* soon(send(`${server.url}/large`, { method: "POST", body })), "413 no")
          assert.strictEqual(yield* soon(send(`${server.url}/small`)), "200 ok")
          assert.strictEqual(server.accepted(), 2)
          assert.deepStrictEqual(
            yield* eventually(SessionRegistry.counts, ({ connection }) => connection === 1),
            { connection: 1 }
          )
        }).pipe(transport))
    }
  }

  it.effect("costs nothing where all of it was sent by the end", () =>
    Effect.gen(function*() {
      const server = yield* hasty((socket) => void socket.resume())
      assert.strictEqual(yield* soon(send(`${server.url}/large`, { method: "POST", body: "y".repeat(1000) })), "413 no")
      assert.strictEqual(yield* soon(send(`${server.url}/small`)), "200 ok")
      assert.strictEqual(server.accepted(), 1)
    }).pipe(transport))
})

describe("A request's body that is streamed", () => {
  it.effect("releases what it holds when another party destroys it, as undici does", () =>
    Effect.gen(function*() {
      let held = 0
      const held1 = Effect.acquireRelease(Effect.sync(() => held++), () => Effect.sync(() => held--))
      const body = Stream.unwrap(Effect.as(held1, Stream.concat(Stream.make(chunk), Stream.never)))
      const upload = new Upload("http://a.test", body, yield* Effect.context<never>())
      upload.resume()
      assert.strictEqual(yield* eventually(Effect.sync(() => held), (count) => count === 1), 1)
      upload.destroy()
      assert.strictEqual(yield* eventually(Effect.sync(() => held), (count) => count === 0), 0)
    }))
})
