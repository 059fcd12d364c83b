/** Calls: each is a session with a deadline, at which it is tried as often as the endpoint's policy says. */
import * as Deadline from "@clawback/core/Deadline"
import * as Retry from "@clawback/core/Retry"
import * as Session from "@clawback/core/Session"
import * as Timeouts from "@clawback/core/Timeouts"
import * as Transport from "@clawback/core/Transport"
import * as Effect from "effect/Effect"
import { identity } from "effect/Function"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as ChatEvent from "../../ChatEvent.ts"
import type * as ChatRequest from "../../ChatRequest.ts"
import type * as ChatResponse from "../../ChatResponse.ts"
import type * as Embedding from "../../Embedding.ts"
import type { JsonObject } from "../../Json.ts"
import type * as Protocol from "../../Protocol.ts"
import type { CallError, ProviderError } from "../../ProviderError.ts"
import { invalidResponse } from "../model/invalidResponse.ts"
import { Answer, endWhole, Latest } from "./answer.ts"
import type { Endpoint } from "./endpoint.ts"
import * as Observation from "./observation.ts"
import { errorBody, send } from "./send.ts"
import type { AnyFiber, Call } from "./telemetry.ts"

const callInfo = ({ provider }: Endpoint, model: string): Session.Info => ({
  kind: "call",
  name: `${provider}/${model}`
})

const isEventStream = ({ headers }: Transport.Response): boolean => {
  const type = headers["content-type"]
  return typeof type !== "string" || type.toLowerCase().startsWith("text/event-stream")
}

/** What a success means whose body is no stream, where one was asked for: an error, if it says so. */
const notAStream = (protocol: Protocol.ChatProtocol, peer: Protocol.Peer, received: Protocol.HttpResponse) => {
  const decoded = protocol.decodeResponse(peer, received)
  return Result.isFailure(decoded) && decoded.failure._tag !== "InvalidResponse"
    ? decoded.failure
    : invalidResponse(peer, "a body that is no event stream", received.body)
}

/** How a chat is begun to be told of. */
export type BeginChat = (fiber: AnyFiber, request: ChatRequest.ChatRequest, stream: boolean) => Call

/**
 * A streamed answer, at which it is tried as often as the endpoint's policy says. Giving the stream up gives up the
 * provider's work.
 *
 * The deadline is outside of the session: when it passes, the session is released though its reader may be away.
 */
export const stream = (
  endpoint: Endpoint<Protocol.ChatProtocol>,
  request: ChatRequest.ChatRequest,
  begin: BeginChat
): Stream.Stream<ChatEvent.ChatEvent, CallError> =>
  Stream.suspend(() => {
    const info = callInfo(endpoint, request.model)
    const latest = new Latest(info)
    const attempts = (call: Call) =>
      Stream.unwrap(Effect.gen(function*() {
        const { response, peer } = yield* send(endpoint, {
          body: endpoint.protocol.encodeRequest(request, { stream: true, includeUsage: true }),
          accept: "text/event-stream",
          timeouts: { ...endpoint.timeouts, firstToken: endpoint.timeouts.firstToken ?? Timeouts.defaults.firstToken }
        }, call)
        if (!isEventStream(response)) {
          const { headers, status } = response
          return yield* notAStream(endpoint.protocol, peer, { status, headers, body: yield* errorBody(response) })
        }
        call.streaming()
        const { end, pull } = latest.answer = new Answer(response, endpoint.protocol.makeDecoder(peer, request.choices))
        // As a finalizer, so that a whole answer is not lost to a limit that passes only now.
        yield* Effect.addFinalizer(() => end)
        return Stream.fromPull(Effect.succeed(pull)).pipe(
          Timeouts.applyStream({
            timeouts: endpoint.timeouts,
            startedAt: response.sentAt,
            isOutput: ChatEvent.isOutput
          })
        )
      })).pipe(
        Observation.streamAttempt(call),
        endpoint.retry === undefined ? identity : Retry.applyStream(endpoint.retry),
        Session.scopedStream(info)
      )
    return Observation.stream((fiber) => begin(fiber, request, true), attempts, latest).pipe(
      Deadline.withinStream(endpoint.timeouts.total ?? Timeouts.defaults.total),
      endWhole(latest)
    )
  })

/** An answer in one piece: how it is asked for and read. */
interface Exchange<A> {
  readonly model: string
  readonly encode: () => Result.Result<JsonObject, Protocol.Unsupported>
  readonly decode: (peer: Protocol.Peer, received: Protocol.HttpResponse) => Result.Result<A, ProviderError>
  readonly begin: (fiber: AnyFiber) => Call
  readonly answered: (call: Call, answer: A) => void
}

/** An answer in one piece, at which it is tried as often as the endpoint's policy says. */
const whole = <A>(endpoint: Endpoint, exchange: Exchange<A>): Effect.Effect<A, CallError> =>
  Observation.effect(exchange.begin, (call) =>
    Effect.gen(function*() {
      const { response, peer } = yield* send(endpoint, {
        body: exchange.encode(),
        accept: "application/json",
        // It has no first token.
        timeouts: { ...endpoint.timeouts, firstToken: undefined }
      }, call)
      const { headers, status } = response
      const received = { status, headers, body: yield* Transport.text(response) }
      const answer = yield* Effect.fromResult(exchange.decode(peer, received))
      exchange.answered(call, answer)
      return answer
    }).pipe(
      Observation.attempt(call),
      endpoint.retry === undefined ? identity : Retry.apply(endpoint.retry),
      Session.scoped(callInfo(endpoint, exchange.model)),
      Deadline.within(endpoint.timeouts.total ?? Timeouts.defaults.total)
    ))

/** A chat's answer in one piece. */
export const generate = (
  endpoint: Endpoint<Protocol.ChatProtocol>,
  request: ChatRequest.ChatRequest,
  begin: BeginChat
): Effect.Effect<ChatResponse.ChatResponse, CallError> =>
  whole(endpoint, {
    model: request.model,
    encode: () => endpoint.protocol.encodeRequest(request, { stream: false, includeUsage: false }),
    decode: endpoint.protocol.decodeResponse,
    begin: (fiber) => begin(fiber, request, false),
    answered: (call, answer) => call.answered(answer)
  })

/** Vectors, as many as there are inputs. */
export const embed = (
  endpoint: Endpoint<Protocol.EmbeddingProtocol>,
  request: Embedding.EmbeddingRequest,
  delivery: Protocol.EmbeddingDelivery,
  begin: (fiber: AnyFiber) => Call
): Effect.Effect<Embedding.EmbeddingResponse, CallError> =>
  whole(endpoint, {
    model: request.model,
    encode: () => endpoint.protocol.encodeRequest(request, delivery),
    decode: (peer, received) =>
      Result.flatMap(endpoint.protocol.decodeResponse(peer, received), (response) =>
        response.embeddings.length === request.input.length ? Result.succeed(response) : Result.fail(
          invalidResponse(
            peer,
            `${response.embeddings.length} embeddings for ${request.input.length} inputs`,
            received.body
          )
        )),
    begin,
    answered: (call, answer) =>
      call.embedded(answer)
  })
