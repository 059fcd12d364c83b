/** One error of each kind that a call can fail with. */
import { Credential, Deadline, SessionError, Timeouts, TransportError } from "@clawback/core"
import { Protocol, ProviderError } from "@clawback/providers"
import { Duration } from "effect"

type CallError = ProviderError.CallError

const origin = "http://provider.test"
const limit = Duration.seconds(1)
const cause = new Error("reset")
const said = { provider: "openai", status: 400, detail: "no", code: undefined, requestId: "r1" }
const retryAfter = Duration.seconds(7)

const byTag: { readonly [Tag in CallError["_tag"]]: Extract<CallError, { readonly _tag: Tag }> } = {
  AuthenticationFailed: new ProviderError.AuthenticationFailed(said),
  PermissionDenied: new ProviderError.PermissionDenied(said),
  QuotaExhausted: new ProviderError.QuotaExhausted(said),
  RateLimited: new ProviderError.RateLimited({ ...said, retryAfter }),
  Overloaded: new ProviderError.Overloaded({ ...said, retryAfter }),
  ConversationBusy: new ProviderError.ConversationBusy({ ...said, retryAfter }),
  ProviderFailed: new ProviderError.ProviderFailed({ ...said, retryAfter: undefined }),
  ModelNotFound: new ProviderError.ModelNotFound(said),
  RegionBlocked: new ProviderError.RegionBlocked(said),
  ContextTooLong: new ProviderError.ContextTooLong(said),
  ContentFiltered: new ProviderError.ContentFiltered(said),
  RequestRejected: new ProviderError.RequestRejected(said),
  InvalidResponse: new ProviderError.InvalidResponse({ provider: "openai", detail: "no JSON", excerpt: "<html>" }),
  StreamTruncated: new ProviderError.StreamTruncated({ provider: "openai", delivered: 3 }),
  Unsupported: new Protocol.Unsupported({ protocol: "openai-chat", detail: "documents" }),
  InvalidUrl: new TransportError.InvalidUrl({ url: "ftp://provider.test" }),
  InvalidRequest: new TransportError.InvalidRequest({ origin, detail: "invalid header" }),
  QueueFull: new TransportError.QueueFull({ origin, connections: 1, waiting: 1 }),
  QueueTimeout: new Timeouts.QueueTimeout({ origin, limit, connections: 1, waiting: 0 }),
  ConnectFailed: new TransportError.ConnectFailed({ origin, reason: "tls", cause }),
  ProxyFailed: new TransportError.ProxyFailed({ origin, proxy: "p:1", reason: "tls", status: undefined, cause }),
  ConnectTimeout: new Timeouts.ConnectTimeout({ origin, limit }),
  FirstTokenTimeout: new Timeouts.FirstTokenTimeout({ limit }),
  IdleTimeout: new Timeouts.IdleTimeout({ limit }),
  ConnectionLost: new TransportError.ConnectionLost({ origin, phase: "body", cause }),
  HeadersTooLarge: new TransportError.HeadersTooLarge({ origin, limit: 1 }),
  BodyTooLarge: new TransportError.BodyTooLarge({ limit: 1 }),
  RequestBodyFailed: new TransportError.RequestBodyFailed({ origin, cause }),
  TransportClosed: new TransportError.TransportClosed({ origin }),
  SessionRevoked: new SessionError.SessionRevoked({ id: 1, kind: "call", session: "x", reason: "why" }),
  QuotaExceeded: new SessionError.QuotaExceeded({ tenant: "t", kind: "call", limit: 1 }),
  DeadlineExceeded: new Deadline.DeadlineExceeded({ budget: limit }),
  CredentialUnavailable: new Credential.CredentialUnavailable({ credential: "KEY", cause })
}

export const errors: ReadonlyArray<CallError> = Object.values(byTag)

export const rejected: CallError = byTag.RequestRejected
