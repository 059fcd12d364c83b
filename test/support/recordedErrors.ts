/** Whether the class of an error is right. The SDKs go by the status alone; a finer class needs its evidence in the body. */
import type { ProviderError } from "@clawback/providers"

type Tag = ProviderError.ProviderError["_tag"]

/** The class that the status alone means. */
const coarse: Readonly<Record<number, ReadonlyArray<Tag>>> = {
  401: ["AuthenticationFailed"],
  402: ["QuotaExhausted"],
  403: ["PermissionDenied"],
  404: ["ModelNotFound"],
  408: ["ProviderFailed"],
  409: ["ProviderFailed"],
  429: ["RateLimited"],
  503: ["Overloaded"],
  529: ["Overloaded"]
}

const coarseOf = (status: number): ReadonlyArray<Tag> =>
  coarse[status] ?? (status >= 500 ? ["ProviderFailed"] : ["RequestRejected"])

/** What a body must say for a finer class, and the statuses that may have it. */
const evidence: Partial<Record<Tag, { readonly status: ReadonlyArray<number>; readonly words: RegExp }>> = {
  ContextTooLong: {
    status: [400, 413, 422, 500],
    words:
      /context.{0,20}(?:length|size|window)|max(?:imum)? context|prompt (?:is )?too long|too (?:large|many|long)|tokens?_limit|number of tokens/i
  },
  ModelNotFound: { status: [400, 403, 422], words: /model/i },
  ContentFiltered: {
    status: [400, 403],
    words: /filter|inspection|content[ _](?:policy|management)|moderation|sensitive/i
  },
  QuotaExhausted: { status: [400, 403, 429, 500], words: /quota|credit|balance|billing|spend|余额/i },
  AuthenticationFailed: { status: [400, 403], words: /api[ _-]?key/i },
  PermissionDenied: { status: [400, 404], words: /permission/i },
  RegionBlocked: { status: [400, 403], words: /location|region|country|request not allowed/i },
  Overloaded: { status: [429, 500, 502], words: /overload|busy|capacity/i },
  RateLimited: { status: [400, 403, 500, 503], words: /rate.?limit/i },
  // A model that wrote a call wrongly.
  ProviderFailed: { status: [400], words: /tool_use_failed/ },
  // Something else than a model was not found.
  RequestRejected: { status: [404], words: /file|container|skill|thread|not[ _]found|resource/i }
}

export const isClassed = (status: number, body: string, { _tag }: ProviderError.ProviderError): boolean => {
  if (coarseOf(status).includes(_tag)) return true
  const needed = evidence[_tag]
  return needed?.status.includes(status) === true && needed.words.test(body)
}
