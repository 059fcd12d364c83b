/**
 * A `Transport` as Effect's `HttpClient`, and the other way round.
 *
 * With `layerHttpClient`, programs for an `HttpClient` use connections that are bounded, registered and released. With
 * `layerTransport`, our clients run over any `HttpClient`, such as the browser's. The transport registers and limits
 * exchanges; the `HttpClient` manages its connections.
 *
 * This module is not in the package's index, since `effect/http` takes a while to load: import it by its own name,
 * `@clawback/core/HttpClientView`.
 *
 * ```ts
 * import * as HttpClientView from "@clawback/core/HttpClientView"
 * import { NodeTransport } from "@clawback/node"
 * import { Effect, Layer } from "effect"
 * import { HttpClient } from "effect/http"
 *
 * const program = Effect.gen(function*() {
 *   const client = yield* HttpClient.HttpClient
 *   const response = yield* client.get("http://127.0.0.1:9/")
 *   return yield* response.text
 * })
 *
 * const Live = HttpClientView.layerHttpClient.pipe(Layer.provide(NodeTransport.layer()))
 * Effect.runPromiseExit(program.pipe(Effect.provide(Live))).then(console.log)
 * ```
 *
 * @experimental
 */

import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpBody from "effect/http/HttpBody"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpMethod from "effect/http/HttpMethod"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Interop from "./internal/interop.ts"
import * as Lifecycle from "./internal/session/lifecycle.ts"
import * as Monotonic from "./internal/time/monotonic.ts"
import * as Address from "./internal/transport/address.ts"
import { bodyOf, BodyProgress } from "./internal/transport/body.ts"
import { TransportResponse } from "./internal/transport/clientResponse.ts"
import { Lifetime } from "./internal/transport/lifetime.ts"
import { UnreadBody } from "./internal/transport/unreadBody.ts"
import * as OptionCheck from "./OptionCheck.ts"
import * as Session from "./Session.ts"
import type { SessionRevoked } from "./SessionError.ts"
import * as Timeouts from "./Timeouts.ts"
import * as Transport from "./Transport.ts"
import * as TransportError from "./TransportError.ts"
import type * as Wire from "./Wire.ts"

type Sent = {
  readonly method: HttpMethod.HttpMethod
  readonly body: Wire.Body | undefined
  readonly headers: Readonly<Record<string, string>>
}

const isBytes = (body: unknown): body is string | Uint8Array => typeof body === "string" || body instanceof Uint8Array

/** Encodes a request as the transport sends it. */
const encode = (request: HttpClientRequest.HttpClientRequest): Effect.Effect<Sent, HttpClientError.HttpClientError> => {
  const { body, headers, method } = request
  const failed = (description: string, cause?: unknown) =>
    new HttpClientError.HttpClientError({ reason: new HttpClientError.EncodeError({ request, description, cause }) })
  if (!HttpMethod.isHttpMethod(method)) return Effect.fail(failed("a method that is not known"))
  switch (body._tag) {
    case "Empty":
      return Effect.succeed({ method, body: undefined, headers })
    case "Uint8Array":
      return Effect.succeed({ method, body: body.body, headers })
    case "Stream":
      return Effect.succeed({ method, body: body.stream, headers })
    case "Raw":
      return isBytes(body.body)
        ? Effect.succeed({ method, body: body.body, headers })
        : Effect.fail(failed("a raw body must be a string or a Uint8Array: give anything else as a stream"))
    case "FormData":
      return Effect.map(
        Effect.mapError(Interop.encodeForm(body.formData), (cause) => failed("the form cannot be encoded", cause)),
        (form) => ({ method, body: form.body, headers: { ...headers, "content-type": form.contentType } })
      )
  }
}

const executeFailed =
  (request: HttpClientRequest.HttpClientRequest) =>
  (cause: TransportError.TransportError | HttpClientError.HttpClientError) =>
    HttpClientError.isHttpClientError(cause) ? cause : new HttpClientError.HttpClientError({
      reason: cause._tag === "InvalidUrl"
        ? new HttpClientError.InvalidUrlError({
          // Effect's errors show the URL of their request.
          request: HttpClientRequest.setUrl(request, cause.url),
          cause,
          description: cause.message
        })
        : new HttpClientError.TransportError({ request, cause, description: cause.message })
    })

