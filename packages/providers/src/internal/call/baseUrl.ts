import { InvalidUrl } from "@clawback/core/TransportError"
import * as Result from "effect/Result"

const parse = (text: string): URL | undefined => {
  // `URL` also takes `http:host` and `http:///host`.
  const url = /^https?:\/\/[^/\\?#]/i.test(text) ? URL.parse(text) ?? undefined : undefined
  const isPlain = url?.username === "" && url.password === "" && !url.href.includes("#")
  return isPlain ? url : undefined
}

/** A path below a base URL, whose query is kept. Fails where the base is no absolute http or https URL, or has more in it. */
export const below = (baseUrl: string, path: string): Result.Result<URL, InvalidUrl> => {
  const text = baseUrl.trim()
  const url = parse(text)
  if (url === undefined) return Result.fail(InvalidUrl.of(text))
  url.pathname = url.pathname.replace(/\/+$/, "") + path
  return Result.succeed(url)
}
