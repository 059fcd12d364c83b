/** Why a command has no answer. `RedisError` of Effect holds one of these as its cause, or what Redis has answered. */
import * as ReadableError from "@clawback/core/ReadableError"
import type { Advice } from "@clawback/core/Retry"
import * as Redis from "effect/persistence/Redis"
import { hasProperty } from "effect/Predicate"
import * as Schema from "effect/Schema"
import { ErrorReply } from "redis"
import { type Address, nameOf } from "./model.ts"

/** The command did not reach Redis: it has changed nothing. */
export class RedisNotSent extends ReadableError.tagged<RedisNotSent>("@clawback/node/RedisNotSent")("RedisNotSent", {
  command: Schema.String,
  /** What happened, and what to do. */
  detail: Schema.String,
  isTransient: Schema.Boolean,
  cause: Schema.optional(Schema.Defect())
}) {
  get retry(): Advice {
    return { reach: "unsent", isTransient: this.isTransient }
  }
  override get message() {
    return `${this.command} was not sent to Redis: ${this.detail}`
  }
}

/** The command was sent, and there is no answer: it may have run, or may still run. */
export class RedisOutcomeUnknown
  extends ReadableError.tagged<RedisOutcomeUnknown>("@clawback/node/RedisOutcomeUnknown")("RedisOutcomeUnknown", {
    command: Schema.String,
    /** What happened. */
    detail: Schema.String,
    cause: Schema.optional(Schema.Defect())
  })
{
  get retry(): Advice {
    return { reach: "unanswered", isTransient: true }
  }
  override get message() {
    return `Whether ${this.command} has run is unknown: ${this.detail} Read what it has changed, or repeat it if that does ` +
      "no harm."
  }
}

/** Effect's error has no message of its own. */
class Failure extends Redis.RedisError {
  override get message() {
    return hasProperty(this.cause, "message") ? `${this.cause.message}` : "Redis has failed"
  }
}

export const failure = (cause: unknown): Redis.RedisError => new Failure({ cause })

const optional = (cause: unknown) => cause === undefined ? {} : { cause }

export const notSent = (command: string, detail: string, isTransient: boolean, cause?: unknown): Redis.RedisError =>
  failure(new RedisNotSent({ command, detail, isTransient, ...optional(cause) }))

export const unknown = (command: string, detail: string, cause?: unknown): Redis.RedisError =>
  failure(new RedisOutcomeUnknown({ command, detail, ...optional(cause) }))

/** What Redis has answered. */
export const isAnswer = (error: unknown): boolean => error instanceof ErrorReply

const codeOf = (cause: unknown): string =>
  cause instanceof AggregateError
    ? codeOf(cause.errors[0])
    : hasProperty(cause, "code") && typeof cause.code === "string"
    ? cause.code
    : ""

const wordsOf = (cause: unknown): string =>
  cause instanceof AggregateError ? wordsOf(cause.errors[0]) : cause instanceof Error ? cause.message : String(cause)

/** What to do about a connection that does not open, by the code of Node.js, or the first word of Redis. */
const advice: Readonly<Record<string, string>> = {
  ECONNREFUSED: "Nothing listens there. Check the options `host` and `port`, and whether Redis runs.",
  ENOENT: "There is no such socket. Check the option `host`, and whether Redis runs.",
  ENOTFOUND: "The host name has no address. Check the option `host`.",
  EAI_AGAIN: "The name server did not answer. Check the network.",
  WRONGPASS: "Redis rejected the password. Check the options `user` and `password`.",
  NOAUTH: "Redis asks for a password. Give the option `password`.",
  NOPERM: "The user may not do that. Check the ACL of the option `user`."
}

/** Why no connection opens. */
export const ofConnect = (cause: unknown, address: Address): Redis.RedisError => {
  if (hasProperty(cause, "_tag") && cause._tag === "RedisError") return cause as Redis.RedisError
  const words = wordsOf(cause)
  const known = advice[codeOf(cause)] ?? advice[words.split(" ")[0] ?? ""]
  return notSent(
    "HELLO",
    `no connection to ${nameOf(address)} opens. ${known ?? ""}${known === undefined ? "" : " "}(${words})`,
    true,
    cause
  )
}
