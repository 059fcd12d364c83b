/** A field of a request that was not sent, or not as it was asked, because the provider's protocol lacks it. */
export interface Dropped {
  /**
   * Its path in `ChatRequest`, without numbers: `seed`, `tools.cache_control`, `messages.content.detail`. Fields of `extras`
   * have their own names.
   */
  readonly field: string
  /** What that means, in words for the people who operate the application. It quotes nothing of the request. */
  readonly reason: string
}

/** Hears of each dropped field, once for each path. */
export type OnDropped = (dropped: Dropped) => void
