/**
 * How a request bears its credential: as a bearer token, in a header, or as a signature.
 *
 * Our clients authorize a request when it is otherwise finished, once per attempt, with the secret that was just leased. So
 * a signature covers what is really sent, a retry is signed anew, and a rotated key is used from the next attempt on.
 * Servers use the other half: `identify` reads the credential of a request.
 *
 * ```ts
 * import { Auth } from "@clawback/providers"
 * import { Console, Effect } from "effect"
 *
 * const request = { method: "POST", url: "https://api.example.com/v1/chat", headers: {}, body: "{}" } as const
 *
 * const program = Effect.gen(function*() {
 *   const { headers } = yield* Auth.header("x-api-key").authorize(request, "sk-secret")
 *   yield* Console.log(headers) // { "x-api-key": "sk-secret" }
 * })
 *
 * await Effect.runPromise(program)
 * ```
 *
 * @experimental
 */

import type { CredentialUnavailable } from "@clawback/core/Credential"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import { bearer as bearerOf, header as headerOf } from "./internal/http/headers.ts"
import type { HttpRequest, Method } from "./Protocol.ts"

/** A request that lacks only its credential. */
export interface FinishedRequest {
  readonly method: Method
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Sent in UTF-8. */
  readonly body: string
}

/** The credential of a request, as a server reads it. */
export interface Claim {
  /** The key itself, or the id of the key that signed the request. */
  readonly credential: string
  /** Whether the request bears this secret, or was signed with it. */
  readonly isMadeWith: (secret: string) => boolean
}

export interface Auth {
  /** The headers that bear the credential, in lower case. Other options may not set them. Default: `authorization`. */
  readonly headers?: ReadonlyArray<string> | undefined
  /** Adds the credential to a request. Runs once per attempt. */
  readonly authorize: (
    request: FinishedRequest,
    secret: string
  ) => Effect.Effect<FinishedRequest, CredentialUnavailable>
  /** Undefined: the request bears no credential. */
  readonly identify: (request: HttpRequest) => Claim | undefined
  /**
   * The parts of a secret that must not appear in an error, such as the key and the token in `id:key:token`. Default: the
   * whole secret.
   */
  readonly secrets?: ((secret: string) => ReadonlyArray<string>) | undefined
}

const claim = (credential: string | undefined): Claim | undefined =>
  credential === undefined ? undefined : { credential, isMadeWith: (secret) => secret === credential }

/** `Authorization: Bearer`. Servers accept the scheme in any case. */
export const bearer: Auth = {
  headers: ["authorization"],
  authorize: (request, secret) =>
    Effect.succeed({ ...request, headers: { ...request.headers, authorization: `Bearer ${secret}` } }),
  identify: ({ headers }) => claim(bearerOf(headers))
}

/** The key alone, in a header of this name. */
export const header = (name: string): Auth => {
  const key = name.toLowerCase()
  return {
    headers: [key],
    authorize: (request, secret) => Effect.succeed({ ...request, headers: { ...request.headers, [key]: secret } }),
    identify: ({ headers }) => claim(headerOf(headers, key))
  }
}

/** Sends with `self`. A server also accepts what `other` would send. */
export const orElse: {
  (other: Auth): (self: Auth) => Auth
  (self: Auth, other: Auth): Auth
} = dual(2, (self: Auth, other: Auth): Auth => ({
  ...self,
  identify: (request) => self.identify(request) ?? other.identify(request)
}))

const anybody: Claim = { credential: "", isMadeWith: () => true }

/** No credential. A server accepts every request. */
export const none: Auth = { headers: [], authorize: Effect.succeed, identify: () => anybody }

/** Sends a secret with `self`, and nothing if there is none. A server accepts requests without a credential. */
export const optional = (self: Auth): Auth => ({
  ...self,
  authorize: (request, secret) => secret === "" ? Effect.succeed(request) : self.authorize(request, secret),
  identify: (request) => self.identify(request) ?? anybody
})
