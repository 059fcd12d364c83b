import { CredentialUnavailable } from "@clawback/core/Credential"
import { QuotaExceeded, SessionRevoked } from "@clawback/core/SessionError"
import { InvalidUrl } from "@clawback/core/TransportError"
import type * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { openOnce } from "../call/openOnce.ts"
import { Unsupported } from "../model/unsupported.ts"
import { toAiError, unknownError } from "./aiError.ts"

/** The errors of opening that a call can fail with, too. */
const callErrors = [CredentialUnavailable, InvalidUrl, QuotaExceeded, SessionRevoked, Unsupported]

const isCallError = (error: unknown): error is InstanceType<typeof callErrors[number]> =>
  callErrors.some((kind) => error instanceof kind)

const openFailed = (error: unknown, method: string, baseUrl: string): AiError.AiError =>
  isCallError(error) ? toAiError(error, method, baseUrl) : unknownError(error, method)

/** A member of a model without its overloads. */
const plain = <Result>(member: unknown) => member as (options: unknown) => Result

type Answer = Effect.Effect<unknown, AiError.AiError>
type Parts = Stream.Stream<unknown, AiError.AiError>

/** A model that opens at its first call. If opening fails, the call fails with an `AiError`, and the next one opens anew. */
export const make = <E, R>(
  open: Effect.Effect<LanguageModel.LanguageModel, E, R>,
  baseUrl: string
): Effect.Effect<LanguageModel.LanguageModel, never, R | Scope.Scope> =>
  Effect.map(openOnce(open), (opened) => {
    const openedFor = (method: string) => Effect.mapError(opened, (error) => openFailed(error, method, baseUrl))
    const forText = openedFor("generateText")
    const forObject = openedFor("generateObject")
    const forStream = openedFor("streamText")
    const model: Record<keyof LanguageModel.LanguageModel, unknown> = {
      [LanguageModel.TypeId]: LanguageModel.TypeId,
      supportsSystemMessagesInHistory: Effect.succeed(true),
      generateText: (options: unknown) =>
        Effect.flatMap(forText, ({ generateText }) => plain<Answer>(generateText)(options)),
      generateObject: (options: unknown) =>
        Effect.flatMap(forObject, ({ generateObject }) => plain<Answer>(generateObject)(options)),
      streamText: (options: unknown) =>
        Stream.unwrap(Effect.map(forStream, ({ streamText }) => plain<Parts>(streamText)(options)))
    }
    return model as LanguageModel.LanguageModel
  })
