/** One request on its way to a provider, and what comes back: a success, or an error of the provider's. */
import * as Credential from "@clawback/core/Credential"
import * as Retry from "@clawback/core/Retry"
import type * as Timeouts from "@clawback/core/Timeouts"
import type * as Transport from "@clawback/core/Transport"
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Hash from "effect/Hash"
import * as Redacted from "effect/Redacted"
import type * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { JsonObject } from "../../Json.ts"
import type * as Protocol from "../../Protocol.ts"
import { type CallError, InvalidResponse } from "../../ProviderError.ts"
import type { Endpoint } from "./endpoint.ts"
import { leavingTime } from "./leavingTime.ts"
import type { Call } from "./telemetry.ts"

/** What an error's body is good for is in its beginning, and it must not hold up the error itself. */
const errorBodyLimit = 256 * 1024
const errorBodyTimeout = Duration.seconds(5)

/** As much of an error's body as comes: the status alone says what happened, and the body only says it better. */
export const errorBody = (response: Transport.Response): Effect.Effect<string> =>
  Effect.suspend(() => {
    const decoder = new TextDecoder()
    let text = ""
    const read: Effect.Effect<void, Transport.BodyError | Cause.Done> = Effect.flatMap(response.body, (chunks) => {
      for (const chunk of chunks) text += decoder.decode(chunk, { stream: true })
      return text.length < errorBodyLimit ? read : Effect.void
    })
    const limited = Effect.flatMap(leavingTime(errorBodyTimeout), (limit) => Effect.timeoutOption(read, limit))
    return Effect.map(Effect.ignore(limited), () => text)
  })

/** A value in a query that is shorter is no secret, but a version or a name, which errors may need to say. */
const shortestSecret = 16

/** What must not come back in an error: the credential, and what a query has that may be one. */
const secretsOf = (credential: string, { search, searchParams }: URL): ReadonlyArray<string> => {
  if (search === "") return [credential]
  const values = [...searchParams.values()].filter((value) => value.length >= shortestSecret)
  return [credential, ...values, ...values.map(encodeURIComponent)]
}

const formsOf = (secret: string): ReadonlyArray<string> => {
  const quoted = JSON.stringify(secret).slice(1, -1)
  return [secret, quoted, quoted.replaceAll("/", "\\/")]
}

/** Takes secrets out of texts, in which they may also stand as JSON quotes them. */
const redactor = (credential: string, url: URL) => {
  let forms: ReadonlySet<string> | undefined
  return (text: string): string => {
    forms ??= new Set(secretsOf(credential, url).flatMap(formsOf))
    for (const form of forms) text = text.replaceAll(form, "<redacted>")
    return text
  }
}

/** The secret, unless it was wiped: a model can be called after its layer was closed. */
const leaseSecret = ({ credential, source }: Endpoint) =>
  Effect.flatMap(source.lease, (secret) =>
    Effect.try({
      try: () => Redacted.value(secret),
      catch: (cause) => new Credential.CredentialUnavailable({ credential, cause })
    }))

/** How a body is compressed, though nobody asked for that. */
const encodingOf = ({ headers }: Transport.Response): string | undefined => {
  const encoding = String(headers["content-encoding"] ?? "").trim()
  return encoding === "" || encoding.toLowerCase() === "identity" ? undefined : encoding
}

/** Why there is nothing to decode in a success, if so. */
const unreadable = (response: Transport.Response): string | undefined => {
  const { status } = response
  if (status === 204 || status === 205) return `status ${status}, which has no body`
  const encoding = encodingOf(response)
  return encoding && `a body in the content-encoding ${encoding.slice(0, 100)}, which was not asked for`
}

/** What is asked, and how long each stage on the way may take. */
export interface Outgoing {
  readonly body: Result.Result<JsonObject, Protocol.Unsupported>
  readonly accept: string
  readonly timeouts: Timeouts.Timeouts
}

/** The headers with a date: where the server gave none, ours, since dates to wait for are read against it. */
const dated = ({ headers }: Transport.Response): Effect.Effect<Transport.Response["headers"]> =>
  headers["date"] === undefined
    ? Effect.map(
      Clock.currentTimeMillis,
      (now) => ({ ...headers, date: DateTime.toDateUtc(DateTime.makeUnsafe(now)).toUTCString() })
    )
    : Effect.succeed(headers)

/**
 * The key that names a request. One that was made for a retried call is inherited by all that the call does, so the
 * request has a part in the name: two different requests of one call must not pass for the same.
 */
const nameOf = ({ isHonoured, value }: Retry.IdempotencyKey, body: string): string =>
  isHonoured ? value : `${value}-${(Hash.string(body) >>> 0).toString(16)}`

/** Sends one request with its secret; what comes back is a success. */
export const send = Effect.fnUntraced(function*(
  endpoint: Endpoint,
  outgoing: Outgoing,
  call: Call
): Effect.fn.Return<
  { readonly response: Transport.Response; readonly peer: Protocol.Peer },
  CallError,
  Scope.Scope
> {
  const { protocol } = endpoint
  const body = JSON.stringify(yield* Effect.fromResult(outgoing.body))
  const secret = yield* leaseSecret(endpoint)
  const key = yield* Retry.CurrentKey
  const peer = {
    provider: endpoint.provider,
    redact: redactor(secret, endpoint.url)
  }
  call.sending(peer.redact)
  const response = yield* endpoint.transport.execute({
    method: "POST",
    url: endpoint.url.href,
    headers: {
      ...protocol.headers(secret),
      "content-type": "application/json",
      ...(key !== undefined && { "idempotency-key": nameOf(key, body) }),
      accept: outgoing.accept
    },
    body,
    timeouts: outgoing.timeouts
  })
  const { status } = response
  if (status >= 200 && status < 300) {
    const detail = unreadable(response)
    if (detail === undefined) return { response, peer }
    return yield* new InvalidResponse({ provider: peer.provider, detail: peer.redact(detail), excerpt: "" })
  }
  const error = encodingOf(response) === undefined ? yield* errorBody(response) : ""
  return yield* protocol.classify(peer, { status, headers: yield* dated(response), body: error })
})
