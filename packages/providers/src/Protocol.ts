/**
 * A wire protocol, both ways: one half is our clients', the other our servers'.
 *
 * Pure: values go in and come out, and nothing else happens. Whatever bytes come in, a protocol answers with a value or a typed
 * error, in time and memory proportional to them.
 */
import type * as Retry from "@clawback/core/Retry"
import type * as Wire from "@clawback/core/Wire"
import type * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { ChatEvent } from "./ChatEvent.ts"
import type { ChatRequest } from "./ChatRequest.ts"
import type { ChatResponse } from "./ChatResponse.ts"
import type { EmbeddingRequest, EmbeddingResponse } from "./Embedding.ts"
import type { JsonObject } from "./Json.ts"
import type { ProviderError } from "./ProviderError.ts"
import type { RateLimits } from "./RateLimit.ts"

/** Who is talked to, for errors to name, and what keeps secrets out of what they quote. */
export interface Peer {
  readonly provider: string
  readonly redact: (text: string) => string
}

/** A response's head and its body as text. */
export interface HttpResponse {
  readonly status: number
  readonly headers: Wire.Headers
  readonly body: string
}

/** A request that a client sent is not one of this protocol. `path` says where: `messages[2].content`. */
export class RequestInvalid extends Schema.TaggedError<RequestInvalid>("@clawback/providers/RequestInvalid")(
  "RequestInvalid",
  { protocol: Schema.String, path: Schema.String, detail: Schema.String }
) {
  override get message() {
    return `The request is not valid ${this.protocol}: ${this.path === "" ? "" : `${this.path}: `}${this.detail}.`
  }
}

/** A request that cannot be said in this protocol, such as a sound where it has none. Nothing was sent. */
export class Unsupported extends Schema.TaggedError<Unsupported>("@clawback/providers/Unsupported")("Unsupported", {
  protocol: Schema.String,
  detail: Schema.String
}) {
  get retry(): Retry.Advice {
    return { reach: "unsent", isTransient: false }
  }
  override get message() {
    return `The ${this.protocol} protocol has no way to say this: ${this.detail}. Leave it out, or use another provider.`
  }
}

/** How an answer is to come. */
export interface Delivery {
  readonly stream: boolean
  /** Whether a stream is to tell what was used. Ours always ask for it. */
  readonly includeUsage: boolean
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

/** Turns events into a stream's text, as a server of this protocol sends it. */
export interface Encoder {
  readonly push: (events: ReadonlyArray<ChatEvent>) => string
  /** What ends the stream of a whole answer. */
  readonly end: () => string
  /** What ends the stream of one that failed after it had begun. */
  readonly fail: (error: ProviderError) => string
}

export interface ChatProtocol {
  /** The protocol's name, under which `extras` and native parts are kept. */
  readonly name: string
  /** What follows a provider's base URL. */
  readonly path: string
  /** The headers that a request needs besides its content type, its credential among them. */
  readonly headers: (secret: string) => Readonly<Record<string, string>>
  /** The credential that a client's request bears, if it bears one. */
  readonly credential: (headers: Wire.Headers) => string | undefined

  readonly encodeRequest: (request: ChatRequest, delivery: Delivery) => Result.Result<JsonObject, Unsupported>
  readonly decodeRequest: (
    body: string
  ) => Result.Result<{ readonly request: ChatRequest; readonly delivery: Delivery }, RequestInvalid>

  readonly decodeResponse: (peer: Peer, response: HttpResponse) => Result.Result<ChatResponse, ProviderError>
  readonly encodeResponse: (response: ChatResponse) => JsonObject

  /** `choices`: how many answers were asked for, all of which must finish. Default: as many as begin, and at least one. */
  readonly makeDecoder: (peer: Peer, choices?: number) => Decoder
  readonly makeEncoder: (delivery: Delivery) => Encoder

  /** What a response means that is no success: status, headers and body decide together. */
  readonly classify: (peer: Peer, response: HttpResponse) => ProviderError
  /** The error as a server of this protocol answers it. */
  readonly encodeError: (error: ProviderError) => {
    readonly status: number
    readonly headers: Readonly<Record<string, string>>
    readonly body: JsonObject
  }
  /** What a response says about limits, be it a success or not. */
  readonly limits: (response: HttpResponse) => RateLimits
}

/** How vectors are to come: as numbers, or as base64 of 32-bit floats, least significant byte first, which is far shorter. */
export interface EmbeddingDelivery {
  readonly encoding: "float" | "base64"
}

/** A wire protocol of embeddings, both ways. */
export interface EmbeddingProtocol
  extends Pick<ChatProtocol, "name" | "path" | "headers" | "credential" | "classify" | "encodeError" | "limits">
{
  readonly encodeRequest: (
    request: EmbeddingRequest,
    delivery: EmbeddingDelivery
  ) => Result.Result<JsonObject, Unsupported>
  readonly decodeRequest: (
    body: string
  ) => Result.Result<{ readonly request: EmbeddingRequest; readonly delivery: EmbeddingDelivery }, RequestInvalid>
  /** Vectors are read in either form, since not every server heeds what was asked for. */
  readonly decodeResponse: (peer: Peer, response: HttpResponse) => Result.Result<EmbeddingResponse, ProviderError>
  readonly encodeResponse: (response: EmbeddingResponse, delivery: EmbeddingDelivery) => JsonObject
}
