/** Our errors as those that Effect's chats declare. */
import * as ReadableError from "@clawback/core/ReadableError"
import * as AiError from "effect/ai/AiError"
import { PersistenceError } from "effect/persistence/Persistence"
import type { OpenError } from "../conversation/service.ts"
import type { OperationMismatch } from "../store/errors.ts"

/** The errors that became one of Effect's. */
const origins = new WeakSet<object>()

type Origin = OpenError | OperationMismatch

/** Retryable only if nothing of the conversation was changed. */
const reasonOf = (error: Origin): AiError.AiErrorReason => {
  const description = error.message
  if (error._tag !== "ConversationBusy") return new AiError.UnknownError({ description })
  const { retryAfter } = error
  return new AiError.RateLimitError(retryAfter === undefined ? {} : { retryAfter })
}

const shown = ({ isRetryable, method, module, reason }: AiError.AiError): ReadableError.View => ({
  fields: { module, method, reason: reason._tag, isRetryable },
  cause: reason.cause
})

export const toAiError = (method: string) => (error: Origin): AiError.AiError => {
  const reason = reasonOf(error)
  origins.add(error)
  Object.defineProperty(reason, "cause", { value: error, writable: true, configurable: true, enumerable: false })
  return ReadableError.show(AiError.make({ module: "ConversationChat", method, reason }), shown)
}

export const toPersistenceError = (error: Origin): PersistenceError => {
  origins.add(error)
  return new PersistenceError({ message: error.message, cause: error })
}

/** The error of ours that one of Effect's stands for. */
export const originOf = (error: AiError.AiError | PersistenceError): Origin | undefined => {
  const cause: unknown = error._tag === "AiError" ? error.reason.cause : error.cause
  return typeof cause === "object" && cause !== null && origins.has(cause) ? cause as Origin : undefined
}
