export interface Timer {
  /** Virtual milliseconds. */
  readonly at: number
  readonly order: number
  readonly fire: () => void
  isCancelled: boolean
}

const isEarlier = (one: Timer, other: Timer) => one.at < other.at || (one.at === other.at && one.order < other.order)

/** Timers by due time, in a binary heap. A cancelled timer is dropped when its turn comes. */
export class Timers {
  private readonly heap: Array<Timer> = []
  private added = 0

  add(at: number, fire: () => void): Timer {
    const timer: Timer = { at, order: this.added++, fire, isCancelled: false }
    const { heap } = this
    let i = heap.push(timer) - 1
    for (;;) {
      const up = (i - 1) >> 1
      const parent = heap[up]
      if (parent === undefined || isEarlier(parent, timer)) break
      heap[i] = parent
      i = up
    }
    heap[i] = timer
    return timer
  }

  /** Removes and returns all timers of the earliest moment. */
  takeNext(): ReadonlyArray<Timer> {
    const taken: Array<Timer> = []
    for (let first = this.heap[0]; first !== undefined; first = this.heap[0]) {
      if (!first.isCancelled && taken[0] !== undefined && first.at > taken[0].at) break
      this.removeFirst()
      if (!first.isCancelled) taken.push(first)
    }
    return taken
  }

  /** Removes and returns all timers up to a moment, in their order. */
  takeUntil(moment: number): ReadonlyArray<Timer> {
    const taken: Array<Timer> = []
    for (let first = this.heap[0]; first !== undefined && first.at <= moment; first = this.heap[0]) {
      this.removeFirst()
      if (!first.isCancelled) taken.push(first)
    }
    return taken
  }

  private removeFirst(): void {
    const { heap } = this
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let i = 0
    for (;;) {
      let down = 2 * i + 1
      let child = heap[down]
      const right = heap[down + 1]
      if (child !== undefined && right !== undefined && isEarlier(right, child)) {
        down++
        child = right
      }
      if (child === undefined || isEarlier(last, child)) break
      heap[i] = child
      i = down
    }
    heap[i] = last
  }
}
