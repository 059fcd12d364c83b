/**
 * Bounds how far a provider's answer is read ahead of its reader, in a call with a toolkit.
 *
 * Effect's `LanguageModel` reads such an answer into a queue without bound, so that a slow reader would not slow the provider
 * down. The provider's side and the reader's side of that queue share one `ReadAhead`: once `most` parts are unread, the
 * provider's side waits.
 *
 * It cannot wait forever while the reader waits too: every part that it has counted is in the queue, but for the finish of an
 * answer, which Effect keeps until the tools are done, and after which only the end is read.
 */
import type * as AiError from "effect/ai/AiError"
import type * as Response from "effect/ai/Response"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** Unread parts. A provider sends one for about each token. What one network chunk holds is read in one piece. */
const most = 64

/** Results of tool handlers, and requests for approval, are not the provider's. */
const isOfProvider = ({ type }: Response.StreamPart<{}> | Response.StreamPartEncoded): boolean =>
  (type as string) !== "tool-result" && (type as string) !== "tool-approval-request"

export class ReadAhead {
  private unread = 0
  private resume: (() => void) | undefined = undefined

  /** Waits until less than `most` parts are unread. */
  private readonly turn = Effect.callback<void>((resume) => {
    if (this.unread < most) return resume(Effect.void)
    this.resume = () => resume(Effect.void)
    return Effect.sync(() => {
      this.resume = undefined
    })
  })

  private readonly read = (count: number): void => {
    this.unread = Math.max(0, this.unread - count)
    if (this.unread >= most) return
    const { resume } = this
    this.resume = undefined
    resume?.()
  }

  /** The provider's side. */
  readonly ofProvider = <E>(self: Stream.Stream<Response.StreamPartEncoded, E>) =>
    Stream.transformPull(self, (pull) => {
      const counted = Effect.map(pull, (parts) => {
        this.unread += parts.length
        return parts
      })
      return Effect.succeed(Effect.suspend(() => this.unread < most ? counted : Effect.andThen(this.turn, counted)))
    })

  /** The reader's side. */
  readonly ofReader = <R>(self: Stream.Stream<Response.StreamPart<{}>, AiError.AiError, R>) =>
    Stream.transformPull(self, (pull) =>
      Effect.succeed(Effect.map(pull, (parts) => {
        this.read(parts.filter(isOfProvider).length)
        return parts
      })))
}

/** The one of the call in force. */
export const Current: Context.Reference<ReadAhead | undefined> = Context.Reference<ReadAhead | undefined>(
  "@clawback/providers/internal/ReadAhead",
  { defaultValue: () => undefined }
)
