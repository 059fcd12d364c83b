/** Calls of a chat model: whole answers and streams. */
import { Attribute } from "@clawback/core/Conventions"
import * as Timeouts from "@clawback/core/Timeouts"
import type * as Transport from "@clawback/core/Transport"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Tracer from "effect/Tracer"
import type { ChatEvent } from "../../ChatEvent.ts"
import type { ChatRequest } from "../../ChatRequest.ts"
import type { ChatResponse } from "../../ChatResponse.ts"
import type { ChatProtocol, Delivery, HttpResponse, Peer } from "../../Protocol.ts"
import type { CallError, ProviderError } from "../../ProviderError.ts"
import { invalidResponse } from "../model/invalidResponse.ts"
import type { ChatRow } from "../model/row.ts"
import { Answer } from "./answer.ts"
import { encode } from "./encode.ts"
import * as Endpoint from "./endpoint.ts"
import { errorBody } from "./errorBody.ts"
import * as Pipeline from "./pipeline.ts"
import type { CallRecord } from "./record.ts"
import { located } from "./source.ts"
import * as Telemetry from "./telemetry.ts"
import * as Whole from "./whole.ts"

/** A chat model that is open. `parent` is the span of the face that makes the call. */
export interface Chat {
  readonly generate: Whole.Call<ChatRequest, ChatResponse>
  readonly stream: (request: ChatRequest, parent?: Tracer.AnySpan) => Stream.Stream<ChatEvent, CallError>
  /** Where the calls go, for errors. The query is left out: it may hold a secret. */
  readonly addresses: { readonly generate: string; readonly stream: string }
}

const inOnePiece: Delivery = { stream: false, includeUsage: false }
const asStream: Delivery = { stream: true, includeUsage: true }

const attributes = ({ stream }: Delivery) => (request: ChatRequest): Telemetry.Attributes => ({
  [Attribute.requestStream]: stream,
  [Attribute.requestMaxTokens]: request.maxOutputTokens,
  [Attribute.requestTemperature]: request.temperature,
  [Attribute.requestTopP]: request.topP,
  [Attribute.requestSeed]: request.seed
})

const isStream = ({ headers }: Transport.Response, { framing }: ChatProtocol): boolean => {
  const type = headers["content-type"]
  return typeof type !== "string" || type.toLowerCase().startsWith(framing.contentType)
}

/** The error of a success whose body is no stream, where a stream was requested. */
const notAStream = (protocol: ChatProtocol, peer: Peer, received: HttpResponse): ProviderError => {
  const decoded = protocol.decodeResponse(peer, received)
  return Result.isFailure(decoded) && decoded.failure._tag !== "InvalidResponse"
    ? decoded.failure
    : invalidResponse(peer, "a body that is no event stream", received.body)
}

const streams = (endpoint: Endpoint.Endpoint, protocol: ChatProtocol) => {
  const to = Endpoint.route(endpoint, protocol.request(endpoint.model, asStream), {
    ...endpoint.timeouts,
    firstToken: endpoint.timeouts.firstToken ?? Timeouts.defaults.firstToken
  })
  const begin = Telemetry.begin(endpoint, to, attributes(asStream))

  /** One attempt, up to the head of its response. */
  const open = (
    request: ChatRequest,
    answer: Answer,
    record: CallRecord
  ): Effect.Effect<Stream.Stream<ChatEvent, CallError>, CallError, Scope.Scope> => {
    const encoded = encode(protocol, request, asStream, record)
    if (Result.isFailure(encoded)) return Effect.fail(encoded.failure)
    const { body, dropped } = encoded.success
    return Effect.flatMap(Pipeline.exchange(endpoint, to, body, protocol.classify), ({ peer, response }) => {
      if (!isStream(response, protocol)) {
        const { headers, status } = response
        return Effect.flatMap(
          errorBody(response),
          (body) => {
            const received = { status, headers, body }
            return Effect.fail(located(notAStream(protocol, peer, received), to, peer, received))
          }
        )
      }
      record.streaming()
      answer.begin({ response, peer, decoder: protocol.makeDecoder(peer, request.choices) }, dropped)
      // As a finalizer, so that a whole answer is not lost to a limit that passes only now.
      return Effect.as(Effect.addFinalizer(() => answer.end), Pipeline.guard(endpoint, response.sentAt, answer))
    })
  }

  const stream: Chat["stream"] = (request, parent) =>
    Stream.suspend(() => {
      const answer = new Answer()
      return Pipeline.stream(
        endpoint,
        answer,
        (fiber) => begin(fiber, request, parent),
        (record) => Stream.unwrap(Effect.suspend(() => open(request, answer, record)))
      )
    })
  return { stream, route: to }
}

/** Opens a chat model for as long as the scope is open. */
export const open = <E, R>(
  row: ChatRow,
  model: string,
  options: Endpoint.Options<E, R>
): Effect.Effect<Chat, E | Endpoint.OpenError, R | Transport.Transport | Scope.Scope> =>
  Effect.map(Endpoint.open("chat", row, model, options), (endpoint) => {
    const protocol = row.chat
    const generate = Whole.make(endpoint, {
      protocol,
      delivery: inOnePiece,
      attributes: attributes(inOnePiece),
      record: (record, response, redactor) => record.answered(response, redactor)
    })
    const { route, stream } = streams(endpoint, protocol)
    return {
      generate: generate.call,
      stream,
      addresses: { generate: generate.route.address.href, stream: route.address.href }
    }
  })
