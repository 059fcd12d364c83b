import * as Caller from "@clawback/core/Caller"
import * as Deadline from "@clawback/core/Deadline"
import * as RequestScope from "@clawback/core/RequestScope"
import * as Retry from "@clawback/core/Retry"
import * as Session from "@clawback/core/Session"
import * as Shutdown from "@clawback/core/Shutdown"
import * as Span from "@clawback/core/Span"
import type * as Tasks from "@clawback/core/Tasks"
import * as Timeouts from "@clawback/core/Timeouts"
import type * as TransportError from "@clawback/core/TransportError"
import { describe, it } from "@effect/vitest"
import type { Effect, Scope, Stream } from "effect"
import type { HttpServerResponse } from "effect/http"
import { expectTypeOf } from "vitest"

declare const caller: Caller.Caller
declare const policy: Retry.Policy
declare const info: Session.Info
declare const call: Effect.Effect<number, TransportError.ConnectFailed, Scope.Scope>
declare const reading: Stream.Stream<number, TransportError.ConnectFailed, Scope.Scope>
declare const handler: Effect.Effect<HttpServerResponse.HttpServerResponse, "wrong", "a service">
declare const tasks: Tasks.Tasks
declare const limits: Timeouts.StreamOptions<number>

/** For the types only: what is declared above does not exist. */
const compiled = (types: () => void) => () => void types

describe("the types of core's combinators", () => {
  it(
    "data-first and data-last give an effect of the same type",
    compiled(() => {
      expectTypeOf(Caller.provide(call, caller)).toEqualTypeOf(call.pipe(Caller.provide(caller)))
      expectTypeOf(Deadline.within(call, "1 second")).toEqualTypeOf(call.pipe(Deadline.within("1 second")))
      expectTypeOf(Retry.apply(call, policy)).toEqualTypeOf(call.pipe(Retry.apply(policy)))
      expectTypeOf(Retry.idempotent(call)).toEqualTypeOf(call.pipe(Retry.idempotent()))
      expectTypeOf(Retry.idempotent(call, "order 17")).toEqualTypeOf(call.pipe(Retry.idempotent("order 17")))
      expectTypeOf(Session.scoped(call, info)).toEqualTypeOf(call.pipe(Session.scoped(info)))
      expectTypeOf(Shutdown.admit(call, info)).toEqualTypeOf(call.pipe(Shutdown.admit(info)))
      expectTypeOf(Shutdown.addFinalizer(call, { phase: "persist", name: "x" })).toEqualTypeOf(
        call.pipe(Shutdown.addFinalizer({ phase: "persist", name: "x" }))
      )
      expectTypeOf(tasks.start(call, { name: "x", atShutdown: "cancel" })).toEqualTypeOf(
        call.pipe(tasks.start({ name: "x", atShutdown: "cancel" }))
      )
      expectTypeOf(RequestScope.http(handler)).toEqualTypeOf(handler.pipe(RequestScope.http()))
      expectTypeOf(RequestScope.http(handler, { deadline: "1 second" })).toEqualTypeOf(
        handler.pipe(RequestScope.http({ deadline: "1 second" }))
      )
      expectTypeOf(Span.around(call, "x")).toEqualTypeOf(call.pipe(Span.around("x")))
    })
  )

  it(
    "data-first and data-last give a stream of the same type",
    compiled(() => {
      expectTypeOf(Caller.provideStream(reading, caller)).toEqualTypeOf(
        reading.pipe(Caller.provideStream(caller))
      )
      expectTypeOf(Deadline.withinStream(reading, "1 second")).toEqualTypeOf(
        reading.pipe(Deadline.withinStream("1 second"))
      )
      expectTypeOf(Retry.applyStream(reading, policy)).toEqualTypeOf(reading.pipe(Retry.applyStream(policy)))
      expectTypeOf(Retry.idempotentStream(reading)).toEqualTypeOf(reading.pipe(Retry.idempotentStream()))
      expectTypeOf(Session.scopedStream(reading, info)).toEqualTypeOf(reading.pipe(Session.scopedStream(info)))
      expectTypeOf(Shutdown.admitStream(reading, info)).toEqualTypeOf(reading.pipe(Shutdown.admitStream(info)))
      expectTypeOf(Timeouts.applyStream(reading, limits)).toEqualTypeOf(reading.pipe(Timeouts.applyStream(limits)))
    })
  )

  it(
    "an option of the wrong type is refused in both orders",
    compiled(() => {
      // @ts-expect-error a caller is an object
      void Caller.provide(call, "acme")
      // @ts-expect-error a session has a name
      void Session.scoped(call, { kind: "job" })
      // @ts-expect-error a stream is no effect
      void Deadline.within(reading, "1 second")
      // @ts-expect-error an effect is no stream
      call.pipe(Deadline.withinStream("1 second"))
    })
  )
})
