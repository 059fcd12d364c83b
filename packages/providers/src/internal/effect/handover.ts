/**
 * Hands the answer of a call to Effect's own `generateText`, which decodes it and runs the tool handlers.
 *
 * For that, Effect makes the call once more. Until it asks for the answer, its context has a tracer that returns the span of
 * the call, and a tracker that returns what it has prepared for the call. After that, its context is the caller's again. The
 * handlers run in that.
 */
import type * as Response from "effect/ai/Response"
import * as ResponseIdTracker from "effect/ai/ResponseIdTracker"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Tracer from "effect/Tracer"
import type { Call } from "./modelCall.ts"

type Running = Fiber.Fiber<unknown, unknown>
type Services = Context.Context<never>

/** Effect ends the span with its own call. Ending it again changes nothing. */
const tracerOf = ({ asked: { span } }: Call): Tracer.Tracer => Tracer.make({ span: () => span })

const trackerOf = (tracker: ResponseIdTracker.Service, { asked }: Call): ResponseIdTracker.Service => {
  const { incrementalPrompt: prompt, previousResponseId } = asked
  const prepared = prompt === undefined || previousResponseId === undefined
    ? Option.none()
    : Option.some({ prompt, previousResponseId })
  return {
    clearUnsafe: () => tracker.clearUnsafe(),
    markParts: (parts, id) => tracker.markParts(parts, id),
    prepareUnsafe: () => prepared
  }
}

/** The answer of a call, for Effect. */
export class Handover {
  readonly call: Call
  private readonly parts: Array<Response.PartEncoded>
  private readonly attributes: ReadonlyMap<string, unknown>
  private callers: Services = Context.empty()

  constructor(call: Call, parts: Array<Response.PartEncoded>) {
    this.call = call
    this.parts = parts
    this.attributes = new Map(call.asked.span.attributes)
  }

  /** The context in which Effect makes the call. */
  begin(callers: Services): Services {
    const { tracker } = this.call
    this.callers = callers
    const context = callers.pipe(Context.add(Current, this), Context.add(Tracer.Tracer, tracerOf(this.call)))
    return tracker === undefined
      ? context
      : Context.add(context, ResponseIdTracker.ResponseIdTracker, trackerOf(tracker, this.call))
  }

  /** Gives the answer to Effect's call, in its fiber. */
  take(fiber: Running): Effect.Effect<Array<Response.PartEncoded>> {
    fiber.setContext(
      fiber.context.pipe(
        this.restored(Current),
        this.restored(Tracer.Tracer),
        this.restored(ResponseIdTracker.ResponseIdTracker)
      )
    )
    this.restoreAttributes()
    return Effect.succeed(this.parts)
  }

  private restored<I, S>(key: Context.Key<I, S>) {
    return Context.addOrOmit(key, Option.fromUndefinedOr(Context.getOrUndefined(this.callers, key)))
  }

  /** Effect has set attributes as at the beginning of the call: over later ones, too. */
  private restoreAttributes(): void {
    const { span } = this.call.asked
    for (const [key, value] of this.attributes) if (span.attributes.get(key) !== value) span.attribute(key, value)
  }
}

/** The handover whose answer Effect has not yet taken. */
export const Current: Context.Reference<Handover | undefined> = Context.Reference<Handover | undefined>(
  "@clawback/providers/internal/Handover",
  { defaultValue: () => undefined }
)

/** Runs Effect's own call over an answer. */
export const provide = <A, E>(self: Effect.Effect<A, E>, handover: Handover): Effect.Effect<A, E> =>
  Effect.updateContext(self, (callers: Services) => handover.begin(callers))
