/** What encryption at rest needs of a cipher. */
import type * as Effect from "effect/Effect"

/** Authenticated encryption. What is sealed names its key, so that older keys can still open it after a rotation. */
export interface Sealing<E> {
  /** `aad` is authenticated with the text, and must be the same when it is opened. */
  readonly encrypt: (plain: Uint8Array, aad: Uint8Array) => Effect.Effect<Uint8Array, E>
  readonly decrypt: (sealed: Uint8Array, aad: Uint8Array) => Effect.Effect<Uint8Array, E>
}
