/** The errors of a transport. */
import * as Schema from "effect/Schema"
import type { DeadlineExceeded } from "../../Deadline.ts"
import * as ReadableError from "../../ReadableError.ts"
import type { SessionError } from "../../SessionError.ts"
import type * as Timeouts from "../../Timeouts.ts"
import type { Advice } from "../retry/advice.ts"
import * as Urls from "./urls.ts"

/** The URL cannot be requested. Nothing was sent. */
export class InvalidUrl extends ReadableError.tagged<InvalidUrl>("@clawback/core/InvalidUrl")("InvalidUrl", {
  /** Without its credentials, its query and its fragment, which may be secret. */
  url: Schema.String,
  /** Where the URL came from: an option, or a name in the application's configuration. */
  source: Schema.optional(Schema.String),
  /** What is wrong, if the URL alone does not say. */
  detail: Schema.optional(Schema.String)
}) {
  /** Makes one of a URL as it was given, whose secrets the error does not keep. */
  static of(url: string, origin: Pick<InvalidUrl, "source" | "detail"> = {}): InvalidUrl {
    return new InvalidUrl({ url: Urls.shown(url), ...origin })
  }
  get retry(): Advice {
    return { reach: "unsent", isTransient: false }
  }
  override get message() {
    const url = Urls.shown(this.url)
    const advice = url.includes(Urls.credentials)
      ? "Send credentials in a header, such as `authorization`; a layer of a provider takes them as its `credential`."
      : "Give one such as \"https://api.example.com/v1\"."
    const fault = this.detail ?? Urls.fault(url) ?? "it must be an absolute URL without credentials and fragment"
    return `${this.source === undefined ? "The URL" : this.source} is ${JSON.stringify(url)}: ${fault}. ${advice}`
  }
}

/** The request has a part that HTTP forbids, such as a line break in a header. Nothing was sent. */
export class InvalidRequest extends ReadableError.tagged<InvalidRequest>("@clawback/core/InvalidRequest")(
  "InvalidRequest",
  { origin: Schema.String, detail: Schema.String }
) {
  get retry(): Advice {
    return { reach: "unsent", isTransient: false }
  }
  override get message() {
    return `The request to ${this.origin} is not valid HTTP: ${this.detail}. Correct it; retrying will not help.`
  }
}

/** Too many callers wait for a connection already. Nothing was sent. */
export class QueueFull extends ReadableError.tagged<QueueFull>("@clawback/core/QueueFull")("QueueFull", {
  origin: Schema.String,
  connections: Schema.Int,
  waiting: Schema.Int
}) {
  get retry(): Advice {
    return { reach: "unsent", isTransient: true }
  }
  override get message() {
    return `All ${this.connections} connections to ${this.origin} are busy and ${this.waiting} callers wait already. ` +
      "Nothing was sent. Shed load, or raise `connections` or `maxWaiting`."
  }
}

/** No connection could be established. Nothing was sent, so trying again cannot run anything twice. */
export class ConnectFailed
  extends ReadableError.tagged<ConnectFailed>("@clawback/core/ConnectFailed")("ConnectFailed", {
    origin: Schema.String,
    reason: Schema.Literals(["refused", "unresolved", "unreachable", "reset", "tls", "other"]),
    cause: Schema.Defect()
  })
{
  get retry(): Advice {
    return { reach: "unsent", isTransient: this.reason !== "tls" }
  }
  override get message() {
    const advice = {
      refused: "Nothing listens there: check host and port, and that the server runs",
      unresolved: "The host name has no address: check it, and the DNS",
      unreachable: "There is no route to the host: check the network",
      reset: "The server closed the connection while connecting: try again" +
        (this.origin.startsWith("https:") ? ", and check whether its URL should begin with http:" : ""),
      tls:
        "No trusted TLS connection could be established: check certificate, host name and clock, and that the server uses TLS there",
      other: "See the cause"
    }[this.reason]
    return `No connection to ${this.origin} (${this.reason}). ${advice}. Nothing was sent.`
  }
}

/** No connection through the proxy could be established. Nothing was sent to the server itself. */
export class ProxyFailed extends ReadableError.tagged<ProxyFailed>("@clawback/core/ProxyFailed")("ProxyFailed", {
  origin: Schema.String,
  /** Host and port. */
  proxy: Schema.String,
  /** `"unauthorized"` and `"refused"` are answers of the proxy; at the others there was none. */
  reason: Schema.Literals(["unreachable", "tls", "unauthorized", "refused", "broken"]),
  /** The status that the proxy answered with, if it did. */
  status: Schema.UndefinedOr(Schema.Int),
  cause: Schema.Defect()
}) {
  get retry(): Advice {
    return { reach: "unsent", isTransient: this.reason === "unreachable" || this.reason === "broken" }
  }
  override get message() {
    const advice = {
      unreachable: "It cannot be reached: check its host and port, and that it runs",
      tls:
        "No trusted TLS connection to it could be established: check whether its URL should begin with http: or https:",
      unauthorized: "It rejected the credentials: check those of the proxy",
      refused:
        "It refused to connect to the server: check whether it allows that server, or exempt the server from the proxy",
      broken: "It closed the connection, or does not use HTTP: check that it is a proxy"
    }[this.reason]
    return `The proxy ${this.proxy} did not connect us to ${this.origin} (${this.reason}${
      this.status === undefined ? "" : `, status ${this.status}`
    }). ${advice}. Nothing was sent.`
  }
}

