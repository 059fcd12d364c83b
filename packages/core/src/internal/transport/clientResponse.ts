import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Cookies from "effect/http/Cookies"
import * as Headers from "effect/http/Headers"
import * as HttpClientError from "effect/http/HttpClientError"
import type * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as UrlParams from "effect/http/UrlParams"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import { pipeArguments } from "effect/Pipeable"
import type * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import * as Interop from "../interop.ts"
import type { UnreadBodyClosed } from "./errors.ts"
import type { Lifetime } from "./lifetime.ts"
import type { BodyError, Response } from "./model.ts"
import { readBytes } from "./readBytes.ts"
import type { UnreadBody } from "./unreadBody.ts"

type Failed = HttpClientError.HttpClientError

/** A transport's response, as Effect's clients know it. Its exchange ends with its body. */
export class TransportResponse extends Inspectable.Class implements HttpClientResponse.HttpClientResponse {
  readonly [HttpClientResponse.TypeId]: typeof HttpClientResponse.TypeId = HttpClientResponse.TypeId
  readonly [HttpIncomingMessage.TypeId]: typeof HttpIncomingMessage.TypeId = HttpIncomingMessage.TypeId
  readonly request: HttpClientRequest.HttpClientRequest
  readonly url: string
  readonly status: number
  readonly headers: Headers.Headers
  readonly remoteAddress = Option.none<string>()
  private readonly source: Response
  private readonly body: UnreadBody
  private readonly lifetime: Lifetime
  /** Read once and given to all readers. A second reader waits for the first. */
  private whole: ArrayBuffer | undefined
  private readonly turn = Semaphore.makeUnsafe(1)
  /** Whether the body has a reader. The exchange ends with that reader, and not with another one. */
  private isRead = false

  constructor(
    request: HttpClientRequest.HttpClientRequest,
    url: URL,
    source: Response,
    body: UnreadBody,
    lifetime: Lifetime
  ) {
    super()
    this.request = request
    this.url = url.href.slice(0, url.href.length - url.hash.length)
    this.status = source.status
    this.headers = Headers.fromInput(source.headers)
    this.source = source
    this.body = body
    this.lifetime = lifetime
  }

  /** Begins to read. Returns what to do when this reader ends. */
  private begin(): (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void> {
    if (this.isRead) return () => Effect.void
    this.isRead = true
    return (exit) => {
      this.isRead = false
      return this.lifetime.close(exit)
    }
  }

  get cookies() {
    const header = this.source.headers["set-cookie"]
    return header === undefined ? Cookies.empty : Cookies.fromSetCookie(header)
  }

  /** A broken connection is an error of the transport, which programs retry. They do not retry errors of decoding. */
  private readonly lost = (cause: BodyError | UnreadBodyClosed): Failed =>
    cause._tag === "BodyTooLarge" || cause._tag === "UnreadBodyClosed" ?
      this.undecodable(cause) :
      new HttpClientError.HttpClientError({
        reason: new HttpClientError.TransportError({ request: this.request, cause, description: cause.message })
      })

  private readonly undecodable = (cause: unknown): Failed =>
    new HttpClientError.HttpClientError({
      reason: new HttpClientError.DecodeError({ request: this.request, response: this, cause })
    })

  get stream(): Stream.Stream<Uint8Array, Failed> {
    const body = Effect.mapError(this.body.pull, (error) => Cause.isDone(error) ? error : this.lost(error))
    return Stream.scoped(
      Stream.unwrap(
        Effect.as(Effect.suspend(() => Effect.addFinalizer(this.begin())), Stream.fromPull(Effect.succeed(body)))
      )
    )
  }

  get arrayBuffer(): Effect.Effect<ArrayBuffer, Failed> {
    return this.turn.withPermit(Effect.suspend(() => {
      if (this.whole !== undefined) return Effect.succeed(this.whole)
      const read = Effect.map(
        readBytes(this.body.pull, Infinity),
        (bytes) => this.whole = Uint8Array.from(bytes).buffer
      )
      return Effect.onExit(Effect.mapError(read, this.lost), this.begin())
    }))
  }

  get text(): Effect.Effect<string, Failed> {
    return Effect.map(this.arrayBuffer, (body) => new TextDecoder().decode(body))
  }

  private decoded<A>(decode: (text: string) => A): Effect.Effect<A, Failed> {
    return Effect.flatMap(this.text, (text) => Effect.try({ try: () => decode(text), catch: this.undecodable }))
  }

  get json(): Effect.Effect<Schema.Json, Failed> {
    return this.decoded((text) => text === "" ? null : JSON.parse(text))
  }

  get urlParamsBody(): Effect.Effect<UrlParams.UrlParams, Failed> {
    return this.decoded((text) => UrlParams.fromInput(new URLSearchParams(text)))
  }

  get formData(): Effect.Effect<FormData, Failed> {
    return Effect.flatMap(
      this.arrayBuffer,
      (body) => Effect.mapError(Interop.decodeForm(body, this.headers["content-type"] ?? ""), this.undecodable)
    )
  }

  /** A transport requests no upgrade, so there is never one. */
  get upgrade(): HttpClientResponse.HttpClientResponse["upgrade"] {
    return Effect.fail(
      new HttpClientError.HttpClientError({
        reason: new HttpClientError.StatusCodeError({
          request: this.request,
          response: this,
          description: "the transport hands no connection over"
        })
      })
    )
  }

  toJSON(): unknown {
    return HttpIncomingMessage.inspect(this, {
      _id: "effect/http/HttpClientResponse",
      request: this.request.toJSON(),
      status: this.status
    })
  }

  pipe() {
    return pipeArguments(this, arguments)
  }
}
