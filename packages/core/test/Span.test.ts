import * as Span from "@clawback/core/Span"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Data, Effect, Exit, Fiber, Tracer } from "effect"
import { inspect } from "node:util"
import { atEach, interruptAt } from "./Moments.ts"
import { traced } from "./Traces.ts"

class Refused extends Data.TaggedError("Refused")<{ readonly said: string }> {
  override get message() {
    return `It said: ${this.said}`
  }
}

const step = Span.around("step", { attributes: { size: 3, nothing: undefined } })

describe("Span", () => {
  it.effect("stands around what it is for, below the span in force", () =>
    Effect.gen(function*() {
      const { spans } = yield* traced(Effect.withSpan(step(Effect.void), "all"))
      assert.deepStrictEqual(spans.map(({ name, parent }) => [name, parent]), [["all", undefined], ["step", "all"]])
      assert.deepStrictEqual(spans[1]?.attributes, { size: 3 })
      assert.deepStrictEqual(spans[1]?.exit, Exit.void)
    }))

  it.effect("records an error's tag and not its message", () =>
    Effect.gen(function*() {
      const { exit, spans } = yield* traced(step(new Refused({ said: "my secret" })))
      assert.strictEqual(spans[0]?.attributes["error.type"], "Refused")
      assert(spans[0]?.exit !== undefined && Exit.isFailure(spans[0].exit))
      const [error] = Cause.prettyErrors(spans[0].exit.cause)
      assert.deepStrictEqual([error?.name, error?.message], ["Refused", "Refused"])
      assert.notInclude(inspect(spans, { depth: null, showHidden: true }), "my secret")
      // Whoever called gets it whole.
      assert.include(inspect(exit, { depth: null }), "my secret")
    }))

  it("does not change an exit without a message", () => {
    const once = Span.untold(Exit.fail(new Refused({ said: "my secret" })))
    assert.strictEqual(Span.untold(once), once)
  })

  it.effect("records the name of a defect", () =>
    Effect.gen(function*() {
      const { spans } = yield* traced(step(Effect.die(new RangeError("my secret"))))
      assert.strictEqual(spans[0]?.attributes["error.type"], "RangeError")
      assert.notInclude(inspect(spans, { depth: null }), "my secret")
    }))

  it.effect("keeps an interruption apart from a failure", () =>
    Effect.gen(function*() {
      const { spans } = yield* traced(Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(step(Effect.never), { startImmediately: true })
        yield* Fiber.interrupt(fiber)
      }))
      assert(spans[0]?.exit !== undefined && Exit.isFailure(spans[0].exit))
      assert.isTrue(Cause.hasInterruptsOnly(spans[0].exit.cause))
      assert.deepStrictEqual(spans[0].attributes, { size: 3 })
    }))

  it.effect("ends whenever an interruption comes", () =>
    atEach((moment) =>
      Effect.gen(function*() {
        for (let before = 0; before < 10; before++) {
          const victim = Effect.andThen(Effect.repeat(Effect.void, { times: before }), step(Effect.never))
          const { spans } = yield* traced(interruptAt(moment)(victim))
          for (const { exit } of spans) assert.isDefined(exit)
        }
      }), 10))

  it.effect("is not made without a tracer", () =>
    Effect.gen(function*() {
      const isTraced = Effect.withFiber((fiber) => Effect.succeed(Span.isTraced(fiber)))
      assert.isFalse(yield* isTraced)
      const { exit } = yield* traced(Effect.all([
        isTraced,
        Effect.withTracerEnabled(isTraced, false),
        Effect.withParentSpan(isTraced, Tracer.externalSpan({ spanId: "1", traceId: "2", sampled: false }))
      ]))
      assert.deepStrictEqual(exit, Exit.succeed([true, false, false]))
    }))

  it.effect("takes what the program annotates its spans with", () =>
    Effect.gen(function*() {
      const { spans } = yield* traced(Effect.annotateSpans(step(Effect.void), { region: "eu" }))
      assert.deepStrictEqual(spans[0]?.attributes, { region: "eu", size: 3 })
    }))

  it.effect("is not sampled below the level that the program traces", () =>
    Effect.gen(function*() {
      const sampled: Array<boolean> = []
      const tracer = Tracer.make({
        span: (options) => {
          sampled.push(options.sampled)
          return new Tracer.NativeSpan(options)
        }
      })
      yield* Effect.provideService(step(Effect.void), Tracer.Tracer, tracer).pipe(
        Effect.provideService(Tracer.MinimumTraceLevel, "Error")
      )
      assert.deepStrictEqual(sampled, [false])
    }))

  it.effect("ends once", () =>
    Effect.gen(function*() {
      const { spans } = yield* traced(Effect.withFiber((fiber) => {
        const span = Span.begin(fiber, "one")
        Span.end(span, fiber, Exit.void)
        Span.end(span, fiber, Exit.fail("late"))
        return Effect.void
      }))
      assert.deepStrictEqual(spans[0]?.exit, Exit.void)
      assert.deepStrictEqual(spans[0]?.attributes, {})
    }))
})
