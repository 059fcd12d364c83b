/** Makes each call of a tool handler a session of the kind `tool`, which registries list and revoke. */
import * as Session from "@clawback/core/Session"
import type { SessionError } from "@clawback/core/SessionError"
import type * as AiError from "effect/ai/AiError"
import type * as Tool from "effect/ai/Tool"
import type * as Toolkit from "effect/ai/Toolkit"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

type WithHandler = Toolkit.WithHandler<Record<string, Tool.Any>>

/** An error of the handler. Its own sessions may have been revoked, too. */
class OfHandler {
  readonly error: unknown
  constructor(error: unknown) {
    this.error = error
  }
}

const mapCause = <A, R>(self: Stream.Stream<A, unknown, R>, f: (error: unknown) => unknown) =>
  Stream.catchCause(self, (cause) => Stream.failCause(Cause.map(cause, f)))

/**
 * The toolkit, each of whose calls is a session: a child of the session in which the model is called. It is open until the
 * handler's last result. `failed` makes the error of a call whose session was revoked, or could not be opened.
 */
const observed = ({ handle, tools }: WithHandler, failed: (error: SessionError) => AiError.AiError): WithHandler => ({
  tools,
  handle: (name, params, toolCallId, options) => {
    const info: Session.Info = { kind: "tool", name, ...(toolCallId !== undefined && { attributes: { toolCallId } }) }
    const handled = mapCause(
      Stream.unwrap(handle(name, params, toolCallId, options)),
      (error) => new OfHandler(error)
    )
    const inSession = mapCause(
      Session.scopedStream(handled, info),
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
