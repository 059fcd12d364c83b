/**
 * What can go wrong on the way to a server and back. Each says whether something was sent, since that decides what a
 * retry may cost. The limits on time are in `Timeouts`.
 */
import * as Schema from "effect/Schema"
import type * as Retry from "./Retry.ts"
import type { SessionError } from "./SessionError.ts"
import type * as Timeouts from "./Timeouts.ts"

/** The URL cannot be requested. Nothing was sent. */
export class InvalidUrl extends Schema.TaggedError<InvalidUrl>("@clawback/core/InvalidUrl")("InvalidUrl", {
  url: Schema.String
}) {
  get retry(): Retry.Advice {
    return { reach: "unsent", isTransient: false }
  }
  override get message() {
    return `${
      JSON.stringify(this.url)
    } is not an absolute http or https URL. Give one such as "https://api.example.com/v1".`
  }
}

/** The request has a part that HTTP forbids, such as a line break in a header. Nothing was sent. */
export class InvalidRequest extends Schema.TaggedError<InvalidRequest>("@clawback/core/InvalidRequest")(
  "InvalidRequest",
  { origin: Schema.String, detail: Schema.String }
) {
  get retry(): Retry.Advice {
    return { reach: "unsent", isTransient: false }
  }
  override get message() {
    return `The request to ${this.origin} is not valid HTTP: ${this.detail}. Correct it; retrying will not help.`
  }
}

/** So many callers wait for a connection already that one more would only wait in vain. Nothing was sent. */
export class QueueFull extends Schema.TaggedError<QueueFull>("@clawback/core/QueueFull")("QueueFull", {
  origin: Schema.String,
  connections: Schema.Int,
  waiting: Schema.Int
}) {
  get retry(): Retry.Advice {
    return { reach: "unsent", isTransient: true }
  }
  override get message() {
    return `All ${this.connections} connections to ${this.origin} are busy and ${this.waiting} callers wait already. ` +
      "Nothing was sent. Shed load, or raise `connections` or `maxWaiting`."
  }
}

/** No connection could be established. Nothing was sent, so trying again cannot run anything twice. */
export class ConnectFailed extends Schema.TaggedError<ConnectFailed>("@clawback/core/ConnectFailed")("ConnectFailed", {
  origin: Schema.String,
  reason: Schema.Literals(["refused", "unresolved", "unreachable", "reset", "tls", "other"]),
  cause: Schema.Defect()
}) {
  get retry(): Retry.Advice {
    return { reach: "unsent", isTransient: this.reason !== "tls" }
  }
  override get message() {
    const advice = {
      refused: "Nothing listens there: check host and port, and that the server runs",
      unresolved: "The host name has no address: check it, and the DNS",
      unreachable: "There is no route to the host: check the network",
      reset: "The server hung up while connecting: try again",
      tls:
        "No trusted TLS connection came about: check certificate, host name and clock, and that the server speaks TLS there",
      other: "See the cause"
    }[this.reason]
    return `No connection to ${this.origin} (${this.reason}). ${advice}. Nothing was sent.`
  }
}

/**
 * The connection broke while it was used. `phase` says how far the exchange had come: at `"head"` the request may have
 * been processed, and billed; at `"body"` part of the answer was delivered.
 */
export class ConnectionLost extends Schema.TaggedError<ConnectionLost>("@clawback/core/ConnectionLost")(
  "ConnectionLost",
  { origin: Schema.String, phase: Schema.Literals(["head", "body"]), cause: Schema.Defect() }
) {
  get retry(): Retry.Advice {
    return { reach: "unanswered", isTransient: true }
  }
  override get message() {
    return `The connection to ${this.origin} broke ` + (this.phase === "head"
      ? "before an answer came. The request may have been processed: retry only if twice does no harm."
      : "in the middle of the answer. What was delivered stands; a new attempt starts over.")
  }
}

/** The transport's scope is closing or closed. Nothing was sent. */
export class TransportClosed
  extends Schema.TaggedError<TransportClosed>("@clawback/core/TransportClosed")("TransportClosed", {
    origin: Schema.String
  })
{
  get retry(): Retry.Advice {
    return { reach: "unsent", isTransient: false }
  }
  override get message() {
    return `The transport was closed, so nothing is sent to ${this.origin}. Keep its layer open for as long as calls run.`
  }
}

/** The body is larger than its reader allows. The rest was not read. */
export class BodyTooLarge extends Schema.TaggedError<BodyTooLarge>("@clawback/core/BodyTooLarge")("BodyTooLarge", {
  limit: Schema.Int
}) {
  get retry(): Retry.Advice {
    return { reach: "answered", isTransient: false }
  }
  override get message() {
    return `The response's body is larger than the allowed ${this.limit} bytes. Raise the limit if it may be.`
  }
}

/** Everything that `Transport.execute` can fail with. */
export type TransportError =
  | InvalidUrl
  | InvalidRequest
  | QueueFull
  | Timeouts.QueueTimeout
  | ConnectFailed
  | Timeouts.ConnectTimeout
  | Timeouts.FirstTokenTimeout
  | ConnectionLost
  | TransportClosed
  | SessionError
