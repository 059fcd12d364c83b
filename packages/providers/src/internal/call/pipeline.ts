/**
 * In which order a call takes what it holds. It releases in reverse.
 *
 * | stage | holds | for |
 * | --- | --- | --- |
 * | `deadline` | nothing: bounds all that follows by the limit `total` | the call |
 * | `session` | a session of the kind `call`, which can be listed and revoked | the call |
 * | `retry` | nothing while it waits | the call |
 * | identity | one identity of the credential: which key, and whose quota | an attempt |
 * | secret | the lease of the secret, from just before sending | an attempt |
 * | connection | a session of the kind `exchange` | an attempt, to the end of its body |
 * | guard | nothing: the limits `firstToken` and `idle` of a stream | an attempt |
 *
 * The deadline is outside of the session, so that a session is released in time though its stream's reader is away. For
 * the same reason the record of a stream is inside of the deadline; the record of an effect hears of the deadline outside.
 */
import * as Deadline from "@clawback/core/Deadline"
import * as Retry from "@clawback/core/Retry"
import * as Session from "@clawback/core/Session"
import * as Timeouts from "@clawback/core/Timeouts"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as ChatEvent from "../../ChatEvent.ts"
import type { CallError } from "../../ProviderError.ts"
import { type Answer, endWhole } from "./answer.ts"
import type { Endpoint, Route } from "./endpoint.ts"
import type { AnyFiber, CallRecord } from "./record.ts"
import { type Answered, type Classify, send } from "./send.ts"
import * as Telemetry from "./telemetry.ts"

type Begin = (fiber: AnyFiber) => CallRecord
type Held<A> = Effect.Effect<A, CallError, Scope.Scope>
type HeldStream = Stream.Stream<ChatEvent.ChatEvent, CallError, Scope.Scope>

/** Two stages on one fiber: as `Deadline.within` around `Session.scoped`. */
const deadlineAndSession = <A>({ session, total }: Endpoint, self: Held<A>) =>
  Session.scopedWithin(self, session, total)

const deadline = <A>({ total }: Endpoint, self: Stream.Stream<A, CallError>) => Deadline.withinStream(self, total)

const session = ({ session }: Endpoint, self: HeldStream) => Session.scopedStream(self, session)

/** Here, around the attempts: the hedge, on the time to first token. */
const retry = {
  effect: <A>({ retry }: Endpoint, self: Held<A>) => retry === undefined ? self : Retry.apply(self, retry),
  stream: ({ retry }: Endpoint, self: HeldStream) => retry === undefined ? self : Retry.applyStream(self, retry)
}

/** A call whose answer comes in one piece. */
export const effect = <A>(endpoint: Endpoint, begin: Begin, attempt: (record: CallRecord) => Held<A>) =>
  Telemetry.effect(
    begin,
    (record) => deadlineAndSession(endpoint, retry.effect(endpoint, Telemetry.attempt(record, attempt(record))))
  )

/** A call whose answer is streamed. */
export const stream = (
  endpoint: Endpoint,
  answer: Answer,
  begin: Begin,
  attempt: (record: CallRecord) => HeldStream
): Stream.Stream<ChatEvent.ChatEvent, CallError> => {
  const recorded = Telemetry.stream(
    begin,
    answer,
    (record) => session(endpoint, retry.stream(endpoint, Telemetry.attemptStream(record, attempt(record))))
  )
  return endWhole(answer, endpoint.session, deadline(endpoint, recorded))
}

/** Sends the request of one attempt, of either kind. */
export const exchange = (endpoint: Endpoint, route: Route, body: string, classify: Classify): Held<Answered> =>
  Effect.flatMap(endpoint.source.identity, (identity) =>
    // Here, by `identity.group`: breaker.peek → bulkhead → slot → breaker.admit, else the slot is refunded.
    Effect.flatMap(identity.lease, (secret) => send(endpoint, route, body, identity, secret, classify)))

/** Bounds the silence of an attempt's stream. */
export const guard = (
  { timeouts }: Endpoint,
  sentAt: number,
  answer: Answer
): Stream.Stream<ChatEvent.ChatEvent, CallError> =>
  Timeouts.applyStream(Stream.fromPull(Effect.succeed(answer.pull)), {
    timeouts,
    startedAt: sentAt,
    isOutput: ChatEvent.isOutput
  })
