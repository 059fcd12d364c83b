/** For each error, a way in which a call fails with it, over real sockets and at any provider. */
import { Caller, SessionRegistry, type Timeouts } from "@clawback/core"
import type { NodeTransport } from "@clawback/node"
import { ProviderError } from "@clawback/providers"
import { Behavior, type FaultyProvider } from "@clawback/testing"
import { Duration, Effect, Exit, Fiber, Scope } from "effect"
import type { Provider } from "./model.ts"
import * as Server from "./server.ts"
import { talking, talkingAnthropic } from "./talking.ts"

/** The surroundings of a call. The scopes of transport and model may close before the call ends. */
interface World {
  readonly server: FaultyProvider.FaultyProvider["Service"]
  readonly transport: Scope.Closeable
  readonly model: Scope.Closeable
}

/** Base64, or where it is. */
export interface File {
  readonly mediaType: string
  readonly data: string | URL
}

/** What happens before a call, or while it is under way. */
type Meanwhile = <A, E, R>(call: Effect.Effect<A, E, R>, world: World) => Effect.Effect<A, E, R>

export interface Failure {
  /** Default: both. */
  readonly kinds?: ReadonlyArray<"stream" | "whole">
  /** What the server does with each request. Default: it says nothing. */
  readonly does?: (provider: Provider, key: string) => Behavior.Behavior
  /** Where requests go instead. */
  readonly origin?: Effect.Effect<string, never, Scope.Scope>
  /** What is sent in place of the key. */
  readonly key?: (key: string) => string
  readonly timeouts?: Timeouts.Timeouts
  /** What is asked about. Default: nothing. */
  readonly file?: (provider: Provider) => File
  readonly transport?: NodeTransport.Options
  readonly meanwhile?: Meanwhile
  /** What is known of the error beside its tag. */
  readonly fields?: object
}

const limit = Duration.millis(60)

/** The vendor's own answer to what an error means, with the key wherever it says anything. */
const refused = (
  make: (said: ProviderError.Said) => ProviderError.ProviderError,
  fields: object = {}
): Failure => ({
  does: (provider, key) => {
    const { chat, name } = provider.target({}).provider
    const said = { provider: name, status: 400, detail: `Not with ${key}`, code: undefined, requestId: undefined }
    const { body, headers, status } = chat.encodeError(make(said))
    return Behavior.status(status, {
      body,
      headers: { ...headers, "request-id": `req_${key}`, "x-request-id": `req_${key}` }
    })
  },
  fields: { requestId: "req_<redacted>", ...fields }
})

/** A stream that ends in this way after its first hundreds of bytes. */
const cut = (ending: Behavior.Ending) => ({ name }: Provider): Behavior.Behavior =>
  Behavior.cutAt((name === "openai" ? talking : talkingAnthropic)("1 millis"), 1_000, ending)

/** Somebody else has the only connection, and is still waiting for an answer. */
const whileBusy: Meanwhile = (call, { server }) =>
  Effect.scoped(Effect.gen(function*() {
    yield* Effect.forkScoped(Effect.exit(call))
    yield* Effect.orDie(server.until(({ inFlight }) => inFlight === 1))
    return yield* call
  }))

const onceClosed = (which: "transport" | "model"): Meanwhile => (call, world) =>
  Effect.andThen(Scope.close(world[which], Exit.void), call)

const whileRevoked: Meanwhile = (call, { server }) =>
  Effect.gen(function*() {
    const fiber = yield* Effect.forkChild(call)
    yield* Effect.orDie(server.until(({ inFlight }) => inFlight === 1))
    yield* SessionRegistry.revoke({ kind: "call" }, { reason: "no longer wanted" })
    return yield* Fiber.join(fiber)
  })

/** The tenant that `registry` lets open nothing. */
const tenant = "small"
export const registry = SessionRegistry.layer({ quota: (name) => name === tenant ? 0 : Infinity })

/**
 * All but two, which a call cannot have: where a target is open, its base URL is one (`InvalidUrl`), and what is sent is a
 * text, which can be read to its end (`RequestBodyFailed`).
 */
export const failures: Readonly<
  Record<Exclude<ProviderError.CallError["_tag"], "InvalidUrl" | "RequestBodyFailed">, Failure>
