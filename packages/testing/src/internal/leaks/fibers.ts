/**
 * The running fibers that a program has started, at any depth, also detached ones.
 *
 * The scheduler is called at each step of a fiber, to decide whether it yields, and so sees each step. The runtime's metrics see
 * each start, on the stack of its starter. Both are inherited. A fiber is not seen if it is started by `Effect.runFork`, has
 * another scheduler, or never yields.
 */
import * as Session from "@clawback/core/Session"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Metric from "effect/Metric"
import type { StackFrame } from "effect/References"
import * as Scheduler from "effect/Scheduler"
import { callers } from "./callers.ts"
import * as Trail from "./trail.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** The functions and spans around a fiber, innermost first. */
const inside = (frame: StackFrame | undefined): ReadonlyArray<string> => {
  const lines: Array<string> = []
  for (let at = frame; at !== undefined; at = at.parent) {
    const line = callers(at.stack() ?? "", 0)[0]
    lines.push(line === undefined ? `in ${at.name}` : `in ${at.name} (${line.replace(/^at /, "")})`)
  }
  return lines
}

/** The origin of a fiber. */
interface Start {
  readonly parent: AnyFiber | undefined
  readonly stack: Trail.Place
  /** The line of the program from which it was started. */
  readonly place: Trail.Place | undefined
  readonly frame: StackFrame | undefined
  /** The session in which it was started. */
  readonly session: number | undefined
}

/** A running fiber. */
export interface Running {
  readonly fiber: AnyFiber
  readonly where: ReadonlyArray<string>
  readonly parent: number | undefined
  readonly session: number | undefined
}

const unique = (lines: ReadonlyArray<string>) => [...new Set(lines)]

const describe = (fiber: AnyFiber, start: Start): ReadonlyArray<string> => {
  const { span, stackFrame } = fiber.cache
  const waits = Trail.ofFiber(fiber)?.lines ?? []
  const started = unique([...start.stack.lines, ...start.place?.lines ?? []])
  const functions = inside(stackFrame)
  return unique([
    ...waits.map((line) => `waits ${line}`),
    ...functions,
    ...started.map((line) => `forked ${line}`),
    ...inside(start.frame),
    ...(functions.length === 0 && span?._tag === "Span" ? [`in the span ${span.name}`] : [])
  ])
}

/** The id of the fiber that is being made. The next one's id is greater by one. */
const latestId = () => Effect.runFork(Effect.void).id - 1

export class Fibers {
  private readonly alive = new Map<AnyFiber, Start>()
  /** Starts without a known fiber yet, by the fiber's id. */
  private readonly starts = new Map<number, Start>()

  private readonly see = (fiber: AnyFiber): void => {
    if (this.alive.has(fiber)) return
    // A fiber that gets this context only after its start is in its first step here.
    this.alive.set(fiber, this.starts.get(fiber.id) ?? this.start(undefined, fiber.context, this.see))
    this.starts.delete(fiber.id)
    fiber.addObserver(() => this.alive.delete(fiber))
  }

  private start(
    parent: AnyFiber | undefined,
    context: Context.Context<never>,
    above: (...args: never) => void
  ): Start {
    return {
      parent,
      stack: Trail.stackHere(above),
      place: Trail.here(),
      frame: parent?.cache.stackFrame,
      session: Context.get(context, Session.Current)?.id
    }
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
      const recordFiberStart = (context: Context.Context<never>) => {
        this.starts.set(latestId(), this.start(Fiber.getCurrent(), context, recordFiberStart))
        metrics?.recordFiberStart(context)
      }
      const recorder: Metric.FiberRuntimeMetricsService = {
        recordFiberStart,
        recordFiberEnd: (context, exit) => metrics?.recordFiberEnd(context, exit)
      }
      return yield* effect.pipe(
        Effect.provideService(Scheduler.Scheduler, scheduler),
        Effect.provideService(Metric.FiberRuntimeMetrics, recorder)
      )
    })
  }

  get size(): number {
    return this.alive.size
  }

  /** The running fibers, each with its origin, and the functions and spans around it. */
  left(): ReadonlyArray<Running> {
    return [...this.alive]
      // A fiber that waits for this one may see its end before we do.
      .filter(([fiber]) => fiber.pollUnsafe() === undefined)
      .map(([fiber, start]) => ({
        fiber,
        where: describe(fiber, start),
        parent: start.parent?.id,
        session: start.session
      }))
  }
}
