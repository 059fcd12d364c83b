/**
 * A wire protocol, both ways: our clients use one half, our servers the other.
 *
 * Guarantees:
 * - Pure: each function maps values to values. None reads a clock, a secret or a socket.
 * - Total: any bytes decode to a value or a typed error, in time and memory proportional to their number.
 *
 * A protocol knows what a request says and where it goes below a base URL. It does not know the credential: see `Auth`.
 *
 * @experimental
 */

import * as ReadableError from "@clawback/core/ReadableError"
import type * as Wire from "@clawback/core/Wire"
import type * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { ChatEvent } from "./ChatEvent.ts"
import type { ChatRequest } from "./ChatRequest.ts"
import type { ChatResponse } from "./ChatResponse.ts"
import type { EmbeddingRequest, EmbeddingResponse } from "./Embedding.ts"
import type { Framing } from "./internal/framing/framing.ts"
import type { OnDropped } from "./internal/model/dropped.ts"
import type { Unsupported } from "./internal/model/unsupported.ts"
import type { Json, JsonObject } from "./Json.ts"
import type { ProviderError } from "./ProviderError.ts"
import type { RateLimit, RateLimits } from "./RateLimit.ts"

export type { Dropped, OnDropped } from "./internal/model/dropped.ts"
export { Unsupported } from "./internal/model/unsupported.ts"

/** The server of a call: its name for errors, and a function that redacts secrets in quoted text. */
export interface Peer {
  readonly provider: string
  redact(text: string): string
}

export type Method = "GET" | "POST" | "PUT"

/** A request as a server receives it. */
export interface HttpRequest {
  readonly method: string
  /** Path and query as they came. A signature may cover them. */
  readonly url: string
  /** The path below the provider's base URL, such as `/chat/completions`. */
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: Wire.Headers
  readonly body: string
}

