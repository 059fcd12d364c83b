/** The headers that an application adds to the requests of its layer. */
import * as Redacted from "effect/Redacted"
import type { Auth } from "../../Auth.ts"
import { checkHeaders, ofTransport } from "../http/checkHeaders.ts"

export type Headers = Readonly<Record<string, string | Redacted.Redacted<string>>>

const ofCalls: ReadonlyArray<readonly [name: string, setBy: string]> = [
  ...ofTransport,
  ["content-type", "the protocol sets this header"],
  ["accept", "the protocol sets this header"],
  ["accept-encoding", "responses are not decompressed"],
  ["idempotency-key", "set it with `Retry.idempotent`"]
]

const byCredential = "the `credential` sets this header"

/** Throws a `RangeError` that names a header that a call sets itself, or that cannot be sent. */
export const check = (headers: Headers, { headers: ofAuth = ["authorization"] }: Pick<Auth, "headers">): void =>
  checkHeaders(headers, new Map([...ofCalls, ...ofAuth.map((name) => [name.toLowerCase(), byCredential] as const)]))

/** What is sent, by its name in lower case. */
export const values = (headers: Headers): Readonly<Record<string, string>> => {
  const sent: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    sent[name.toLowerCase()] = Redacted.isRedacted(value) ? Redacted.value(value) : value
  }
  return sent
}

/** Values that are redacted in errors, however short they are. */
export const secrets = (headers: Headers): ReadonlyArray<string> =>
  Object.values(headers).flatMap((value) => Redacted.isRedacted(value) ? [Redacted.value(value)] : [])
