import * as Result from "effect/Result"
import * as Codec from "./Codec.ts"
import { encodeError } from "./internal/anthropicErrorReply.ts"
import { classify } from "./internal/anthropicErrors.ts"
import { protocol } from "./internal/anthropicExtras.ts"
import { limits } from "./internal/anthropicLimits.ts"
import { encodeRequest } from "./internal/anthropicRequest.ts"
import { decodeRequest } from "./internal/anthropicRequestReader.ts"
import { decodeResponse, encodeResponse } from "./internal/anthropicResponse.ts"
import { AnthropicStreamDecoder } from "./internal/anthropicStream.ts"
import { AnthropicStreamEncoder } from "./internal/anthropicStreamEncoder.ts"
import { invalidResponse } from "./internal/invalidResponse.ts"
import * as From from "./internal/json.ts"
import { orRefusal } from "./internal/refusal.ts"
import type { Json } from "./Json.ts"

/** Some servers send an error under the status of a success. */
const isError = (value: Json | undefined): boolean =>
  From.object(value)?.["type"] === "error" || From.isObject(From.object(value)?.["error"])

export const codec: Codec.Codec = {
  protocol,
  path: "/v1/messages",
  headers: (secret) => ({ "x-api-key": secret, "anthropic-version": "2023-06-01" }),

  encodeRequest: (request, delivery) => orRefusal(Codec.Unsupported, () => encodeRequest(request, delivery)),
  decodeRequest: (body) => orRefusal(Codec.RequestInvalid, () => decodeRequest(From.parse(body))),

  decodeResponse: (peer, response) => {
    const value = From.parse(response.body)
    if (response.status < 200 || response.status >= 300 || isError(value)) return Result.fail(classify(peer, response))
    return Result.mapError(
      orRefusal(Codec.RequestInvalid, () => decodeResponse(value)),
      ({ detail, path }) => invalidResponse(peer, `${path || "what"} ${detail}`, response.body)
    )
  },
  encodeResponse,

  makeDecoder: (peer) => new AnthropicStreamDecoder(peer),
  makeEncoder: () => new AnthropicStreamEncoder(),

  classify,
  encodeError,
  limits: ({ headers }) => limits(headers)
}
