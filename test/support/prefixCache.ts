/**
 * The prompt cache of a provider, after OpenAI's documentation: of a prompt of 1,024 tokens or more, it reads the longest prefix
 * that an earlier prompt had, in steps of 128 tokens (OpenAI's cookbook, "Prompt Caching 201").
 *
 * A token is four bytes here. Nothing is evicted: the requests of a conversation come within the minutes that a provider keeps
 * a prefix.
 */
import { createHash } from "node:crypto"

const bytesPerToken = 4
const step = 128
const least = 1024

export const tokensOf = (prompt: string): number => Math.floor(Buffer.byteLength(prompt) / bytesPerToken)

export class PrefixCache {
  private readonly known = new Set<string>()

  /** Sends a prompt, and returns how many of its tokens were read from the cache. */
  send(prompt: string): number {
    const bytes = Buffer.from(prompt)
    const block = step * bytesPerToken
    const hash = createHash("sha1")
    let cached = 0
    let isHit = true
    for (let end = block; end <= bytes.length; end += block) {
      hash.update(bytes.subarray(end - block, end))
      const prefix = hash.copy().digest("base64")
      isHit = isHit && this.known.has(prefix)
      if (isHit) cached += step
      this.known.add(prefix)
    }
    return cached >= least ? cached : 0
  }
}

/** Whether a provider would cache a prompt of this size at all. */
export const isCacheable = (tokens: number): boolean => tokens >= least
