import type * as Duration from "effect/Duration"
import * as ProviderError from "./providerError.ts"

/** The class of an error that a provider answered. */
export type Class = Exclude<ProviderError.ProviderError["_tag"], "InvalidResponse" | "StreamTruncated">

/** The error of a class. Only those that pass by themselves have a wait. */
export const classified = (
  tag: Class,
  said: ProviderError.Said,
  retryAfter: Duration.Duration | undefined
): ProviderError.ProviderError => {
  switch (tag) {
    case "QuotaExhausted":
      return new ProviderError.QuotaExhausted(said)
    case "AuthenticationFailed":
      return new ProviderError.AuthenticationFailed(said)
    case "PermissionDenied":
      return new ProviderError.PermissionDenied(said)
    case "RegionBlocked":
      return new ProviderError.RegionBlocked(said)
    case "ModelNotFound":
      return new ProviderError.ModelNotFound(said)
    case "ContextTooLong":
      return new ProviderError.ContextTooLong(said)
    case "ContentFiltered":
      return new ProviderError.ContentFiltered(said)
    case "RequestRejected":
      return new ProviderError.RequestRejected(said)
    case "RateLimited":
      return new ProviderError.RateLimited({ ...said, retryAfter })
    case "Overloaded":
      return new ProviderError.Overloaded({ ...said, retryAfter })
    case "ConversationBusy":
      return new ProviderError.ConversationBusy({ ...said, retryAfter })
    case "ProviderFailed":
      return new ProviderError.ProviderFailed({ ...said, retryAfter })
  }
}
