/**
 * The holders of one key: a reducer without clock or effect. Each function is one step of a store. It returns the state after the
 * step, and the answer.
 *
 * Guarantees:
 * - No more than `limit` hold the key, whose leases have not expired.
 * - Each grant has a higher token than all grants before it. Tokens follow the store's wall clock, so they rise even after the
 *   store has lost its data.
 * - A lease that has expired or was released is not renewed. Only its own holder renews or releases it.
 * - A request with the id of a holder gets the grant that it has, renewed.
 * - If the store's clock is set back, a lease lasts no longer than its time to live from the next step on.
 * - A store that may have lost leases when it was restarted grants nothing new until those have expired.
 */
import type { Answer, Grant, Holder, Release, Renewal, Request } from "./model.ts"

export interface Held {
  readonly id: string
  readonly token: number
  /** In milliseconds of the store's clock. */
  readonly expiresAt: number
  readonly ttl: number
  readonly holder: string
}

export interface State {
  /** The highest token that was granted. */
  readonly token: number
  readonly held: ReadonlyArray<Held>
}

/** A moment of the store. */
export interface Now {
  /** Milliseconds, for the expiry. */
  readonly millis: number
  /** Microseconds of wall time, for tokens. */
  readonly micros: number
  /** For how many milliseconds the store has been up, if it loses leases when it is restarted. Otherwise infinity. */
  readonly up: number
}

export const empty: State = { token: 0, held: [] }

/** When nobody holds the key any more. Minus infinity if nobody does. */
export const endsAt = ({ held }: State): number =>
  held.reduce((end, { expiresAt }) => Math.max(end, expiresAt), -Infinity)

/** Drops what has expired, and shortens what would outlive its time to live. */
const living = (state: State, { millis }: Now): ReadonlyArray<Held> =>
  state.held.flatMap((one) =>
    one.expiresAt <= millis ? [] : one.expiresAt > millis + one.ttl ? [{ ...one, expiresAt: millis + one.ttl }] : [one]
  )

const replaced = (held: ReadonlyArray<Held>, one: Held): ReadonlyArray<Held> =>
  held.map((other) => other.id === one.id ? one : other)

/** A grant never becomes shorter. */
const prolonged = (one: Held, ttl: number, { millis }: Now): Held => {
  const expiresAt = millis + ttl
  return expiresAt > one.expiresAt ? { ...one, ttl, expiresAt } : one
}

export const acquire = (state: State, request: Request, now: Now): readonly [State, Answer] => {
  const { holder, id, limit, ttl } = request
  const held = living(state, now)
  const own = held.find((one) => one.id === id)
  if (own !== undefined) {
    const after = { token: state.token, held: replaced(held, prolonged(own, ttl, now)) }
    return [after, { _tag: "Granted", token: own.token }]
  }
  if (held.length >= limit) {
    const first = held.reduce((first, { expiresAt }) => Math.min(first, expiresAt), Infinity)
    return [{ token: state.token, held }, { _tag: "Busy", retryIn: first - now.millis }]
  }
  if (now.up < ttl) return [{ token: state.token, held }, { _tag: "Busy", retryIn: ttl - now.up }]
  const token = Math.max(state.token + 1, Math.floor(now.micros))
  const granted: Held = { id, token, ttl, holder, expiresAt: now.millis + ttl }
  return [{ token, held: [...held, granted] }, { _tag: "Granted", token }]
}

export const renew = (state: State, { id, token, ttl }: Omit<Renewal, "key">, now: Now): readonly [State, boolean] => {
  const held = living(state, now)
  const own = held.find((one) => one.id === id && one.token === token)
  if (own === undefined) return [{ token: state.token, held }, false]
  return [{ token: state.token, held: replaced(held, prolonged(own, ttl, now)) }, true]
}

export const release = (state: State, { id, token }: Omit<Release, "key">, now: Now): State => ({
  token: state.token,
  held: living(state, now).filter((one) => one.id !== id || (token !== undefined && one.token !== token))
})

export const holders = (state: State, now: Now): ReadonlyArray<Holder> =>
  living(state, now).map(({ expiresAt, holder, id, token }) => ({
    id,
    token,
    holder,
    expiresIn: expiresAt - now.millis
  }))

/** What a holder knows of its own lease. */
export interface Term extends Omit<Grant, "key" | "id"> {
  readonly ttl: number
  /** How long before its end the holder must stop. */
  readonly margin: number
}

/**
 * The lease as its holder sees it, by the holder's own monotonic clock. The store counts from when it got the request, which is
 * later than when the holder sent it. So the holder stops before the store can grant the lease again.
 */
export class Tenure {
  readonly term: Term
  private end: number
  private phase: "held" | "expired" | "refused" | "released" = "held"

  constructor(term: Term, askedAt: number) {
    this.term = term
    this.end = askedAt + term.ttl - term.margin
  }

  get state(): "held" | "expired" | "refused" | "released" {
    return this.phase
  }

  get isHeld(): boolean {
    return this.phase === "held"
  }

  /** The holder must have stopped at this moment. */
  get until(): number {
    return this.end
  }

  /** The store has renewed it, asked at this moment. Renewals may come out of order. */
  renewed(askedAt: number): void {
    if (this.isHeld) this.end = Math.max(this.end, askedAt + this.term.ttl - this.term.margin)
  }

  /** Its time may be over. Returns whether it has been lost by this. */
  expire(now: number): boolean {
    return now >= this.end && this.lose("expired")
  }

  /** The store does not know it. Returns whether it has been lost by this. */
  refuse(): boolean {
    return this.lose("refused")
  }

  /** Returns whether it was held until now. */
  release(): boolean {
    return this.lose("released")
  }

  private lose(phase: "expired" | "refused" | "released"): boolean {
    if (!this.isHeld) return false
    this.phase = phase
    return true
  }
}
