/** What one request may hold. */
export interface Most {
  readonly inputs: number
  /** Counted as bytes of UTF-8, of which a token has at least one. */
  readonly tokens: number
}

const encoder = new TextEncoder()

/** The same texts in the same order, in as few parts as hold no more than they may. A text that is too long is alone. */
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
