/** Digests of entries, which tell a repeated change from another one with its id. */

/** FNV-1a, 32 bits. */
const fnv = (text: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

/** A short digest stays as it is, so that a record can move between stores. */
const short = /^~[0-9a-f]{4}$/

/**
 * 16 bits of a digest. Beside encrypted entries, that is enough to notice a wrong change, and too little to confirm a guess of
 * what the entries say.
 */
export const shortDigest = (digest: string): string => {
  if (short.test(digest)) return digest
  const hash = fnv(digest)
  return `~${((hash ^ (hash >>> 16)) & 0xffff).toString(16).padStart(4, "0")}`
}
