/**
 * The time limit of the callers that wait, as one timer: they have the same limit, so the first of them is due first. A caller
 * whose deadline is earlier has a timer of its own.
 */
import * as Timers from "../time/timers.ts"

/** A caller that waits. `fire` ends its wait. */
export interface Waiting {
  readonly at: number
  readonly fire: () => void
}

export class Patience implements Timers.Timer {
  at = Infinity
  slot = Timers.unset
  private readonly timers: Timers.Timers
  /** The caller that has waited longest. */
  private readonly first: () => Waiting | undefined

  constructor(timers: Timers.Timers, first: () => Waiting | undefined) {
    this.timers = timers
    this.first = first
  }

  /** A caller waits from now on. */
  began(waiting: Waiting): void {
    // While it fires, one that comes last may begin before the first one that is left.
    if (waiting.at === Infinity || (this.slot !== Timers.unset && this.at <= waiting.at)) return
    this.at = waiting.at
    this.timers.set(this)
  }

  /** A caller waits no longer. The timer stays as it is while others wait: it may wake once too early. */
  ended(): void {
    if (this.slot !== Timers.unset && this.first() === undefined) this.timers.clear(this)
  }

  fire(): void {
    const { now } = this.timers
    let waiting = this.first()
    for (; waiting !== undefined && waiting.at <= now; waiting = this.first()) waiting.fire()
    if (waiting !== undefined) this.began(waiting)
  }
}
