/** What leases and their stores are made of, below everything that uses them. */
import type * as Effect from "effect/Effect"
import type { LeaseStoreError } from "./errors.ts"

/** Asks for a lease on a key. */
export interface Request {
  readonly key: string
  /** Made at random by the holder, once for all its tries. A request with the id of a holder gets the grant that it has. */
  readonly id: string
  /** How many may hold the key at the same time. One makes it a lock. */
  readonly limit: number
  /** In milliseconds, from when the store grants it. */
  readonly ttl: number
  /** Who holds it, for people. */
  readonly holder: string
}

/** A lease that a store has granted. */
export interface Grant {
  readonly key: string
  readonly id: string
  /** The fencing token: each grant of a key has a higher one than the grants before it. */
  readonly token: number
}

/** Names a grant to release. Without the token, the grant of this id, whichever it is, if there is one. */
export interface Release {
  readonly key: string
  readonly id: string
  readonly token?: number | undefined
}

/** A grant to renew, for how many milliseconds from now. */
export interface Renewal extends Grant {
  readonly ttl: number
}

/** What a store answers to a request. */
export type Answer =
  | { readonly _tag: "Granted"; readonly token: number }
  /** All places are taken. The first holder expires in `retryIn` milliseconds, unless it renews its lease. */
  | { readonly _tag: "Busy"; readonly retryIn: number }

/** Who holds a key. */
export interface Holder {
  readonly id: string
  readonly token: number
  readonly holder: string
  /** In milliseconds. */
  readonly expiresIn: number
}

/**
 * Where leases are kept. Each step is atomic, also among processes. Expiry is by the store's clock.
 *
 * A store implements it for a key of any text. A step may fail at any time, also after it was made.
 */
export interface LeaseStore {
  /** What the store is called in metrics and errors: one word for all of its sort. */
  readonly name: string
  readonly acquire: (request: Request) => Effect.Effect<Answer, LeaseStoreError>
  /** Returns false if the grant has expired or was released. It never comes back then. */
  readonly renew: (renewal: Renewal) => Effect.Effect<boolean, LeaseStoreError>
  /** Does nothing if the grant has expired, or was released before. */
  readonly release: (release: Release) => Effect.Effect<void, LeaseStoreError>
  readonly holders: (key: string) => Effect.Effect<ReadonlyArray<Holder>, LeaseStoreError>
}