/**
 * The transport as a client.
 *
 * A response belongs to the caller's `Scope`, or to the layer's if there is none. It ends earlier when its body was read to
 * the end, failed, was cancelled or was interrupted.
 *
 * A body need not be read:
 * - The body of an error (status 400 and above) is read into memory at once, up to 64 KiB, and its connection returned. A
 *   body that is larger, or does not arrive, is closed as soon as another call waits for a connection. Reading it later
 *   fails with `UnreadBodyClosed`.
 * - The body of a success is never dropped. If another call waits and no reader has begun, up to 64 KiB are buffered. If the
 *   body ends there, its connection is returned. A larger body is held until it is read, its scope closes, or the garbage
 *   collector finds that the response is lost. `Effect.scoped` around a call releases the response when the call ends.
 *
 * In a closed scope nothing is sent. Finalizers run in a closed scope, so wrap a finalizer's call in `Effect.scoped`.
 *
 * No trace headers are sent to third parties. The `cause` of the `HttpClientError`'s reason is the transport's error.
 */
export const toHttpClient = (
  transport: Transport.Transport["Service"]
): Effect.Effect<HttpClient.HttpClient, never, Scope.Scope> =>
  Effect.contextWith((context: Context.Context<Scope.Scope>) => {
    const own = Context.get(context, Scope.Scope)
    const client = HttpClient.make((request, url, signal, fiber) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(Lifetime.fork(Context.getOrElse(fiber.context, Scope.Scope, () => own)), (lifetime) => {
          const execute = Effect.flatMap(encode(request), (sent) => transport.execute({ ...sent, url: url.href }))
          return Effect.matchCauseEffect(restore(Scope.provide(execute, lifetime.scope)), {
            onFailure: (cause) =>
              Effect.andThen(
                lifetime.close(Exit.failCause(cause)),
                Effect.mapError(Effect.failCause(cause), executeFailed(request))
              ),
            onSuccess: (response) => {
              const body = new UnreadBody(request.method, response, lifetime, context)
              return Effect.as(body.follow(signal), new TransportResponse(request, url, response, body, lifetime))
            }
          })
        })
      )
    )
    return Effect.succeed(
      HttpClient.transform(client, Effect.provideService(HttpClient.TracerPropagationEnabled, false))
    )
  })

/** An `HttpClient` over the transport. */
export const layerHttpClient: Layer.Layer<HttpClient.HttpClient, never, Transport.Transport> = Layer.effect(
  HttpClient.HttpClient,
  Effect.flatMap(Transport.Transport, toHttpClient)
)

const decode = (request: Transport.Request): HttpClientRequest.HttpClientRequest => {
  const { body, headers, method, url } = request
  const length = Number(headers["content-length"])
  const type = headers["content-type"]
  return HttpClientRequest.make(method)(url, {
    headers,
    ...(body !== undefined && {
      body: Stream.isStream(body)
        ? HttpBody.stream(body, type, Number.isSafeInteger(length) ? length : undefined)
        : HttpBody.raw(body, { contentType: type })
    })
  })
}

/** Why a client failed, without its request, which holds the URL and the headers. */
const causeOf = ({ reason }: HttpClientError.HttpClientError): unknown =>
  reason.cause ?? new Error(reason.description ?? reason._tag)

const sendFailed = (
  { url }: Transport.Request,
  origin: string,
  error: HttpClientError.HttpClientError
): TransportError.TransportError => {
  const { reason } = error
  switch (reason._tag) {
    case "InvalidUrlError":
      return TransportError.InvalidUrl.of(url)
    case "EncodeError":
      return new TransportError.InvalidRequest({ origin, detail: reason.description ?? "it cannot be encoded" })
    default:
      return new TransportError.ConnectionLost({ origin, phase: "head", cause: causeOf(error) })
  }
}

