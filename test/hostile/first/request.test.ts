import { Caller, Deadline, Session, SessionError, SessionRegistry, Shutdown } from "@clawback/core"
import * as RequestScope from "@clawback/core/RequestScope"
import { expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Latch, Layer, type Scope, Stream } from "effect"
import { HttpEffect, HttpServerRequest, HttpServerResponse } from "effect/http"
import { TestClock } from "effect/testing"
import { apart as apartRegistry, endsWithin, settle, tagOf, Things, wrong } from "./bench.ts"

const job = { kind: "job", name: "nightly" }
const url = "http://localhost/chat?key=secret"

const apart = <A, E, R>(self: Effect.Effect<A, E, R>, options?: SessionRegistry.Options) =>
  apartRegistry(Effect.provide(self, Layer.fresh(Shutdown.layer({}))), options)

type Handler<E = never> = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  E,
  HttpServerRequest.HttpServerRequest | Scope.Scope
>

/** A server of one handler, without sockets: asked by requests of the Web. */
const serve = <E>(handler: Handler<E>, options: RequestScope.Options = {}) =>
  Effect.map(Effect.context<never>(), (context) => {
    const web = HttpEffect.toWebHandlerWith(context)(
      RequestScope.http(options)(handler) as unknown as
        & Handler<never>
        & Effect.Effect<HttpServerResponse.HttpServerResponse>
    )
    return (request: Request = new Request(url)) => Effect.promise(() => web(request))
  })

const status = (exit: Exit.Exit<Response, unknown>) => Exit.isSuccess(exit) ? exit.value.status : tagOf(exit)
const bodyOf = (response: Response) =>
  Effect.promise(() => response.text().catch((error: unknown) => `cut off: ${String(error)}`))
const ok = HttpServerResponse.text("ok")

it.effect("a look-up of the caller that never answers is ended by the request's deadline", () =>
  apart(Effect.gen(function*() {
    const ask = yield* serve(Effect.succeed(ok), { deadline: "10 seconds", caller: () => Effect.never })
    const exit = yield* endsWithin("1 minute")(ask())
    expect(status(exit)).toBe(504)
  })))

it.effect("a look-up of the caller that dies answers, and leaves nothing", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const ask = yield* serve(Effect.succeed(ok), {
      caller: () => Session.use(job, things.take, things.give, () => Effect.die("no such tenant")).pipe(Effect.orDie)
    })
    expect(status(yield* endsWithin("1 minute")(ask()))).toBe(500)
    const throwing = yield* serve(Effect.succeed(ok), {
      caller: () => {
        throw new Error("not an effect")
      }
    })
    expect(status(yield* endsWithin("1 minute")(throwing()))).toBe(500)
    things.settled(1)
  }))
})

it.effect("a plain request that says it wants a WebSocket, and becomes none, has the deadline of any other", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const ask = yield* serve(Effect.gen(function*() {
      yield* Session.acquire(job, things.take, things.give)
      return yield* Effect.never
    }))
    const exit = yield* endsWithin("15 minutes")(
      ask(new Request(url, { headers: { upgrade: "websocket", connection: "upgrade" } }))
    )
    expect(status(exit)).toBe(504)
    yield* settle
    things.settled(1)
  }))
})

it.effect("deadlines that are no durations are refused where the scope is made", () =>
  Effect.sync(() => {
    for (const deadline of [Number.NaN, -1, "soon", {}, null]) {
      expect(() => RequestScope.http(wrong({ deadline }))).toThrow(RangeError)
    }
  }))

it.effect("a handler that revokes its own request, and everything else, is answered with 503", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const ask = yield* serve(Effect.gen(function*() {
      yield* Session.acquire(job, things.take, things.give)
      yield* SessionRegistry.revoke({ kind: "request" }, { reason: "myself" })
      return ok
    }))
    expect(status(yield* endsWithin("1 minute")(ask()))).toBe(503)
    yield* settle
    things.settled(1)
  }))
})

it.effect("a handler that stops the process gets an answer out, or 503, and the process stops", () =>
  apart(Effect.gen(function*() {
    const ask = yield* serve(Effect.as(Shutdown.shutdown("by request"), ok))
    expect([200, 503]).toContain(status(yield* endsWithin("1 minute")(ask())))
    const after = yield* endsWithin("1 minute")(ask())
    expect(Exit.isSuccess(after) && after.value.headers.get("retry-after")).toBe("1")
    expect(status(after)).toBe(503)
  })))

