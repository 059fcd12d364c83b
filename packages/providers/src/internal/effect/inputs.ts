/** The limits of one request. */
export interface Most {
  readonly inputs: number
  /** Counted in bytes of UTF-8: a token has at least one. */
  readonly tokens: number
}

const encoder = new TextEncoder()

/** Splits texts into as few parts as the limits allow, in the same order. A text that is too long has a part of its own. */
export const split = (inputs: ReadonlyArray<string>, most: Most): ReadonlyArray<ReadonlyArray<string>> => {
  const parts: Array<Array<string>> = []
  let part: Array<string> = []
  let room = 0
  for (const input of inputs) {
    const bytes = encoder.encode(input).length
    if (part.length === 0 || part.length >= most.inputs || bytes > room) {
      parts.push(part = [])
      room = most.tokens
    }
    part.push(input)
    room -= bytes
  }
  return parts
}
