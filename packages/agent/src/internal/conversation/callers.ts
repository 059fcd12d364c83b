/** How many callers of this process have or want each conversation. A machine without clock and effects. */

interface Count {
  waiting: number
  open: number
}

/** The place of one caller. */
export class Place {
  state: "waiting" | "open" | "left" = "waiting"

  private readonly callers: Callers
  readonly id: string

  constructor(callers: Callers, id: string) {
    this.callers = callers
    this.id = id
  }

  /** The caller has opened the conversation. */
  open(): void {
    if (this.state === "waiting") this.move("open")
  }

  leave(): void {
    this.move("left")
  }

  private move(to: Place["state"]): void {
    this.callers.move(this, to)
    this.state = to
  }
}

export class Callers {
  private readonly counts = new Map<string, Count>()

  /** How many wait. */
  waiting(id: string): number {
    return this.counts.get(id)?.waiting ?? 0
  }

  /** A place, if one is free. Where nobody has the conversation open, the first caller asks for it at once, and does not wait. */
  join(id: string, maxWaiters: number): Place | undefined {
    const count = this.counts.get(id) ?? { waiting: 0, open: 0 }
    if (count.waiting >= maxWaiters + (count.open > 0 ? 0 : 1)) return undefined
    count.waiting++
    this.counts.set(id, count)
    return new Place(this, id)
  }

  /** Only a place calls this. */
  move({ id, state }: Place, to: Place["state"]): void {
    const count = this.counts.get(id)
    if (count === undefined || state === "left" || state === to) return
    count[state]--
    if (to !== "left") count[to]++
    if (count.waiting === 0 && count.open === 0) this.counts.delete(id)
  }
}
