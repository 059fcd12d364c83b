/** Where a response came from, for errors that a wrong base URL may explain. */
import type { HttpResponse, Peer } from "../../Protocol.ts"
import type { ProviderError } from "../../ProviderError.ts"
import { header } from "../http/headers.ts"
import { withSource } from "../model/providerError.ts"
import type { Route } from "./endpoint.ts"

/** Longer content types are cut. */
const maxLength = 100

/** The URL without its query, and the content type. */
const sourceOf = ({ address }: Route, peer: Peer, type: string | undefined): string => {
  const as = type === undefined ? "without a content type" : `as ${type.slice(0, maxLength)}`
  return peer.redact(`${address.href} ${as}`)
}

/**
 * Adds to an error of a response where it came from, if another server may have sent it: one that knows no such path, or whose
 * answer is neither JSON nor what was asked for.
 */
export const located = (
  error: ProviderError,
  route: Route,
  peer: Peer,
  { headers, status }: Pick<HttpResponse, "headers" | "status">
): ProviderError => {
  const type = header(headers, "content-type")
  const isForeign = error?._tag === "InvalidResponse" || status === 404 || status === 405 ||
    (type !== undefined && !/\bjson\b/i.test(type))
  return isForeign ? withSource(error, sourceOf(route, peer, type)) : error
}
