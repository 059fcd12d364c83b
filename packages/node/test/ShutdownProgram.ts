/** Programs for NodeShutdown to run and stop: `node ShutdownProgram.ts NAME [OPTIONS as JSON]`. */
import { Session, Shutdown } from "@clawback/core"
import { NodeShutdown } from "@clawback/node"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Console, Data, Effect, Layer, Runtime, Stream } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { spawn } from "node:child_process"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import process, { argv } from "node:process"

const event = (name: string, data: string) => `event: ${name}\ndata: ${data}\n\n`
const refused = HttpServerResponse.text("shutting down", {
  status: 503,
  headers: { "retry-after": "1", connection: "close" }
})

/** Says a number every 20 milliseconds, up to `count`, and how it ended: in its own protocol, whatever happens. */
const numbers = (count: number) =>
  Stream.range(1, count).pipe(
    Stream.mapEffect((n) => Effect.as(Effect.sleep(20), event("number", String(n)))),
    Stream.concat(Stream.make(event("done", String(count)))),
    Shutdown.admitStream({ kind: "stream", name: `to ${count}` }),
    Stream.catch(({ _tag, message }) => Stream.make(event("error", JSON.stringify({ _tag, message })))),
    Stream.encodeText
  )

const routes = Layer.mergeAll(
  HttpRouter.add(
    "GET",
    "/ready",
    Effect.map(Shutdown.isReady, (isReady) => isReady ? HttpServerResponse.text("ready") : refused)
  ),
  HttpRouter.add(
    "GET",
    "/numbers/:count",
    Effect.gen(function*() {
      const { count } = yield* HttpRouter.params
      yield* Shutdown.admit({ kind: "request", name: "numbers" })(Effect.void)
      return HttpServerResponse.stream(numbers(Number(count)), { contentType: "text/event-stream" })
    }).pipe(Effect.catchTag("ShuttingDown", () => Effect.succeed(refused)))
  )
)

const server = (hung: boolean) => {
  const http = createServer()
  http.on("listening", () => process.send?.({ port: (http.address() as AddressInfo).port }))
  const Server = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(NodeHttpServer.layer(() => http, { port: 0, host: "127.0.0.1" })),
    Layer.provide(Layer.effectDiscard(NodeShutdown.server(http))),
    Layer.provide(hung ? hangs("persist") : Layer.empty)
  )
  return Layer.launch(Server)
}

const hangs = (phase: "persist" | "close") =>
  Layer.effectDiscard(Shutdown.addFinalizer({ phase, name: "hung finalizer" })(Effect.never))

const started = Effect.sync(() => process.send?.({ port: 0 }))
const forever = Effect.andThen(started, Effect.never)

class Custom extends Data.TaggedError("Custom")<{}> {
  override readonly [Runtime.errorExitCode] = 42
}

const setsCode = Effect.sync(() => (process.exitCode = 5))

/** Takes half a second from its last step to its end, and says as that begins. */
const exitsSlowly = Effect.sync(() =>
  process.once("exit", () => {
    process.send?.({ port: 0 })
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500)
  })
)

const programs: Readonly<Record<string, Effect.Effect<unknown, unknown>>> = {
  server: server(false),
  "server that hangs": server(true),
  idle: forever,
  hangs: Effect.provide(forever, hangs("persist")),
  "scope hangs": Effect.scoped(Effect.andThen(Effect.addFinalizer(() => Effect.never), forever)),
  works: Shutdown.admit({ kind: "job", name: "endless" })(forever),
  "holds a child": Effect.scoped(Effect.gen(function*() {
    const child = yield* Session.acquire(
      { kind: "process", name: "sleep" },
      Effect.sync(() => spawn("sleep", ["1000"], { stdio: "ignore" })),
      (child) =>
        Effect.callback<void>((resume) => {
          child.once("exit", () => resume(Effect.void))
          child.kill("SIGKILL")
        })
    )
    process.send?.({ port: child.value.pid })
    return yield* Effect.never
  })),
  succeeds: Effect.gen(function*() {
    yield* Effect.forkDetach(
      Shutdown.admit({ kind: "job", name: "detached" })(
        Effect.andThen(Effect.sleep(50), Console.log("detached work done"))
      )
    )
    process.on("exit", () => {
      const events = ["uncaughtException", "unhandledRejection", "beforeExit"]
      process.stdout.write(`listeners: ${events.map((event) => process.listenerCount(event)).join()}\n`)
    })
  }),
  "exits slowly": exitsSlowly,
  "waits and exits slowly": Effect.andThen(exitsSlowly, forever),
  "is outlived by others": Effect.map(Effect.context<never>(), (context) => {
    const others = Effect.sleep("100 millis").pipe(Effect.andThen(started), Effect.andThen(Effect.sleep("1 minute")))
    process.on("beforeExit", () => void Effect.runForkWith(context)(others))
  }),
  "sets a code": setsCode,
  "sets a code and waits": Effect.andThen(setsCode, forever),
  "sets a code and fails": Effect.andThen(setsCode, Effect.fail("out of luck")),
  "release dies": Effect.scoped(
    Effect.andThen(Effect.acquireRelease(Effect.void, () => Effect.die(new Error("release failed"))), forever)
  ),
  "layer's release dies": Layer.launch(Layer.effectDiscard(Effect.andThen(
    Effect.acquireRelease(started, () => Effect.die(new Error("release failed"))),
    Effect.void
  ))),
  "session's release dies": Session.use(
    { kind: "job", name: "endless" },
    Effect.void,
    () => Effect.die(new Error("release failed")),
    () => forever
  ),
  forgets: Effect.forkDetach(
    Session.scoped({ kind: "lock", name: "forgotten" })(Effect.uninterruptible(Effect.never))
  ),
  fails: Effect.fail("out of luck"),
  "fails with a code": new Custom(),
  interrupts: Effect.interrupt,
  throws: Effect.andThen(
    Effect.sync(() =>
      queueMicrotask(() => {
        throw new Error("thrown by nobody")
      })
    ),
    forever
  ),
  rejects: Effect.andThen(Effect.sync(() => void Promise.reject(new Error("rejected by nobody"))), forever),
  "stops and cuts a job": Effect.andThen(
    Effect.forkDetach(Shutdown.admit({ kind: "job", name: "endless" })(Effect.never), { startImmediately: true }),
    Shutdown.shutdown("asked by itself")
  ),
  stops: Effect.andThen(Shutdown.shutdown("asked by itself"), Effect.never)
}

const [, , name = "", options = "{}"] = argv
NodeShutdown.runMain(programs[name] ?? Effect.die(`There is no program ${name}`), JSON.parse(options))
