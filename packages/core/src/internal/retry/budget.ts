/** Tokens are counted in thousandths, so that ten tenths are exactly one. */
const whole = 1000

/**
 * A bucket of tokens: a state machine without clock or effect. A retry takes one token, a success adds a part of one, and
 * the bucket holds at most the reserve. So at any moment retries ≤ reserve + ratio × successes. If everything fails,
 * retries end once the reserve is used up.
 */
export class RetryBudget {
  private tokens: number
  private readonly full: number
  private readonly gain: number

  constructor(ratio: number, reserve: number) {
    this.gain = Math.round(ratio * whole)
    this.full = reserve * whole
    this.tokens = this.full
  }

  /** How many retries could follow now, if nothing succeeded. */
  get left(): number {
    return Math.floor(this.tokens / whole)
  }

  /** A call has succeeded. */
  deposit(): void {
    this.tokens = Math.min(this.full, this.tokens + this.gain)
  }

  /** Returns the token of a retry that has not begun. */
  refund(): void {
    this.tokens = Math.min(this.full, this.tokens + whole)
  }

  /** Takes the token of one retry, if there is one. */
  withdraw(): boolean {
    if (this.tokens < whole) return false
    this.tokens -= whole
    return true
  }
}
