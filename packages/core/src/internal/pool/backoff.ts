/** When the next connect may begin after some have failed: a state machine without clock or effect. */
export class Backoff {
  private readonly first: number
  private readonly most: number
  /** How many have failed in a row, up to the longest pause. */
  private failures = 0
  private until = -Infinity

  constructor(first: number, most: number) {
    this.first = first
    this.most = most
  }

  get isFailing(): boolean {
    return this.failures > 0
  }

  /** No connect begins before this moment. */
  get endsAt(): number {
    return this.until
  }

  /**
   * Each pause is twice as long as the one before, less up to a half at random. Connects that began together also fail together:
   * a failure in a pause is taken for one of those, and does not make it longer.
   */
  failed(now: number, spread: number): void {
    if (now < this.until) return
    const pause = Math.min(this.most, this.first * 2 ** this.failures)
    if (pause < this.most || this.failures === 0) this.failures++
    this.until = now + pause * (1 - spread / 2)
  }

  /** Nothing tells any more that connecting fails. */
  end(): void {
    this.failures = 0
    this.until = -Infinity
  }
}
