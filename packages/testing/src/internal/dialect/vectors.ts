const encoder = new TextEncoder()

/** A vector made of a text's bytes, of length one. The same text has the same vector. */
export const vectorOf = (text: string, size = 8): ReadonlyArray<number> => {
  const vector = Array.from({ length: size }, () => 0)
  for (const [at, byte] of encoder.encode(text).entries()) vector[at % size] = (vector[at % size] ?? 0) + byte + 1
  const length = Math.hypot(...vector)
  return vector.map((value) => value / length)
}
