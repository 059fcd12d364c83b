/**
 * The wire format of OpenAI's chat completions: requests out, answers and errors in.
 *
 * Pure: values go in and come out, and nothing else happens. Many other providers speak this format as well. Sources:
 * OpenAI's API reference for `POST /v1/chat/completions`; server-sent events as in the HTML standard, §9.2.
 */
import type * as Wire from "@clawback/core/Wire"
import * as Result from "effect/Result"
import type { ChatEvent } from "./ChatEvent.ts"
import type { ChatRequest, Json } from "./ChatRequest.ts"
import * as From from "./internal/json.ts"
import * as Errors from "./internal/openAiChatErrors.ts"
import * as Request from "./internal/openAiChatRequest.ts"
import * as Response from "./internal/openAiChatResponse.ts"
import { StreamDecoder } from "./internal/openAiChatStream.ts"
import type { ProviderError } from "./ProviderError.ts"

/** Who is talked to, for errors to name, and what keeps secrets out of what they quote. */
export interface Peer {
  readonly provider: string
  readonly redact: (text: string) => string
}

/** The JSON body that asks for an answer, in one piece or as a stream. */
export const encodeRequest: (
  request: ChatRequest,
  options: { readonly stream: boolean }
) => { readonly [key: string]: Json } = Request.encodeRequest

/** Some servers send an error under the status of a success. */
const isError = (parsed: unknown): boolean => {
  const error = From.object(parsed)?.["error"]
  return From.isObject(error) || From.string(error) !== undefined
}

/** What a success means whose body is no stream, where one was asked for. */
export const notAStream = (peer: Peer, body: string): ProviderError =>
  isError(From.parse(body))
    ? Errors.classify(peer, { status: 200, headers: {}, body })
    : Errors.invalidResponse(peer, "a body that is no event stream", body)

/** An answer that came in one piece, as the events of which a stream would have consisted, or what is wrong with it. */
export const decodeResponse = (
  peer: Peer,
  body: string
): Result.Result<ReadonlyArray<ChatEvent>, ProviderError> => {
  const parsed = From.parse(body)
  if (isError(parsed)) return Result.fail(Errors.classify(peer, { status: 200, headers: {}, body }))
  const decoded = Response.decodeWhole(parsed)
  return typeof decoded === "string"
    ? Result.fail(Errors.invalidResponse(peer, decoded, body))
    : Result.succeed(decoded)
}

/** Turns a stream's bytes into events, however the bytes are cut. */
export interface Decoder {
  /** The events that these bytes complete. Whatever comes after the end or a failure is ignored. */
  readonly push: (chunk: Uint8Array) => ReadonlyArray<ChatEvent>
  /** The bytes have ended: the last events. Where the answer had not, `failure` is `StreamTruncated` from then on. */
  readonly end: () => ReadonlyArray<ChatEvent>
  /** The answer is whole. Its usage may still come. */
  readonly isFinished: boolean
  /** The answer is whole and nothing more will come. */
  readonly isDone: boolean
  /** Why there is no more. The events before it stand. */
  readonly failure: ProviderError | undefined
}

export const makeDecoder = (peer: Peer): Decoder => new StreamDecoder(peer)

/** What a response means that is no success: status, headers and body decide together. */
export const classify: (
  peer: Peer,
  response: { readonly status: number; readonly headers: Wire.Headers; readonly body: string }
) => ProviderError = Errors.classify
