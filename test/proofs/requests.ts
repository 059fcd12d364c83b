/**
 * When a client leaves, all that its request holds is released, and its model call is cancelled.
 *
 * `npm run prove -- requests [--scale small|full]`: for the routes of an `HttpRouter`, an `HttpApi` and a streaming RPC
 * server each, 1,000 clients (small: 40) send a request over a socket of their own and destroy it at a random moment:
 * before anything of the answer came, in the middle of its first bytes, or some while after. Clients, the server and the
 * provider are three processes. Within a second of the last one's leaving nothing may be left: no session and no caller in
 * the server, no call at the provider, no socket but idle ones between them and none from the clients.
 */
import { NodeProbes } from "@clawback/node"
import { Behavior, FaultyProvider } from "@clawback/testing"
import { Console, Effect, Fiber } from "effect"
import { connect } from "node:net"
import { exit } from "node:process"
import { setTimeout as after } from "node:timers/promises"
import * as Child from "../support/child.ts"
import { seeded } from "../support/random.ts"
import { scale } from "../support/scale.ts"
import { talking } from "../support/talking.ts"

const clients = scale() === "small" ? 40 : 1000
const concurrency = 50
const random = seeded(0xc11e)

const call = `${JSON.stringify({ _tag: "Request", id: "1", tag: "talk", payload: null, headers: [] })}\n`
const requests = {
  HttpRouter: (tenant: string) => `GET /route HTTP/1.1\r\nhost: test\r\nx-tenant: ${tenant}\r\n\r\n`,
  HttpApi: (tenant: string) => `GET /api HTTP/1.1\r\nhost: test\r\nx-tenant: ${tenant}\r\n\r\n`,
  Rpc: (tenant: string) =>
    `POST /rpc HTTP/1.1\r\nhost: test\r\nx-tenant: ${tenant}\r\ncontent-type: application/ndjson\r\n` +
    `content-length: ${call.length}\r\n\r\n${call}`
}

const moments = ["before the first byte", "at the first byte", "in the middle"] as const
type Moment = (typeof moments)[number]

/** Sends a request, goes at a moment, and tells whether it was that moment. */
const vanish = (port: number, request: string, moment: Moment) =>
  Effect.callback<boolean>((resume) => {
    const socket = connect({ port, host: "127.0.0.1" }, () => socket.write(request))
    let received = 0
    const leave = () => {
      socket.destroy()
      resume(Effect.succeed(moment === "before the first byte" ? received === 0 : received > 0))
    }
    socket.on("error", leave)
    if (moment === "before the first byte") void after(random() * 40).then(leave)
    socket.on("data", (bytes) => {
      received += bytes.byteLength
      if (moment === "at the first byte") leave()
      if (moment === "in the middle" && received === bytes.byteLength) void after(random() * 120).then(leave)
    })
  })

interface Held {
  readonly counts: Readonly<Record<string, number>>
  readonly tenants: ReadonlyArray<string>
}

const child = (module: string, ...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.promise(() => Child.start(module, ...args)),
    (server) => Effect.promise(server.stop)
  )

const program = Effect.gen(function*() {
  const provider = yield* FaultyProvider.makeProcess({ otherwise: Behavior.delayed(talking("20 millis"), "30 millis") })
  const server = yield* child("requestServer.ts", `${provider.url}/v1`)
  const look = Effect.gen(function*() {
    const held = yield* Effect.promise(async () => await server.ask("held") as Held)
    const { aborted, inFlight } = yield* provider.counts
    return { held, working: { aborted, inFlight } }
  })

  const results = []
  for (const [kind, request] of Object.entries(requests)) {
    const left: Record<string, number> = {}
    let peak = 0
    const watch = Effect.forever(Effect.andThen(
      Effect.map(look, ({ held }) => void (peak = Math.max(peak, held.counts["request"] ?? 0))),
      Effect.sleep("20 millis")
    ))
    const watching = yield* Effect.forkChild(watch)
    yield* Effect.forEach(
      Array.from({ length: clients }, (_, i) => i),
      Effect.fnUntraced(function*(i) {
        const moment = moments[i % moments.length] ?? moments[0]
        const isThen = yield* vanish(server.port, request(`tenant-${i}`), moment)
        if (isThen) left[moment] = (left[moment] ?? 0) + 1
      }),
      { concurrency, discard: true }
    )
    const leftAt = performance.now()
    yield* Fiber.interrupt(watching)
    let seen = yield* look
    const isClean = () => {
      const { connection: _, credential: __, ...others } = seen.held.counts
      return seen.working.inFlight === 0 && Object.keys(others).length === 0 && seen.held.tenants.length === 0
    }
    while (!isClean() && performance.now() - leftAt < 5000) {
      yield* Effect.sleep("10 millis")
      seen = yield* look
    }
    const took = Math.round(performance.now() - leftAt)
    const sockets = (yield* NodeProbes.sockets(server.pid))
      .filter(({ localPort, state }) => localPort === server.port && state !== "LISTEN")
    const met = isClean() && took < 1000 && sockets.length === 0 && peak > 0 &&
      moments.every((moment) => (left[moment] ?? 0) > 0)
    yield* Console.log(
      `${kind}: ${clients} clients left ${JSON.stringify(left)}, up to ${peak} held at once; after ${took} ms ${
        JSON.stringify(seen)
      }, ` +
        `${sockets.length} sockets from clients`
    )
    results.push({ kind, met, clients, left, peak, took, aborted: seen.working.aborted })
  }
  return results
})

const results = await Effect.runPromise(program.pipe(Effect.scoped, Effect.timeout("5 minutes")))
const met = results.every((result) => result.met)
console.log(JSON.stringify({ name: "requests", met, results }))
exit(met ? 0 : 1)
