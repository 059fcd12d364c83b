const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** The number of bytes at the end that begin an incomplete character. */
const unfinished = (bytes: Uint8Array): number => {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] ?? 0
    if (byte < 0x80) return 0
    if (byte >= 0xc0) return (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > back ? back : 0
  }
  return 0
}

const concat = (a: Uint8Array, b: Uint8Array): Uint8Array => {
  const both = new Uint8Array(a.length + b.length)
  both.set(a)
  both.set(b, a.length)
  return both
}

const decode = (bytes: Uint8Array): string | undefined => {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/**
 * Decodes UTF-8 in pieces. If a piece has bytes that are not UTF-8, its lines are decoded one by one, so that the lines before
 * those bytes are not lost.
 */
export class Utf8 {
  /** The bytes of an incomplete character. */
  private rest: Uint8Array = new Uint8Array(0)

  /** Passes the text to `take`. Returns false if the bytes are not UTF-8, or if `take` returned false, which stops it. */
  feed(piece: Uint8Array, take: (text: string) => boolean): boolean {
    const bytes = this.rest.length === 0 ? piece : concat(this.rest, piece)
    const left = unfinished(bytes)
    this.rest = left === 0 ? noBytes : bytes.slice(bytes.length - left)
    const whole = left === 0 ? bytes : bytes.subarray(0, bytes.length - left)
    const text = decode(whole)
    return text === undefined ? this.feedLines(whole, take) : take(text)
  }

  /** No character is incomplete. */
  get isWhole(): boolean {
    return this.rest.length === 0
  }

  private feedLines(bytes: Uint8Array, take: (text: string) => boolean): boolean {
    for (let at = 0; at < bytes.length;) {
      let end = at
      while (end < bytes.length && bytes[end] !== 10 && bytes[end] !== 13) end++
      const text = decode(bytes.subarray(at, end + 1))
      if (text === undefined || !take(text)) return false
      at = end + 1
    }
    return true
  }
}

const noBytes = new Uint8Array(0)