/**
 * The connection broke while it was used. `phase` is how far the exchange had come: at `"request"` nothing was sent; at
 * `"head"` the request may have been processed, and billed; at `"body"` part of the answer was delivered.
 */
export class ConnectionLost extends ReadableError.tagged<ConnectionLost>("@clawback/core/ConnectionLost")(
  "ConnectionLost",
  { origin: Schema.String, phase: Schema.Literals(["request", "head", "body"]), cause: Schema.Defect() }
) {
  get retry(): Advice {
    return { reach: this.phase === "request" ? "unsent" : "unanswered", isTransient: true }
  }
  override get message() {
    const advice = {
      request: "before anything was sent. Trying again cannot run anything twice.",
      head: "before an answer came. The request may have been processed: retry only if twice does no harm.",
      body: "in the middle of the answer. What was delivered stands; a new attempt starts over."
    }[this.phase]
    return `The connection to ${this.origin} broke ${advice}`
  }
}

/** The stream that the request's body was read from failed. Part of the request may have been sent; it was aborted. */
export class RequestBodyFailed
  extends ReadableError.tagged<RequestBodyFailed>("@clawback/core/RequestBodyFailed")("RequestBodyFailed", {
    origin: Schema.String,
    cause: Schema.Defect()
  })
{
  get retry(): Advice {
    return { reach: "unanswered", isTransient: false }
  }
  override get message() {
    return `The body of the request to ${this.origin} could not be read to its end, so the request was aborted. ` +
      "See the cause."
  }
}

/** The response's headers are larger than allowed. The request was processed; its answer cannot be read. */
export class HeadersTooLarge
  extends ReadableError.tagged<HeadersTooLarge>("@clawback/core/HeadersTooLarge")("HeadersTooLarge", {
    origin: Schema.String,
    limit: Schema.Int
  })
{
  get retry(): Advice {
    return { reach: "answered", isTransient: false }
  }
  override get message() {
    return `${this.origin} answered with headers of more than the allowed ${this.limit} bytes. ` +
      "Raise `maxHeaderSize` if they may be that large."
  }
}

/** The transport's scope is closing or closed. Nothing was sent. */
export class TransportClosed
  extends ReadableError.tagged<TransportClosed>("@clawback/core/TransportClosed")("TransportClosed", {
    origin: Schema.String
  })
{
  get retry(): Advice {
    return { reach: "unsent", isTransient: false }
  }
  override get message() {
    return `The transport was closed, so nothing is sent to ${this.origin}. Keep its layer open for as long as calls run.`
  }
}

/** The response's body is larger than allowed. The rest was not read. */
export class BodyTooLarge extends ReadableError.tagged<BodyTooLarge>("@clawback/core/BodyTooLarge")("BodyTooLarge", {
  limit: Schema.Int
}) {
  get retry(): Advice {
    return { reach: "answered", isTransient: false }
  }
  override get message() {
    return `The response's body is larger than the allowed ${this.limit} bytes. ` +
      "Raise the limit (`maxBodySize`) if it may be."
  }
}

/**
 * The body of an error response was closed, because no reader had begun and another call waited for a connection. Only
 * readers of `HttpClientView`'s responses get this.
 */
export class UnreadBodyClosed
  extends ReadableError.tagged<UnreadBodyClosed>("@clawback/core/UnreadBodyClosed")("UnreadBodyClosed", {
    /** The response's. */
    status: Schema.Int
  })
{
  get retry(): Advice {
    return { reach: "answered", isTransient: false }
  }
  override get message() {
    return `The body of the response with status ${this.status} was closed before it was read, since another call ` +
      "waited for a connection. Read a body as soon as its response has come, or end the scope of each attempt " +
      "(`Effect.scoped`) where it is not wanted."
  }
}

/** Everything that `Transport.execute` can fail with. */
export type TransportError =
  | InvalidUrl
  | InvalidRequest
  | QueueFull
  | Timeouts.QueueTimeout
  | ConnectFailed
  | ProxyFailed
  | Timeouts.ConnectTimeout
  | Timeouts.FirstTokenTimeout
  | ConnectionLost
  | RequestBodyFailed
  | HeadersTooLarge
  | TransportClosed
  | DeadlineExceeded
  | SessionError
