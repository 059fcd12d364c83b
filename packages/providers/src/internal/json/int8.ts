import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"

const largest = 127

/** A vector as base64 of signed bytes. If no number is larger than 1, it is scaled to them, which keeps its direction. */
export const encode = (vector: ReadonlyArray<number>): string => {
  const scale = vector.every((value) => Math.abs(value) <= 1) ? largest : 1
  return Base64.encode(
    Uint8Array.from(vector, (value) => Math.max(-largest - 1, Math.min(largest, Math.round(value * scale))))
  )
}

/** Undefined if the text is not base64. */
export const decode = (text: string): ReadonlyArray<number> | undefined => {
  const decoded = Base64.decode(text)
  return Result.isFailure(decoded) ? undefined : Array.from(decoded.success, (byte) => byte << 24 >> 24)
}
