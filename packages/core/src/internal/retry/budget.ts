/** Counted in thousandths, so that ten tenths are one. */
const whole = 1000

/**
 * A bucket of tokens, without clock or effect. A retry takes one, a success puts a part of one back, and no more than the
 * reserve is ever in it. So at any moment retries ≤ reserve + ratio × successes, and once everything fails they end with
 * the reserve.
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

  /** A retry that was taken has not begun. */
  refund(): void {
    this.tokens = Math.min(this.full, this.tokens + whole)
  }

  /** Takes one retry, if there is one. */
  withdraw(): boolean {
    if (this.tokens < whole) return false
    this.tokens -= whole
    return true
  }
}
