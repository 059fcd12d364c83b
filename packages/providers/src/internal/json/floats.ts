import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"

const size = Float32Array.BYTES_PER_ELEMENT

/** A vector as base64 of 32-bit floats, low byte first. Numbers are rounded to 32 bits. */
export const encode = (vector: ReadonlyArray<number>): string => {
  const view = new DataView(new ArrayBuffer(vector.length * size))
  for (const [index, value] of vector.entries()) view.setFloat32(index * size, value, true)
  return Base64.encode(new Uint8Array(view.buffer))
}

/** No model's vector has larger numbers. Bytes of another type, read as floats, nearly always do. */
const largest = 1e6

/** Undefined if the text is not base64 of 32-bit floats of a vector. */
export const decode = (text: string): ReadonlyArray<number> | undefined => {
  const decoded = Base64.decode(text)
  if (Result.isFailure(decoded) || decoded.success.byteLength % size !== 0) return undefined
  const { buffer, byteLength, byteOffset } = decoded.success
  const view = new DataView(buffer, byteOffset, byteLength)
  const vector: Array<number> = []
  for (let at = 0; at < byteLength; at += size) {
    const value = view.getFloat32(at, true)
    if (!(Math.abs(value) <= largest)) return undefined
    vector.push(value)
  }
  return vector
}