it.effect("a handler that starts the stop on a fiber of its own counts as waiting for it, so it is not drained", () =>
  apart(Effect.gen(function*() {
    const ask = yield* serve(Effect.gen(function*() {
      yield* Effect.forkDetach(Shutdown.shutdown("by request"))
      yield* Effect.sleep("5 seconds")
      return ok
    }))
    const exit = yield* endsWithin("1 minute")(ask())
    expect(status(exit)).toBe(503)
    const report = yield* Shutdown.shutdown("again")
    expect([report.ended, report.interrupted.length]).toEqual([0, 1])
  })))

it.effect("a handler that is no effect, throws, dies and interrupts itself is answered, and leaves nothing", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const handlers: ReadonlyArray<Effect.Effect<unknown, unknown>> = [
      Effect.suspend(() => {
        throw new Error("thrown")
      }),
      Effect.die("dead"),
      Effect.fail("failed"),
      Effect.interrupt
    ]
    for (const end of handlers) {
      const ask = yield* serve(Effect.andThen(Session.acquire(job, things.take, things.give), wrong(end)) as Handler)
      const exit = yield* endsWithin("1 minute")(ask())
      expect(typeof status(exit) === "number" && Number(status(exit)) >= 400).toBe(true)
      yield* settle
      expect(yield* SessionRegistry.counts).toEqual({})
    }
    things.settled(4)
  }))
})

it.effect("addresses that are odd are served, and their query is in no name", () =>
  apart(Effect.gen(function*() {
    const seen: Array<string> = []
    const ask = yield* serve(Effect.gen(function*() {
      for (const { name } of yield* SessionRegistry.list({ kind: "request" })) seen.push(name)
      return ok
    }))
    const paths = ["//", "/%00", "/%zz", `/${"x".repeat(10_000)}`, "/a?b=secret#c", "/?secret", "/../../x", "/ü/😀"]
    for (const path of paths) {
      expect(status(yield* endsWithin("1 minute")(ask(new Request(new URL(`http://localhost${path}`)))))).toBe(200)
    }
    expect(seen).toHaveLength(paths.length)
    expect(seen.filter((name) => name.includes("secret"))).toEqual([])
  })))

it.effect("a body that fails or dies in the middle ends the request, and gives everything back", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    for (const end of [Stream.fail("broken"), Stream.die("dead"), Stream.fromEffect(Effect.interrupt)] as const) {
      const body = Stream.unwrap(Effect.as(
        Session.acquire(job, things.take, things.give),
        Stream.concat(Stream.make(new Uint8Array(3)), end as Stream.Stream<never>)
      ))
      const ask = yield* serve(Effect.succeed(HttpServerResponse.stream(body)))
      const exit = yield* endsWithin("1 minute")(Effect.flatMap(ask(), bodyOf))
      expect(tagOf(exit)).toBe("success")
      yield* settle
      expect(yield* SessionRegistry.counts).toEqual({})
    }
    things.settled(3)
  }))
})

it.effect("a body whose session is revoked by the body itself says its last, and ends", () =>
  apart(Effect.gen(function*() {
    const body = Stream.make("one").pipe(
      Stream.concat(Stream.fromEffect(Effect.as(SessionRegistry.revoke({ kind: "request" }, { reason: "x" }), "two"))),
      Stream.concat(Stream.never),
      Stream.encodeText
    )
    const ask = yield* serve(Effect.succeed(HttpServerResponse.stream(body)))
    const exit = yield* endsWithin("1 minute")(Effect.flatMap(ask(), bodyOf))
    expect(tagOf(exit)).toBe("success")
  })))

it.effect("a hundred requests that are aborted at once leave nothing", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const ask = yield* serve(Effect.gen(function*() {
      yield* Session.acquire(job, things.take, things.give)
      yield* Session.use(job, things.take, things.give, () => Effect.never)
      return ok
    }))
    const controllers = Array.from({ length: 100 }, () => new AbortController())
    for (const { signal } of controllers) {
      yield* Effect.forkDetach(ask(new Request(url, { signal })), { startImmediately: true })
    }
    yield* settle
    expect((yield* SessionRegistry.counts)["request"]).toBe(100)
    for (const controller of controllers) controller.abort("gone")
    yield* settle
    expect(yield* SessionRegistry.counts).toEqual({})
    things.settled(200)
  }))
})

