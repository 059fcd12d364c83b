import * as Deadline from "@clawback/core/Deadline"
import * as Retry from "@clawback/core/Retry"
import type * as SessionError from "@clawback/core/SessionError"
import type * as Timeouts from "@clawback/core/Timeouts"
import type * as TransportError from "@clawback/core/TransportError"
import { describe, it } from "@effect/vitest"
import type { Effect, Scope, Stream } from "effect"
import { expectTypeOf } from "vitest"

class Foreign {
  readonly _tag = "Foreign"
}

declare const call: Effect.Effect<number, TransportError.ConnectFailed | Timeouts.FirstTokenTimeout, Scope.Scope>
declare const reading: Stream.Stream<number, TransportError.ConnectFailed>
declare const foreign: Effect.Effect<number, Foreign | TransportError.ConnectFailed>
declare const foreignReading: Stream.Stream<number, Foreign>
declare const classify: (error: Foreign) => Retry.Advice | undefined
declare const ofForeign: Retry.Policy<Foreign>
declare const ofAny: Retry.Policy

/** For the types only: what is declared above does not exist. */
const compiled = (types: () => void) => () => void types

describe("Retry's types", () => {
  it(
    "a retried effect fails with what it failed with before, or with the deadline that left it no time",
    compiled(() => {
      expectTypeOf(Retry.apply(ofAny)(call)).toEqualTypeOf<
        Effect.Effect<
          number,
          TransportError.ConnectFailed | Timeouts.FirstTokenTimeout | Deadline.DeadlineExceeded,
          Scope.Scope
        >
      >()
      expectTypeOf(Retry.applyStream(ofAny)(reading)).toEqualTypeOf<
        Stream.Stream<number, TransportError.ConnectFailed | Deadline.DeadlineExceeded>
      >()
    })
  )

  it(
    "a deadline around it adds nothing that is not in there",
    compiled(() => {
      expectTypeOf(Deadline.within("1 second")(Retry.apply(ofAny)(call))).toEqualTypeOf(Retry.apply(ofAny)(call))
    })
  )

  it(
    "a deadline around a stream adds only that its scope may be closed under it",
    compiled(() => {
      expectTypeOf(Deadline.withinStream("1 second")(Retry.applyStream(ofAny)(reading))).toEqualTypeOf<
        Stream.Stream<
          number,
          TransportError.ConnectFailed | Deadline.DeadlineExceeded | SessionError.SessionRevoked
        >
      >()
    })
  )

  it(
    "a policy is of what its `classify` can judge",
    compiled(() => {
      expectTypeOf(Retry.jittered()).toEqualTypeOf<Retry.Policy>()
      expectTypeOf(Retry.jittered({ classify })).toEqualTypeOf<Retry.Policy<Foreign>>()
    })
  )

  it(
    "a policy judges its own errors and those that give advice, and no others",
    compiled(() => {
      expectTypeOf(Retry.apply(ofForeign)(foreign)).toEqualTypeOf<
        Effect.Effect<number, Foreign | TransportError.ConnectFailed | Deadline.DeadlineExceeded>
      >()
      expectTypeOf(Retry.apply(ofForeign)(call)).toEqualTypeOf(Retry.apply(ofAny)(call))
      type Judged = Parameters<ReturnType<typeof Retry.apply<number>>>[0]
      expectTypeOf<typeof call>().toExtend<Judged>()
      expectTypeOf<typeof foreign>().not.toExtend<Judged>()
      type JudgedStream = Parameters<ReturnType<typeof Retry.applyStream<number>>>[0]
      expectTypeOf<typeof reading>().toExtend<JudgedStream>()
      expectTypeOf<typeof foreignReading>().not.toExtend<JudgedStream>()
      expectTypeOf<Retry.Policy>().toExtend<Retry.Policy<Foreign>>()
      expectTypeOf<Retry.Policy<Foreign>>().not.toExtend<Retry.Policy>()
    })
  )

  it(
    "declaring a call idempotent changes neither what it gives nor what it needs",
    compiled(() => {
      expectTypeOf(Retry.idempotent("order 17")(call)).toEqualTypeOf(call)
      expectTypeOf(Retry.idempotentStream()(reading)).toEqualTypeOf(reading)
    })
  )

  it(
    "each error of a transport gives advice",
    compiled(() => {
      expectTypeOf<TransportError.TransportError>().toExtend<Retry.Declared>()
      expectTypeOf<Timeouts.IdleTimeout | Deadline.DeadlineExceeded>().toExtend<Retry.Declared>()
    })
  )

  it(
    "a budget is made by `budget`, not out of a number",
    compiled(() => {
      // @ts-expect-error a look-alike keeps no count
      Retry.jittered({ budget: { left: 10 } })
    })
  )
})
