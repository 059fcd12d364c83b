/** A binary heap of timers, the earliest on top: a state machine without clock or effect. Each step is O(log n). */

export interface Timed {
  /** When the timer fires, in monotonic milliseconds. A change takes effect when the timer is set again. */
  readonly at: number
  /** Where the timer is in its heap. Only the heap writes it. Start with `unset`. */
  slot: number
}

export const unset = -1

export class TimerHeap<T extends Timed> {
  // Not a Set: V8 moves the table of one that lives long to the old generation, and with it all that passes through it.
  private readonly timers: Array<T> = []
  /** When each of them fires, and a number that grows from one `set` to the next. */
  private readonly moments: Array<number> = []
  private readonly orders: Array<number> = []
  private lastOrder = 0

  get size(): number {
    return this.timers.length
  }

  /** When the earliest timer fires. Infinity where there is none. */
  get earliest(): number {
    return this.moments[0] ?? Infinity
  }

  has(timer: T): boolean {
    // Not read where it is unset: the index -1 is slow.
    return timer.slot >= 0 && this.timers[timer.slot] === timer
  }

  /** Adds a timer, or moves it if the heap has it. */
  set(timer: T): void {
    this.remove(timer)
    const slot = this.timers.length
    this.timers.push(timer)
    this.moments.push(timer.at)
    this.orders.push(++this.lastOrder)
    this.raise(slot, timer, timer.at, this.lastOrder)
  }

  /** Returns false where the heap does not have the timer. */
  remove(timer: T): boolean {
    if (!this.has(timer)) return false
    const { slot } = timer
    const { moments, orders, timers } = this
    const last = timers.pop() as T
    const at = moments.pop() as number
    const order = orders.pop() as number
    timer.slot = unset
    if (last === timer) return true
    const parent = (slot - 1) >> 1
    if (slot > 0 && at < (moments[parent] as number)) this.raise(slot, last, at, order)
    else this.lower(slot, last, at, order)
    return true
  }

  /** The timers that fire at or before a moment, in the order in which they were set. They stay in the heap. */
  due(now: number): ReadonlyArray<T> {
    const slots: Array<number> = []
    if (this.earliest <= now) slots.push(0)
    for (let index = 0; index < slots.length; index++) {
      const first = 2 * (slots[index] as number) + 1
      for (const slot of [first, first + 1]) if ((this.moments[slot] ?? Infinity) <= now) slots.push(slot)
    }
    return slots
      .toSorted((one, other) => (this.orders[one] as number) - (this.orders[other] as number))
      .map((slot) => this.timers[slot] as T)
  }

  /** Puts a timer at a free slot, or above it. */
  private raise(slot: number, timer: T, at: number, order: number): void {
    let free = slot
    while (free > 0) {
      const parent = (free - 1) >> 1
      if ((this.moments[parent] as number) <= at) break
      this.move(parent, free)
      free = parent
    }
    this.put(free, timer, at, order)
  }

  /** Puts a timer at a free slot, or below it. */
  private lower(slot: number, timer: T, at: number, order: number): void {
    const { moments } = this
    let free = slot
    for (;;) {
      let child = 2 * free + 1
      if (child >= moments.length) break
      if (child + 1 < moments.length && (moments[child + 1] as number) < (moments[child] as number)) child++
      if ((moments[child] as number) >= at) break
      this.move(child, free)
      free = child
    }
    this.put(free, timer, at, order)
  }

  private move(from: number, to: number): void {
    this.put(to, this.timers[from] as T, this.moments[from] as number, this.orders[from] as number)
  }

  private put(slot: number, timer: T, at: number, order: number): void {
    this.timers[slot] = timer
    this.moments[slot] = at
    this.orders[slot] = order
    timer.slot = slot
  }
}