it.effect("a request that was aborted before it came opens nothing that stays", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const ask = yield* serve(Effect.gen(function*() {
      yield* Session.acquire(job, things.take, things.give)
      return yield* Effect.never
    }))
    const controller = new AbortController()
    controller.abort()
    yield* Effect.forkDetach(ask(new Request(url, { signal: controller.signal })), { startImmediately: true })
    yield* settle
    expect(yield* SessionRegistry.counts).toEqual({})
    things.settled()
  }))
})

it.effect("one scope inside of another serves, and its stricter deadline rules", () =>
  apart(Effect.gen(function*() {
    const inner = RequestScope.http({ deadline: "5 seconds" })(Effect.never as Handler)
    const ask = yield* serve(inner, { deadline: "1 minute" })
    const exit = yield* endsWithin("6 seconds")(ask())
    expect(status(exit)).toBe(504)
    const well = yield* serve(RequestScope.http({})(Effect.succeed(ok)))
    const good = yield* endsWithin("1 second")(Effect.flatMap(well(), bodyOf))
    expect(Exit.isSuccess(good) && good.value).toBe("ok")
  })))

it.effect("a tenant without a quota left gets 429, one with a strange name what is his", () =>
  apart(
    Effect.gen(function*() {
      const ask = yield* serve(Effect.succeed(ok), {
        caller: (headers) => Effect.succeed({ tenant: headers["x-tenant"] })
      })
      for (const tenant of ["none", "__proto__", "constructor", "a".repeat(10_000)]) {
        const exit = yield* endsWithin("1 minute")(
          Effect.tap(ask(new Request(url, { headers: { "x-tenant": tenant } })), bodyOf)
        )
        expect(status(exit)).toBe(tenant === "none" ? 429 : 200)
      }
      expect(status(yield* endsWithin("1 minute")(ask()))).toBe(200)
    }),
    { quota: (tenant) => tenant === "none" ? 0 : 1 }
  ))

it.effect("an error of the application's own that carries one of our tags is the application's to answer", () =>
  apart(Effect.gen(function*() {
    const ask = yield* serve(Effect.fail({ _tag: "DeadlineExceeded", budget: 5 }) as unknown as Handler)
    expect(status(yield* endsWithin("1 minute")(ask()))).toBe(500)
    const real = yield* serve(
      Effect.fail(new SessionError.QuotaExceeded({ tenant: "acme", kind: "x", limit: 1 })) as unknown as Handler
    )
    expect(status(yield* endsWithin("1 minute")(real()))).toBe(429)
  })))

it.effect("a handler that works on after its answer, in its own fibers, is ended with the request", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const ask = yield* serve(Effect.gen(function*() {
      yield* Effect.forkScoped(Session.use(job, things.take, things.give, () => Effect.never))
      yield* Effect.yieldNow
      return ok
    }))
    yield* endsWithin("1 minute")(Effect.flatMap(ask(), bodyOf))
    yield* settle
    expect(yield* SessionRegistry.counts).toEqual({})
    things.settled(1)
  }))
})

it.effect("a release that hangs at the end of a request does not keep its answer from being sent", () =>
  apart(Effect.gen(function*() {
    const go = yield* Latch.make()
    const ask = yield* serve(Effect.as(Session.acquire(job, Effect.void, () => go.await), ok))
    const exit = yield* endsWithin("1 minute")(ask())
    yield* go.open
    expect(status(exit)).toBe(200)
  })))

it.effect("a handler that nothing can interrupt is answered for when its deadline or its client goes, and given back once it ends", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const go = yield* Latch.make()
    const ask = yield* serve(
      Effect.uninterruptible(
        Effect.andThen(Session.acquire(job, things.take, things.give), Effect.as(go.await, ok))
      ) as Handler,
      { deadline: "1 second" }
    )
    const fiber = yield* Effect.forkDetach(ask(), { startImmediately: true })
    yield* settle
    yield* TestClock.adjust("1 minute")
    yield* go.open
    yield* settle
    expect(status(fiber.pollUnsafe() ?? Exit.interrupt())).toBe(504)
    things.settled(1)
  }))
})

it.effect("a request keeps its caller for what its body does, and does not lend it to the next", () =>
  apart(Effect.gen(function*() {
    const seen: Array<string | undefined> = []
    const note = Effect.map(Caller.Current, (caller) => {
      seen.push(caller?.tenant)
      return "x"
    })
    const ask = yield* serve(
      Effect.andThen(note, Effect.succeed(HttpServerResponse.stream(Stream.encodeText(Stream.fromEffect(note))))),
      {
        caller: (headers) =>
          Effect.succeed(headers["x-tenant"] === undefined ? undefined : { tenant: headers["x-tenant"] })
      }
    )
    yield* endsWithin("1 second")(Effect.flatMap(ask(new Request(url, { headers: { "x-tenant": "acme" } })), bodyOf))
    yield* endsWithin("1 second")(Effect.flatMap(ask(), bodyOf))
    expect(seen).toEqual(["acme", "acme", undefined, undefined])
  })))

