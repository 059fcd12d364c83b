import type * as Transport from "@clawback/core/Transport"
import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { leavingTime } from "./leavingTime.ts"

/** The useful part of an error's body is its beginning, and reading it must not delay the error. */
const limit = 256 * 1024
const timeout = Duration.seconds(5)

/** As much of an error's body as comes in time. The status alone says what happened; the body adds detail. */
export const errorBody = (response: Transport.Response): Effect.Effect<string> =>
  Effect.suspend(() => {
    const decoder = new TextDecoder()
    let text = ""
    const read: Effect.Effect<void, Transport.BodyError | Cause.Done> = Effect.flatMap(response.body, (chunks) => {
      for (const chunk of chunks) text += decoder.decode(chunk, { stream: true })
      return text.length < limit ? read : Effect.void
    })
    const limited = Effect.flatMap(leavingTime(timeout), (duration) => Effect.timeoutOption(read, duration))
    return Effect.map(Effect.ignore(limited), () => text)
  })
