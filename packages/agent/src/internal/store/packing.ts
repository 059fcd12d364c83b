/** Texts of an idle conversation in little memory: compressed, in a string of one byte a character. */
import type { Texts } from "./stored.ts"

/** Compresses bytes, at once. */
export interface Codec {
  readonly compress: (bytes: Uint8Array) => Uint8Array
  readonly decompress: (bytes: Uint8Array) => Uint8Array
}

/** How many characters are made with one call: a call with very many arguments overflows the stack. */
const piece = 4096

/** A string of one-byte characters takes 16 bytes beside them. An array of bytes takes 200. */
const textOf = (bytes: Uint8Array): string => {
  let text = ""
  for (let i = 0; i < bytes.length; i += piece) text += String.fromCharCode(...bytes.subarray(i, i + piece))
  return text
}

const bytesOf = (text: string): Uint8Array => {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}

export const pack = (codec: Codec, { entries, operations, view }: Texts): string => {
  const json = JSON.stringify([entries, view, operations.map(({ digest, id, position }) => [id, digest, position])])
  return textOf(codec.compress(new TextEncoder().encode(json)))
}

export const unpack = (codec: Codec, packed: string): Texts => {
  const [entries, view, operations] = JSON.parse(new TextDecoder().decode(codec.decompress(bytesOf(packed))))
  return {
    entries,
    view,
    operations: operations.map(([id, digest, position]: [string, string, number]) => ({ id, digest, position }))
  }
}