it.effect("a request body that never ends is let go of at the deadline", () => {
  let cancelled = false
  return apart(Effect.gen(function*() {
    const ask = yield* serve(
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => Effect.as(Effect.orDie(request.text), ok)),
      { deadline: "5 seconds" }
    )
    const body = new ReadableStream({
      cancel: () => {
        cancelled = true
      }
    })
    const exit = yield* endsWithin("10 seconds")(
      ask(
        new Request(url, {
          method: "POST",
          body,
          duplex: "half"
        })
      )
    )
    expect(status(exit)).toBe(504)
    expect(typeof cancelled).toBe("boolean")
  }))
})

it.effect("a deadline inside of a handler that passes is the handler's, and answered with 504", () =>
  apart(Effect.gen(function*() {
    const ask = yield* serve(Deadline.within("1 second")(Effect.never) as unknown as Handler)
    expect(status(yield* endsWithin("2 seconds")(ask()))).toBe(504)
  })))

it.effect("a handler that waits for another request to the same server gets it, also while the process stops", () =>
  apart(Effect.gen(function*() {
    const began = yield* Deferred.make<void>()
    const go = yield* Latch.make()
    const inner = yield* serve(Effect.succeed(ok))
    const ask = yield* serve(Effect.gen(function*() {
      yield* Deferred.succeed(began, undefined)
      yield* go.await
      return HttpServerResponse.text(String((yield* inner()).status))
    }))
    const fiber = yield* Effect.forkDetach(Effect.flatMap(ask(), bodyOf), { startImmediately: true })
    yield* Deferred.await(began)
    const stopping = yield* Effect.forkChild(Shutdown.shutdown("x"), { startImmediately: true })
    yield* settle
    yield* go.open
    const text = yield* endsWithin("1 minute")(Fiber.join(fiber))
    // Over the wire it is a stranger like any other, and told to go elsewhere.
    expect(Exit.isSuccess(text) && text.value).toBe("503")
    yield* endsWithin("1 minute")(Fiber.await(stopping))
  })))

const endless = () => new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(new Uint8Array(3)) })
for (
  const [name, response] of [
    ["a raw stream of the Web's", () => HttpServerResponse.raw(endless())],
    ["another server's response", () => HttpServerResponse.fromWeb(new Response(endless()))]
  ] as const
) {
  it.effect(`a body that is ${name} is cut off at the deadline like any other`, () =>
    apart(Effect.gen(function*() {
      const ask = yield* serve(Effect.sync(response), { deadline: "5 seconds" })
      const exit = yield* endsWithin("6 seconds")(Effect.flatMap(ask(), bodyOf))
      expect(tagOf(exit)).toBe("success")
    })))
}

it.effect("a session that a streamed body opens counts for the request's tenant, and to his quota", () =>
  apart(
    Effect.gen(function*() {
      const refused: Array<string> = []
      const body = Stream.fromEffect(Effect.gen(function*() {
        const exit = yield* Effect.exit(Effect.scoped(Effect.all([1, 2, 3].map(() =>
          Session.acquire({ kind: "call", name: "gpt-5" }, Effect.void, () =>
            Effect.void)
        ))))
        refused.push(tagOf(exit))
        return "x"
      })).pipe(Stream.encodeText)
      const ask = yield* serve(Effect.succeed(HttpServerResponse.stream(body)), {
        caller: () =>
          Effect.succeed({ tenant: "acme" })
      })
      yield* endsWithin("1 minute")(Effect.flatMap(ask(), bodyOf))
      expect(refused).toEqual(["QuotaExceeded"])
    }),
    { quota: () => 2 }
  ))

it.effect("a client that goes while its caller is looked up leaves nothing", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const ask = yield* serve(Effect.succeed(ok), {
      caller: () => Effect.orDie(Session.use(job, things.take, things.give, () => Effect.never))
    })
    const controller = new AbortController()
    yield* Effect.forkDetach(ask(new Request(url, { signal: controller.signal })), { startImmediately: true })
    yield* settle
    controller.abort()
    yield* settle
    expect(yield* SessionRegistry.counts).toEqual({})
    things.settled(1)
  }))
})
