/**
 * Which fibers run that were started by a program, at whatever depth and however detached.
 *
 * A scheduler is asked at each step of a fiber whether that should yield, and so sees it work; the runtime's metrics see it
 * start, on its starter's stack. Both are inherited, so that only a fiber that is started outside of Effect, by
 * `Effect.runFork`, or that is given another scheduler or told never to yield, is not seen.
 */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import type { StackFrame } from "effect/References"
import * as Scheduler from "effect/Scheduler"
import { callers } from "./callers.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** The functions and spans that a fiber is inside of, innermost first. */
const inside = ({ cache }: AnyFiber): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (let frame: StackFrame | undefined = cache.stackFrame; frame !== undefined; frame = frame.parent) {
    const at = callers(frame.stack() ?? "", 0)[0]
    lines.push(at === undefined ? `in ${frame.name}` : `in ${frame.name} (${at.replace(/^at /, "")})`)
  }
  if (lines.length === 0 && cache.span?._tag === "Span") lines.push(`in the span ${cache.span.name}`)
  return lines
}

export class Fibers {
  private readonly alive = new Map<AnyFiber, ReadonlyArray<string>>()
  /** The starts that are not matched with a fiber yet, by the context with which the fiber starts. */
  private readonly starts = new WeakMap<Context.Context<never>, ReadonlyArray<string>>()

  private see(fiber: AnyFiber): void {
    if (this.alive.has(fiber)) return
    this.alive.set(fiber, this.starts.get(fiber.context) ?? [])
    fiber.addObserver(() => this.alive.delete(fiber))
  }

  /** Watches what an effect starts. */
  watch<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.gen({ self: this }, function*() {
      const inner = yield* Scheduler.Scheduler
      const metrics = yield* Metric.FiberRuntimeMetrics
      const scheduler: Scheduler.Scheduler = {
        executionMode: inner.executionMode,
        shouldYield: (fiber) => {
          this.see(fiber)
          return inner.shouldYield(fiber)
        },
        makeDispatcher: () => inner.makeDispatcher()
      }
      const recorder: Metric.FiberRuntimeMetricsService = {
        recordFiberStart: (context) => {
          const parent = Fiber.getCurrent()
          const stack = callers(new Error("A fiber was started here").stack ?? "")
          this.starts.set(context, [...stack, ...(parent === undefined ? [] : inside(parent))])
          metrics?.recordFiberStart(context)
        },
        recordFiberEnd: (context, exit) => metrics?.recordFiberEnd(context, exit)
      }
      return yield* effect.pipe(
        Effect.provideService(Scheduler.Scheduler, scheduler),
        Effect.provideService(Metric.FiberRuntimeMetrics, recorder)
      )
    })
  }

  /** Those that run, each with where it was started and what it is inside of. */
  left(): ReadonlyArray<{ readonly fiber: AnyFiber; readonly where: ReadonlyArray<string> }> {
    return [...this.alive]
      // Whoever waits for one may hear of its end before we do.
      .filter(([fiber]) => fiber.pollUnsafe() === undefined)
      .map(([fiber, started]) => ({ fiber, where: [...new Set(inside(fiber).concat(started))] }))
  }
}