/** Reads a request that a server received. It cuts path and query where `URL` does. Undefined: its path is not below `basePath`. */
export const httpRequest = (
  received: Pick<HttpRequest, "method" | "url" | "headers" | "body">,
  basePath = ""
): HttpRequest | undefined => {
  const [, path = "", search = ""] = /^([^?#]*)\??([^#]*)/.exec(received.url) ?? []
  if (!path.startsWith(`${basePath}/`)) return undefined
  // `URLSearchParams` drops one leading question mark.
  return {
    ...received,
    path: path.slice(basePath.length),
    query: Object.fromEntries(new URLSearchParams(`?${search}`))
  }
}

/** A response's head, and its body as text. */
export interface HttpResponse {
  readonly status: number
  readonly headers: Wire.Headers
  readonly body: string
}

/** Where and how a request is sent. It holds neither a body nor a credential. */
export interface RequestHead {
  readonly method: Method
  /** Follows the base URL, with its segments percent-encoded: `/models/gemini-3:generateContent`. */
  readonly path: string
  /** Added to the query of the base URL. */
  readonly query?: Readonly<Record<string, string>> | undefined
  /** Besides `accept`, `content-type` and the credential. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly accept: string
}

/** What a server answers instead of a success. */
export interface ErrorReply<out Body extends Json = Json> {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Body
}

/** The body or the path of a client's request breaks the protocol. `path` names the field: `messages[2].content`. */
export class RequestInvalid extends ReadableError.tagged<RequestInvalid>("@clawback/providers/RequestInvalid")(
  "RequestInvalid",
  { protocol: Schema.String, path: Schema.String, detail: Schema.String }
) {
  override get message() {
    return `The request is not valid ${this.protocol}: ${this.path === "" ? "" : `${this.path}: `}${this.detail}.`
  }
}

/** What all protocols have in common. `Delivery` is how a client wants its answer. */
export interface Protocol<in out Request, in out Delivery, in out Response> {
  /** Names the protocol, `extras` and native parts. */
  readonly name: string
  /** Wire fields without a canonical counterpart. A strict server rejects any other unknown field. */
  readonly parameters: ReadonlySet<string>

  /** Where a request for a model goes. It does not depend on what is asked. */
  readonly request: (model: string, delivery: Delivery) => RequestHead
  /** The method of this protocol's requests on a path below a base URL. Undefined: the path is not of this protocol. */
  readonly methodAt: (path: string) => Method | undefined

  /** The body of a request. `onDropped` hears of each field that is not sent as it was asked: see `Dropped`. */
  readonly encodeRequest: (
    request: Request,
    delivery: Delivery,
    onDropped?: OnDropped
  ) => Result.Result<JsonObject, Unsupported>
  readonly decodeRequest: (
    request: HttpRequest
  ) => Result.Result<{ readonly request: Request; readonly delivery: Delivery }, RequestInvalid>

  readonly decodeResponse: (peer: Peer, response: HttpResponse) => Result.Result<Response, ProviderError>
  readonly encodeResponse: (response: Response, delivery: Delivery) => JsonObject

  /** The error that a response means. Status, headers and body decide together. */
  readonly classify: (peer: Peer, response: HttpResponse) => ProviderError
  /** The error as a server of this protocol answers it. */
  readonly encodeError: (error: ProviderError) => ErrorReply
  /** What a server of this protocol answers on a path that it does not have. */
  readonly notFound: (request: Pick<HttpRequest, "method" | "url">) => ErrorReply
  /** The limits that a response states. A success may state some as well. */
  readonly limits: (response: HttpResponse) => RateLimits
  /**
   * The headers in which a server of this protocol states limits. `sentAt`: milliseconds since 1970. Limits for which it has no
   * header are left out. Default: it states none.
   */
  readonly encodeLimits?:
    | ((limits: ReadonlyArray<RateLimit>, sentAt: number) => Readonly<Record<string, string>>)
    | undefined
}

/** How a chat's answer is delivered. */
export interface Delivery {
  readonly stream: boolean
  /** Whether a stream ends with its usage. Our clients always ask for it. */
  readonly includeUsage: boolean
  /** The older form of tool calls, if the client knows no other: OpenAI's `function_call`, which holds one call. */
  readonly calls?: "function_call" | undefined
}

/** Decodes a stream's bytes, however they are cut. */
export interface Decoder {
  /** The events that these bytes complete. After the end or a failure, bytes are ignored. */
  readonly push: (chunk: Uint8Array) => ReadonlyArray<ChatEvent>
  /**
   * The bytes have ended: returns the last events. A call reports this once. If `isFinished` is not set then, the call fails
   * with `StreamTruncated`; set `failure` to fail with another error.
   */
  readonly end: () => ReadonlyArray<ChatEvent>
  /** The answer is whole. Its usage may still come. */
  readonly isFinished: boolean
  /** The answer is whole and no more events come. */
  readonly isDone: boolean
  /** Why no more events come. The events before it stand. */
  readonly failure: ProviderError | undefined
}

/** Encodes events as a server of this protocol sends them: as text, or as bytes if its framing is binary. */
export interface Encoder<out Written extends string | Uint8Array = string> {
  readonly push: (events: ReadonlyArray<ChatEvent>) => Written
  /** Ends the stream of a whole answer. */
  readonly end: () => Written
  /** Ends a stream that failed after it began. */
  readonly fail: (error: ProviderError) => Written
}

/** A wire protocol of chats. */
export interface ChatProtocol extends Protocol<ChatRequest, Delivery, ChatResponse> {
  readonly encodeResponse: (response: ChatResponse, delivery?: Delivery) => JsonObject
  /** How a stream's body is cut into frames. See `Framing`. */
  readonly framing: Pick<Framing<unknown>, "contentType">
  /** `choices`: the number of answers in the request. All of them must finish. Default: as many as begin, at least one. */
  readonly makeDecoder: (peer: Peer, choices?: number) => Decoder
  readonly makeEncoder: (delivery: Delivery) => Encoder<string | Uint8Array>
}

/** How vectors are delivered: as numbers, or in base64: 32-bit floats, low byte first, or signed bytes. Both are far shorter. */
export interface EmbeddingDelivery {
  readonly encoding: "float" | "base64" | "base64_int8"
}

/** A wire protocol of embeddings. It decodes vectors in either form, since some servers ignore the requested encoding. */
export interface EmbeddingProtocol extends Protocol<EmbeddingRequest, EmbeddingDelivery, EmbeddingResponse> {
  /** How our clients ask for vectors. */
  readonly delivery: EmbeddingDelivery
}
