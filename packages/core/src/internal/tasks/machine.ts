/**
 * Whose turn it is: so many run at a time, so many may wait, in the order in which they came. A state machine without
 * clock or effect.
 *
 * A place that comes free is handed to the next who waits in the same step, so nobody can take it in between.
 */

export class Place<out T> {
  readonly occupant: T
  state: "waiting" | "running" | "left" = "waiting"

  constructor(occupant: T) {
    this.occupant = occupant
  }
}

export class Roster<T> {
  readonly concurrency: number
  readonly capacity: number
  isClosed = false
  private running = 0
  private readonly present = new Set<Place<T>>()

  constructor(concurrency: number, capacity: number) {
    this.concurrency = concurrency
    this.capacity = capacity
  }

  /** Those who run, and those who wait. */
  get all(): ReadonlyArray<T> {
    return Array.from(this.present, ({ occupant }) => occupant)
  }

  enter(occupant: T): Place<T> | "full" | "closed" {
    if (this.isClosed) return "closed"
    const isFree = this.running < this.concurrency
    if (!isFree && this.present.size - this.running >= this.capacity) return "full"
    const place = new Place(occupant)
    this.present.add(place)
    if (isFree) this.run(place)
    return place
  }

  /** Answers with who runs now instead, if anyone does. A second time changes nothing. */
  leave(place: Place<T>): T | undefined {
    if (!this.present.delete(place)) return undefined
    const hasRun = place.state === "running"
    place.state = "left"
    if (!hasRun) return undefined
    this.running--
    for (const next of this.present) {
      if (next.state !== "waiting") continue
      this.run(next)
      return next.occupant
    }
    return undefined
  }

  private run(place: Place<T>) {
    place.state = "running"
    this.running++
  }
}
