/** Makes each call of a tool handler a session of the kind `tool`, which registries list and revoke, and gives it a span. */
import { Attribute } from "@clawback/core/Conventions"
import * as Session from "@clawback/core/Session"
import type { SessionError } from "@clawback/core/SessionError"
import * as Span from "@clawback/core/Span"
import type * as AiError from "effect/ai/AiError"
import type * as Tool from "effect/ai/Tool"
import type * as Toolkit from "effect/ai/Toolkit"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Tracer from "effect/Tracer"

type WithHandler = Toolkit.WithHandler<Record<string, Tool.Any>>

/** An error of the handler. Its own sessions may have been revoked, too. */
class OfHandler {
  readonly error: unknown
  constructor(error: unknown) {
    this.error = error
  }
}

const errorOf = (error: unknown) => error instanceof OfHandler ? error.error : error

const mapCause = <A, R>(self: Stream.Stream<A, unknown, R>, f: (error: unknown) => unknown) =>
  Stream.catchCause(self, (cause) => Stream.failCause(Cause.map(cause, f)))

/** Effect's toolkit first annotates the current span with the tool's name, and with what the model asked. Drops both. */
const unannotated = <A, E, R>(handle: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.withFiber((fiber) => {
    const { span } = fiber.cache
    if (span?._tag !== "Span" || !Span.isTraced(fiber)) return handle
    const { attribute } = span
    span.attribute = (key, value) =>
      key === "tool" || key === "parameters" ? undefined : attribute.call(span, key, value)
    return Effect.ensuring(handle, Effect.sync(() => void (span.attribute = attribute)))
  })

const operation = "execute_tool"

/**
 * A span around a call of a handler. Its name and attributes are those of OpenTelemetry:
 * https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/execute-tool.md. What the model asked and
 * what the handler returned are not among them.
 */
const spanned = <A extends Tool.HandlerResult<Tool.Any>, R>(
  self: Stream.Stream<A, unknown, R>,
  name: string,
  toolCallId: string | undefined
): Stream.Stream<A, unknown, R> =>
  Stream.unwrap(Effect.uninterruptible(Effect.withFiber((fiber) => {
    if (!Span.isTraced(fiber)) return Effect.succeed(self)
    const attributes = {
      [Attribute.operation]: operation,
      [Attribute.toolName]: name,
      [Attribute.toolCallId]: toolCallId,
      [Attribute.toolType]: "function"
    }
    const span = Span.begin(fiber, `${operation} ${name}`, { attributes })
    // A failure that the model is told of is a result of the handler.
    let result: Exit.Exit<unknown, unknown> = Exit.void
    const noted = Stream.tap(self, ({ isFailure, result: value }) =>
      Effect.sync(() => void (result = isFailure ? Exit.fail(value) : Exit.void)))
    return Effect.flatMap(Effect.scope, (scope) =>
      Effect.as(
        Scope.addFinalizerExit(scope, (exit) =>
          Effect.sync(() =>
            Span.end(span, fiber, Exit.isSuccess(exit) ? result : Exit.failCause(Cause.map(exit.cause, errorOf)))
          )),
        Stream.provideService(noted, Tracer.ParentSpan, span)
      ))
  })))

/**
 * The toolkit, each of whose calls is a session: a child of the session in which the model is called. It is open until the
 * handler's last result. `failed` makes the error of a call whose session was revoked, or could not be opened.
 */
const observed = ({ handle, tools }: WithHandler, failed: (error: SessionError) => AiError.AiError): WithHandler => ({
  tools,
  handle: (name, params, toolCallId, options) => {
    const info: Session.Info = { kind: "tool", name, ...(toolCallId !== undefined && { attributes: { toolCallId } }) }
    const handled = mapCause(
      Stream.unwrap(unannotated(handle(name, params, toolCallId, options))),
      (error) => new OfHandler(error)
    )
    const inSession = mapCause(
      spanned(Session.scopedStream(handled, info), name, toolCallId),
      (error) => error instanceof OfHandler ? error.error : failed(error as SessionError)
    )
    return Effect.succeed(inSession as Stream.Stream<Tool.HandlerResult<Tool.Any>, AiError.AiError>)
  }
})

/** The toolkit of a call, or the effect that makes it. */
export const observe = (
  toolkit: unknown,
  failed: (error: SessionError) => AiError.AiError
): Toolkit.WithHandler<{}> => {
  const wrapped: unknown = Effect.isEffect(toolkit)
    ? Effect.map(toolkit as Effect.Effect<WithHandler>, (toolkit) => observed(toolkit, failed))
    : observed(toolkit as WithHandler, failed)
  // Effect resolves either.
  return wrapped as Toolkit.WithHandler<{}>
}
