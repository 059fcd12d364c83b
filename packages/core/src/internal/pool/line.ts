/** The callers that wait, in the order in which they came: a state machine without clock or effect. Each step is O(1). */

/** What a waiter carries for its line. Only the line writes it. */
export interface Linked<W> {
  isWaiting: boolean
  before: W | undefined
  after: W | undefined
}

export class Line<W extends Linked<W>> {
  private first: W | undefined = undefined
  private last: W | undefined = undefined
  private length = 0

  get size(): number {
    return this.length
  }

  /** The waiter that came first. */
  get head(): W | undefined {
    return this.first
  }

  push(waiter: W): void {
    waiter.isWaiting = true
    waiter.before = this.last
    if (this.last === undefined) this.first = waiter
    else this.last.after = waiter
    this.last = waiter
    this.length++
  }

  /** Returns false if the waiter is not in the line: then nothing changes. */
  remove(waiter: W): boolean {
    if (!waiter.isWaiting) return false
    const { after, before } = waiter
    if (before === undefined) this.first = after
    else before.after = after
    if (after === undefined) this.last = before
    else after.before = before
    waiter.isWaiting = false
    waiter.before = undefined
    waiter.after = undefined
    this.length--
    return true
  }

  /** Removes the waiter that came first. */
  shift(): W | undefined {
    const waiter = this.first
    if (waiter !== undefined) this.remove(waiter)
    return waiter
  }
}
