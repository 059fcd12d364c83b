import { CredentialUnavailable } from "@clawback/core/Credential"
import * as Deadline from "@clawback/core/Deadline"
import { QuotaExceeded, SessionRevoked } from "@clawback/core/SessionError"
import { InvalidUrl } from "@clawback/core/TransportError"
import type * as AiError from "effect/ai/AiError"
import * as LanguageModel from "effect/ai/LanguageModel"
import type * as Duration from "effect/Duration"
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

export interface Options {
  /** What is opened, for errors. */
  readonly name: string
  readonly baseUrl: string
  /** The limit of a call, which its wait for the opening counts against. */
  readonly total: Duration.Duration
}

/**
 * A model that opens at its first call. If opening fails or takes too long, the call fails with an `AiError`, and the next
 * one opens anew.
 */
export const make = <E, R>(
  open: Effect.Effect<LanguageModel.LanguageModel, E, R>,
  { baseUrl, name, total }: Options
): Effect.Effect<LanguageModel.LanguageModel, never, R | Scope.Scope> =>
  Effect.map(openOnce(open), (once) => {
    /** Opens the model within the limit. Returns it with the deadline of the call that waited for it. */
    const openFor = (method: string) =>
      Effect.mapError(once.open, (error) => openFailed(error, method, baseUrl)).pipe(
        Effect.flatMap((model) => Effect.map(Deadline.Current, (deadline) => ({ model, deadline }))),
        Deadline.within(total),
        Effect.mapError((error) =>
          error instanceof Deadline.DeadlineExceeded
            ? toAiError(new Deadline.DeadlineExceeded({ budget: error.budget, unopened: name }), method, baseUrl)
            : error
        )
      )
    const answerOf = (method: "generateText" | "generateObject") => {
      const first = openFor(method)
      return (options: unknown): Answer =>
        Effect.suspend(() => {
          const opened = once.opened()
          return opened !== undefined
            ? plain<Answer>(opened[method])(options)
            : Effect.flatMap(
              first,
              ({ deadline, model }) =>
                Effect.provideService(plain<Answer>(model[method])(options), Deadline.Current, deadline)
            )
        })
    }
    const first = openFor("streamText")
    const model: Record<keyof LanguageModel.LanguageModel, unknown> = {
      [LanguageModel.TypeId]: LanguageModel.TypeId,
      supportsSystemMessagesInHistory: Effect.succeed(true),
      generateText: answerOf("generateText"),
      generateObject: answerOf("generateObject"),
      streamText: (options: unknown): Parts =>
        Stream.suspend(() => {
          const opened = once.opened()
          return opened !== undefined
            ? plain<Parts>(opened.streamText)(options)
            : Stream.unwrap(
              Effect.map(
                first,
                ({ deadline, model }) =>
                  Stream.provideService(plain<Parts>(model.streamText)(options), Deadline.Current, deadline)
              )
            )
        })
    }
    return model as LanguageModel.LanguageModel
  })
