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

/** The version with which a path begins: `/v1` of `/v1/messages`. */
const versionOf = (path: string): string | undefined => /^\/v\d+\w*(?=\/)/.exec(path)?.[0]

/** Where the deployments of a resource begin: `/openai` of `/openai/deployments/name/chat/completions`. */
const rootOf = (path: string): string | undefined => /^\/[^/]+(?=\/deployments\/)/.exec(path)?.[0]

/** What a base URL must not end with. */
const tailsOf = (path: string): ReadonlyArray<string> => {
  const root = rootOf(path)
  return [path, versionOf(path), root, root && `${root}/v1`].filter((tail) => tail !== undefined)
}

/**
 * Fails where a base URL ends with a path that a protocol adds to it, or with the version that begins this path. Requests
 * would go to `/v1/v1/messages`, which no server knows.
 */
export const outside = (base: URL, paths: ReadonlyArray<string>, source: string): Result.Result<URL, InvalidUrl> => {
  const given = base.pathname.replace(/\/+$/, "")
  for (const path of paths) {
    const tail = tailsOf(path).find((tail) => given.endsWith(tail))
    if (tail === undefined) continue
    const reason = tail === path ? "which is added to it" : `since ${path} is added to it`
    return Result.fail(InvalidUrl.of(base.href, { source, detail: `it must not end with ${tail}, ${reason}` }))
  }
  return Result.succeed(base)
}

/** A path below a base URL. Its query is added to the one of the base, whose own values win. */
export const below = (base: URL, path: string, query: Readonly<Record<string, string>> = {}): URL => {
  const url = new URL(base)
  url.pathname = url.pathname.replace(/\/+$/, "") + path
  // Without a query of the protocol's, the base's stays as it is written.
  for (const [name, value] of Object.entries(query)) {
    if (!base.searchParams.has(name)) url.searchParams.append(name, value)
  }
  return url
}
