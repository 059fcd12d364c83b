/** One request to a provider, and its response: a success, or an error of the provider's. */
import * as Credential from "@clawback/core/Credential"
import * as Retry from "@clawback/core/Retry"
import type * as Transport from "@clawback/core/Transport"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Hash from "effect/Hash"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { HttpResponse, Peer } from "../../Protocol.ts"
import { type CallError, InvalidResponse, type ProviderError } from "../../ProviderError.ts"
import { lowered } from "../http/headers.ts"
import type { Endpoint, Route } from "./endpoint.ts"
import { errorBody } from "./errorBody.ts"
import { Recipient } from "./redaction.ts"
import { located } from "./source.ts"

/** Decodes the error that a response means. */
export type Classify = (peer: Peer, response: HttpResponse) => ProviderError

/** A success, whose body is still to be read. */
export interface Answered {
  readonly response: Transport.Response
  readonly peer: Peer
}

/** The encoding of a compressed body. No request asks for one. */
const encodingOf = ({ headers }: Transport.Response): string | undefined => {
  const encoding = headers["content-encoding"]
  if (encoding === undefined) return undefined
  const text = String(encoding).trim()
  return text === "" || text.toLowerCase() === "identity" ? undefined : text
}

/** Why a success has no body to decode. */
const unreadable = (response: Transport.Response): string | undefined => {
  const { status } = response
  if (status === 204 || status === 205) return `status ${status}, which has no body`
  const encoding = encodingOf(response)
  return encoding && `a body in the content-encoding ${encoding.slice(0, 100)}, which was not asked for`
}

/** The headers with a date, by our clock if the server sent none. A date in `Retry-After` is read against it. */
const dated = ({ headers }: Transport.Response): Effect.Effect<Transport.Response["headers"]> =>
  headers["date"] === undefined
    ? Effect.map(
      Clock.currentTimeMillis,
      (now) => ({ ...headers, date: DateTime.toDateUtc(DateTime.makeUnsafe(now)).toUTCString() })
    )
    : Effect.succeed(headers)

const refused = (
  response: Transport.Response,
  peer: Peer,
  classify: Classify,
  route: Route
): Effect.Effect<never, ProviderError> =>
  Effect.flatMap(
    encodingOf(response) === undefined ? errorBody(response) : Effect.succeed(""),
    (body) =>
      Effect.flatMap(
        dated(response),
        (headers) => {
          const received = { status: response.status, headers, body }
          return Effect.fail(located(classify(peer, received), route, peer, received))
        }
      )
  )

/**
 * The idempotency key of a request. All that a retried call does inherits one key, so the key includes a hash of the body:
 * two different requests of one call must not look the same. A declared key is sent as it is.
 */
const nameOf = ({ isHonoured, value }: Retry.IdempotencyKey, body: string): string =>
  isHonoured ? value : `${value}-${(Hash.string(body) >>> 0).toString(16)}`

/** Adds the credential to a request and sends it. Fails where the secret was wiped: its layer was closed. */
export const send = (
  { auth, provider, transport }: Endpoint,
  route: Route,
  body: string,
  { name }: Credential.Identity,
  redacted: Redacted.Redacted<string>,
  classify: Classify
): Effect.Effect<Answered, CallError, Scope.Scope> =>
  Effect.withFiber((fiber) => {
    let secret: string
    try {
      secret = Redacted.value(redacted)
    } catch (cause) {
      return Effect.fail(new Credential.CredentialUnavailable({ credential: name, isWiped: true, cause }))
    }
    const { headers, method, secrets, timeouts, url } = route
    const key = fiber.getRef(Retry.CurrentKey)
    const finished = {
      method,
      url,
      headers: key === undefined ? headers : { ...headers, "idempotency-key": nameOf(key, body) },
      body
    }
    return Effect.flatMap(auth.authorize(finished, secret), (request) =>
      Effect.flatMap(
        transport.execute({ ...request, headers: lowered(request.headers), timeouts }),
        (response): Effect.Effect<Answered, CallError> => {
          const peer = new Recipient(provider, () => [...(auth.secrets?.(secret) ?? [secret]), ...secrets])
          if (response.status < 200 || response.status >= 300) {
            return refused(response, peer, classify, route)
          }
          const detail = unreadable(response)
          if (detail === undefined) {
            return Effect.succeed({ response, peer })
          }
          const error = new InvalidResponse({ provider, detail: peer.redact(detail), excerpt: "" })
          return Effect.fail(located(error, route, peer, response))
        }
      ))
  })
