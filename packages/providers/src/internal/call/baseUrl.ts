import { InvalidUrl } from "@clawback/core/TransportError"
import * as Result from "effect/Result"

/** Fails where the text is no absolute http or https URL, or has credentials or a fragment. `source`: where it came from. */
export const parse = (text: string, source: string): Result.Result<URL, InvalidUrl> => {
  const trimmed = text.trim()
  // `URL` also takes `http:host` and `http:///host`.
  const url = /^https?:\/\/[^/\\?#]/i.test(trimmed) ? URL.parse(trimmed) ?? undefined : undefined
  const isPlain = url?.username === "" && url.password === "" && !url.href.includes("#")
  return isPlain ? Result.succeed(url) : Result.fail(InvalidUrl.of(trimmed, { source }))
}

/**
 * Fails where a base URL ends with the path that a protocol adds to it. A path of one segment, such as `/embeddings`, may also
 * be a server's own prefix.
 */
export const outside = (base: URL, path: string, source: string): Result.Result<URL, InvalidUrl> =>
  path.lastIndexOf("/") > 0 && base.pathname.replace(/\/+$/, "").endsWith(path)
    ? Result.fail(InvalidUrl.of(base.href, { source, detail: `it must not end with ${path}, which is added to it` }))
    : Result.succeed(base)

/** A path below a base URL. Its query is added to the one of the base. */
export const below = (base: URL, path: string, query: Readonly<Record<string, string>> = {}): URL => {
  const url = new URL(base)
  url.pathname = url.pathname.replace(/\/+$/, "") + path
  // Without a query of the protocol's, the base's stays as it is written.
  for (const [name, value] of Object.entries(query)) url.searchParams.append(name, value)
  return url
}
