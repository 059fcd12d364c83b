import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import type { Chunks } from "../../Wire.ts"
import { BodyTooLarge } from "./errors.ts"

const joined = (chunks: ReadonlyArray<Uint8Array>, length: number): Uint8Array => {
  const [first] = chunks
  if (chunks.length === 1 && first !== undefined) return first
  const whole = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.byteLength
  }
  return whole
}

/** Reads a whole body into memory. Stops at `limit` bytes. */
export const readBytes = <E>(body: Pull.Pull<Chunks, E>, limit: number): Effect.Effect<Uint8Array, E | BodyTooLarge> =>
  Effect.suspend(() => {
    const chunks: Array<Uint8Array> = []
    let length = 0
    const read: Effect.Effect<Uint8Array, E | BodyTooLarge> = Effect.matchCauseEffect(body, {
      onSuccess: (more) => {
        for (const chunk of more) {
          chunks.push(chunk)
          length += chunk.byteLength
        }
        return length > limit ? Effect.fail(new BodyTooLarge({ limit })) : read
      },
      onFailure: (cause) => {
        const failure = Pull.filterNoDone(cause)
        return Result.isSuccess(failure) ? Effect.failCause(failure.success) : Effect.succeed(joined(chunks, length))
      }
    })
    return read
  })
