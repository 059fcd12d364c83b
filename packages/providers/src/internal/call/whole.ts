import * as Transport from "@clawback/core/Transport"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Tracer from "effect/Tracer"
import type { Dropped, HttpResponse, Peer, Protocol } from "../../Protocol.ts"
import type { CallError, ProviderError } from "../../ProviderError.ts"
import { encode } from "./encode.ts"
import { type Endpoint, type Route, route } from "./endpoint.ts"
import * as Pipeline from "./pipeline.ts"
import type { CallRecord, Redactor } from "./record.ts"
import { located } from "./source.ts"
import * as Telemetry from "./telemetry.ts"

/** A kind of call whose answer comes in one piece. */
export interface Kind<Request, Delivery, Response> {
  readonly protocol: Protocol<Request, Delivery, Response>
  readonly delivery: Delivery
  readonly attributes: (request: Request) => Telemetry.Attributes
  readonly record: (record: CallRecord, response: Response, redactor: Redactor) => void
  /** Finds a fault in a decoded answer that only its request shows. */
  readonly check?: (
    request: Request,
    response: Response,
    peer: Peer,
    received: HttpResponse
  ) => ProviderError | undefined
}

export type Call<Request, Response> = (
  request: Request,
  parent?: Tracer.AnySpan
) => Effect.Effect<Response, CallError>

/** Makes calls of one kind to a model. */
export const make = <Request, Delivery, Response extends { readonly dropped?: ReadonlyArray<Dropped> | undefined }>(
  endpoint: Endpoint,
  kind: Kind<Request, Delivery, Response>
): { readonly call: Call<Request, Response>; readonly route: Route } => {
  const { check, delivery, protocol, record: write } = kind
  const to = route(
    endpoint,
    protocol.request(endpoint.model, delivery),
    // There is no first token.
    { ...endpoint.timeouts, firstToken: undefined }
  )
  const begin = Telemetry.begin(endpoint, to, kind.attributes)

  const attempt = (request: Request, record: CallRecord) =>
    Effect.suspend(() => {
      const encoded = encode(protocol, request, delivery, record)
      if (Result.isFailure(encoded)) return Effect.fail(encoded.failure)
      const { body, dropped } = encoded.success
      return Effect.flatMap(Pipeline.exchange(endpoint, to, body, protocol.classify), ({ peer, response }) =>
        Effect.flatMap(Transport.text(response), (text): Effect.Effect<Response, ProviderError> => {
          const received = { status: response.status, headers: response.headers, body: text }
          const decoded = protocol.decodeResponse(peer, received)
          if (Result.isFailure(decoded)) {
            return Effect.fail(located(decoded.failure, to, peer, received))
          }
          const fault = check?.(request, decoded.success, peer, received)
          if (fault !== undefined) {
            return Effect.fail(located(fault, to, peer, received))
          }
          write(record, decoded.success, peer)
          return Effect.succeed(dropped === undefined ? decoded.success : { ...decoded.success, dropped })
        }))
    })

  return {
    route: to,
    call: (request, parent) =>
      Pipeline.effect(endpoint, (fiber) => begin(fiber, request, parent), (record) => attempt(request, record))
  }
}