/** Effect's clients fail where a response has no body. */
const readFailed = (origin: string) => (error: HttpClientError.HttpClientError | Cause.Done) =>
  error._tag === "Done"
    ? error
    : error.reason._tag === "EmptyBodyError"
    ? Cause.Done()
    : new TransportError.ConnectionLost({ origin, phase: "body", cause: causeOf(error) })

/** An exchange over a client: the scope of its response, and whether that has begun to close. */
class Lent {
  readonly scope = Scope.makeUnsafe()
  readonly isReleased = Deferred.makeUnsafe<void>()

  /** Not every client fails the reader of an aborted call, and some end the body as if it were complete. */
  static unlessEnded = ({ awaitRevoked, session, value }: Session.Handle<Lent>) => {
    const ended = Effect.raceFirst(awaitRevoked, Deferred.await(value.isReleased))
    const failed = Effect.andThen(ended, Effect.suspend(() => Effect.fail(Lifecycle.whyEnded(session))))
    return <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | SessionRevoked, R> =>
      Effect.suspend(() => session.state === "open" ? Effect.raceFirst(effect, failed) : failed)
  }

  readonly close = (exit: Exit.Exit<unknown, unknown>) => {
    Deferred.doneUnsafe(this.isReleased, Exit.void)
    return Scope.close(this.scope, exit)
  }
}

/**
 * A client as a transport.
 *
 * Each exchange is a session. Of a request's timeouts only `firstToken` applies, counted from the call of the client. An
 * `HttpClient` does not report when it waits or connects, so `queue` and `connect` have no effect. It does not report
 * either whether anything was sent, so any failure before the head is `ConnectionLost` at phase `"head"`.
 */
export const fromHttpClient = (
  client: HttpClient.HttpClient,
  options: Pick<Transport.Options, "maxBodySize"> = {}
): Transport.Transport["Service"] => {
  const maxBodySize = OptionCheck.size("maxBodySize", options.maxBodySize ?? Transport.defaultMaxBodySize)
  const scoped = HttpClient.withScope(client)

  const send = (
    request: Transport.Request,
    origin: string,
    handle: Session.Handle<Lent>
  ): Effect.Effect<Transport.Response, TransportError.TransportError, Scope.Scope> =>
    Effect.clockWith((clock) => {
      const sentAt = Monotonic.millis(clock)
      const unlessEnded = Lent.unlessEnded(handle)
      const head = scoped.execute(decode(request)).pipe(
        Effect.provideService(HttpClient.TracerPropagationEnabled, false),
        Effect.mapError((error) => sendFailed(request, origin, error)),
        unlessEnded
      )
      const limit = request.timeouts?.firstToken
      const inTime = limit === undefined ? head : Effect.timeoutOrElse(head, {
        duration: limit,
        orElse: () => Effect.fail(new Timeouts.FirstTokenTimeout({ limit: Duration.fromInputUnsafe(limit) }))
      })
      return Effect.flatMap(inTime, (response) =>
        Effect.map(unlessEnded(Stream.toPull(response.stream)), (pull) => {
          const { headers, status } = response
          const progress = new BodyProgress(
            request.method,
            status,
            headers["content-length"],
            request.maxBodySize ?? maxBodySize
          )
          const body = unlessEnded(Effect.mapError(pull, readFailed(origin)))
          return { status, headers, sentAt, body: bodyOf(body, progress, handle.session) }
        }))
    })

  return Transport.Transport.of({
    execute: (request) =>
      Effect.uninterruptibleMask((restore) => {
        const address = Address.of(request.url)
        if (address === undefined) return Effect.fail(TransportError.InvalidUrl.of(request.url))
        Transport.check(request)
        return Effect.flatMap(
          Session.acquire(
            { kind: "exchange", name: address.name },
            Effect.sync(() => new Lent()),
            (lent, exit) => lent.close(exit)
          ),
          (handle) => restore(Scope.provide(send(request, address.origin, handle), handle.value.scope))
        )
      })
  })
}

/** A `Transport` over whichever `HttpClient` there is. */
export const layerTransport: Layer.Layer<Transport.Transport, never, HttpClient.HttpClient> = Layer.effect(
  Transport.Transport,
  Effect.map(HttpClient.HttpClient, (client) => fromHttpClient(client))
)