> = {
  AuthenticationFailed: refused((said) => new ProviderError.AuthenticationFailed(said), { status: 401 }),
  PermissionDenied: refused((said) => new ProviderError.PermissionDenied(said), { status: 403 }),
  RegionBlocked: refused((said) => new ProviderError.RegionBlocked({ ...said, detail: "Request not allowed" }), {
    status: 403
  }),
  QuotaExhausted: refused((said) => new ProviderError.QuotaExhausted(said)),
  RateLimited: refused((said) => new ProviderError.RateLimited({ ...said, retryAfter: Duration.seconds(7) }), {
    status: 429,
    retryAfter: Duration.seconds(7)
  }),
  Overloaded: refused((said) => new ProviderError.Overloaded({ ...said, retryAfter: Duration.seconds(7) }), {
    retryAfter: Duration.seconds(7)
  }),
  ConversationBusy: refused(
    (said) => new ProviderError.ConversationBusy({ ...said, retryAfter: Duration.seconds(7) }),
    { retryAfter: Duration.seconds(7) }
  ),
  ProviderFailed: refused((said) => new ProviderError.ProviderFailed({ ...said, retryAfter: undefined }), {
    status: 500,
    retryAfter: undefined
  }),
  ModelNotFound: refused((said) => new ProviderError.ModelNotFound(said), { status: 404 }),
  ContextTooLong: refused((said) => new ProviderError.ContextTooLong(said), { status: 400 }),
  ContentFiltered: refused((said) => new ProviderError.ContentFiltered(said), { status: 400 }),
  RequestRejected: refused((said) => new ProviderError.RequestRejected(said), { status: 400 }),
  InvalidResponse: {
    does: (_, key) => Behavior.bytes(`No answer to ${key}`, { headers: { "content-type": "text/plain" } }),
    fields: { excerpt: "No answer to <redacted>" }
  },
  StreamTruncated: { kinds: ["stream"], does: cut("end") },
  Unsupported: {
    file: ({ name }) =>
      name === "openai"
        ? { mediaType: "application/pdf", data: new URL("http://files.test/report.pdf") }
        : { mediaType: "video/mp4", data: "AAAA" }
  },
  CredentialUnavailable: { meanwhile: onceClosed("model") },
  InvalidRequest: { key: (key) => `${key}\n${key}` },
  QueueFull: {
    transport: { connections: 1, maxWaiting: 0 },
    meanwhile: whileBusy,
    fields: { connections: 1, waiting: 0 }
  },
  QueueTimeout: {
    transport: { connections: 1 },
    timeouts: { queue: limit },
    meanwhile: whileBusy,
    fields: { connections: 1, limit }
  },
  ConnectFailed: {
    origin: Effect.map(Server.nobody, (host) => `http://${host}`),
    fields: { reason: "refused" }
  },
  ConnectTimeout: {
    origin: Effect.map(Server.tcp(), ({ host }) => `https://${host}`),
    timeouts: { connect: limit },
    fields: { limit }
  },
  ProxyFailed: {
    // Nothing listens on port 1.
    transport: { proxy: { http: { url: "http://127.0.0.1:1" } } },
    fields: { proxy: "127.0.0.1:1", reason: "unreachable" }
  },
  ConnectionLost: { does: () => Behavior.reset, fields: { phase: "head" } },
  HeadersTooLarge: { does: () => Behavior.hugeHeader(40_000), fields: { limit: 16_384 } },
  BodyTooLarge: {
    does: cut("end"),
    transport: { maxBodySize: 500 },
    fields: { limit: 500 }
  },
  FirstTokenTimeout: { kinds: ["stream"], timeouts: { firstToken: limit }, fields: { limit } },
  IdleTimeout: { kinds: ["stream"], does: cut("stall"), timeouts: { idle: limit }, fields: { limit } },
  DeadlineExceeded: { timeouts: { total: limit } },
  TransportClosed: { meanwhile: onceClosed("transport") },
  SessionRevoked: { meanwhile: whileRevoked, fields: { reason: "no longer wanted" } },
  QuotaExceeded: { meanwhile: Caller.provide({ tenant }), fields: { tenant, limit: 0 } }
}
