/**
 * Contexts that are kept for longer than the work that they come from, since a release runs in them.
 *
 * A span keeps how it ended, and so what its work came to. A stack frame keeps the fibers that were on the stack. The
 * record of something that the work gave away would keep all that alive until it is released.
 */
import * as Context from "effect/Context"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as References from "effect/References"
import * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as Interop from "../interop.ts"

/** Where a span belongs, without the span: enough to be a parent and to be linked to. */
const idsOf = ({ sampled, spanId, traceId }: Tracer.AnySpan): Tracer.ExternalSpan =>
  Tracer.externalSpan({ traceId, spanId, sampled })

const stripped = (context: Context.Context<never>): Context.Context<never> => {
  const span = Context.getOrUndefined(context, Tracer.ParentSpan)
  const links = Context.get(context, References.TracerSpanLinks)
  // Not by adding to the context, which would hide what was there before, and keep it.
  const services = new Map(context.mapUnsafe)
  services.delete(References.CurrentStackFrame.key)
  if (span !== undefined) services.set(Tracer.ParentSpan.key, idsOf(span))
  if (links.length > 0) {
    const lasting = links.map(({ attributes, span }) => ({ attributes, span: idsOf(span) }))
    services.set(References.TracerSpanLinks.key, lasting)
  }
  return Context.makeUnsafe(services)
}

/** A fiber's context with the ids of spans instead of the spans. */
export const contextOf = ({ cache, context }: Fiber.Fiber<unknown, unknown>): Context.Context<never> =>
  cache.span?._tag === "Span" || cache.stackFrame !== undefined ? stripped(context) : context

const closed = Scope.makeUnsafe()
Scope.closeUnsafe(closed, Exit.void)

/**
 * The same for something whose scope is watched for being lost, so that we must not keep it. The scope is in the context
 * for as long as others have it, and so is the map of layers, which has theirs.
 */
export class Unowned {
  private readonly own: Context.Context<never>
  private readonly scope: () => Scope.Scope | undefined
  private readonly layers: () => Layer.MemoMap | undefined

  constructor(fiber: Fiber.Fiber<unknown, unknown>, scope: Scope.Scope) {
    this.own = Context.omit(Scope.Scope, Layer.CurrentMemoMap)(contextOf(fiber))
    this.scope = Interop.weakly(scope)
    this.layers = Interop.weakly(Context.getOrUndefined(fiber.context, Layer.CurrentMemoMap))
  }

  get context(): Context.Context<never> {
    const layers = this.layers()
    // A scope that was lost is as good as closed: what is added to it would never run.
    const own = Context.add(this.own, Scope.Scope, this.scope() ?? closed)
    return layers === undefined ? own : Context.add(own, Layer.CurrentMemoMap, layers)
  }
}
