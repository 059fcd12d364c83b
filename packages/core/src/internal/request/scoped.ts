/** What a request scope knows of its request, for the entry in the log, which is written outside of it. */
import type { HttpServerRequest } from "effect/http/HttpServerRequest"
import type { Caller, Session } from "../session/model.ts"
import type { Deadline } from "../time/deadline.ts"
import * as Urls from "../transport/urls.ts"
import type { RequestParts } from "./requestParts.ts"

/** A request in its scope. */
export interface Scoped {
  readonly caller: Caller | undefined
  readonly deadline: Deadline | undefined
  /** Undefined if the request was rejected before its session was open. */
  running: { readonly session: Session; readonly request: RequestParts } | undefined
}

/** By the server's own object: a middleware may replace the `HttpServerRequest`. */
const all = new WeakMap<object, Scoped>()

export const enter = (
  { source }: HttpServerRequest,
  caller: Caller | undefined,
  deadline: Deadline | undefined
): Scoped => {
  const scoped: Scoped = { caller, deadline, running: undefined }
  all.set(source, scoped)
  return scoped
}

export const scopedOf = ({ source }: HttpServerRequest): Scoped | undefined => all.get(source)

/** Without the query, which may hold secrets. Some servers give the origin, too. */
export const pathOf = ({ originalUrl }: HttpServerRequest): string =>
  Urls.copied(URL.parse(originalUrl, "http://localhost")?.pathname ?? "/")
