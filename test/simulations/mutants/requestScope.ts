/** Mistakes in how a server's requests last, and in what the records of their sessions keep. */
import type { Mutant } from "../../support/mutant.ts"

const requestScope = "packages/core/src/RequestScope.ts"
const request = "packages/core/src/internal/request/requestParts.ts"
const hostFiber = "packages/core/src/internal/request/hostFiber.ts"
const lasting = "packages/core/src/internal/session/releaseContext.ts"
const record = "packages/core/src/internal/session/record.ts"
const session = "packages/core/src/Session.ts"

const of = (file: string, rule: string, find: string, replace: string): Mutant => ({
  module: "RequestScope",
  file,
  find,
  replace,
  rule
})

export const mutants: ReadonlyArray<Mutant> = [
  of(
    hostFiber,
    "what a handler forks lives until the last byte",
    "            done(exit)\n            return Effect.never\n",
    "            done(exit)\n            return Effect.void as Effect.Effect<never>\n"
  ),
  of(
    request,
    "what a handler forked ends with its request",
    "      (all, stop) => Effect.ensuring(stop, all),\n      this.endHandler()\n",
    "      (all, stop) => Effect.ensuring(stop, all),\n      Effect.void\n"
  ),
  of(
    request,
    "a body ends with its request",
    "Array.from(this.bodies, (body) => body.stop(exit))",
    "Array.from(this.bodies, (body) => Effect.as(Effect.void, body) as Effect.Effect<any>)"
  ),
  of(
    request,
    "what a handler forked for a body ends at the deadline, also while nobody reads",
    "return Exit.isSuccess(exit) ? Effect.void : this.endHandler()",
    "return Effect.as(Effect.void, exit) as Effect.Effect<any>"
  ),
  of(
    request,
    "a request whose scope was closed before it began does not begin",
    "      if (this.isReleased) return Effect.fail(whyEnded(session))\n",
    ""
  ),
  of(
    request,
    "a part of a request that closes its scope does not wait for itself",
    "          if (this.isClosedFromWithin) return resume(Effect.void)\n",
    ""
  ),
  of(
    requestScope,
    "a revocation does not wait for a part of the request that waits for it",
    "Scope.addFinalizer(scope, Effect.sync(() => request.noticeClosing()))",
    "Scope.addFinalizer(scope, Effect.sync(() => request))"
  ),
  of(
    request,
    "a request gives back its place among the work in flight",
    "Effect.sync(() => this.leave(hasSucceeded)))",
    "Effect.sync(() => hasSucceeded))"
  ),
  of(
    requestScope,
    "a request has a deadline",
    "limit === undefined ? self : Deadline.within(limit)(self)",
    "limit === undefined ? self : self"
  ),
  of(
    requestScope,
    "a body has the request's deadline",
    "    Deadline.withinStream(left),\n",
    ""
  ),
  of(
    lasting,
    "the context of a release keeps no span of who acquired",
    "cache.span?._tag === \"Span\" || cache.stackFrame !== undefined ? stripped(context) : context",
    "cache.span?._tag === \"Span\" && cache.stackFrame === null as any ? stripped(context) : context"
  ),
  of(
    record,
    "a record keeps the ids of a span, not the span",
    "    this.span = span && { traceId: span.traceId, spanId: span.spanId }\n",
    "    this.span = span as any\n"
  ),
  of(
    lasting,
    "a record keeps no scope that is watched for being lost",
    "Context.omit(Scope.Scope, Layer.CurrentMemoMap)(contextOf(fiber))",
    "Context.omit(Layer.CurrentMemoMap)(contextOf(fiber)) as any"
  ),
  of(
    session,
    "what is lost is noticed",
    "if (isWatched) Lifecycle.watch(record, scope, fiber.getRef(LeakProbe))",
    ""
  )
]
