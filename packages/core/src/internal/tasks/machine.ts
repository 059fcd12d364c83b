/**
 * The order of tasks: up to `concurrency` run, up to `capacity` wait, first come, first served. A state machine without clock
 * or effect.
 *
 * Guarantees: a place that comes free goes to the next waiting task in the same step, so no other task can take it.
 */

export interface Place<out T> {
  readonly occupant: T
  readonly state: "waiting" | "running" | "left"
}

class Seat<out T> implements Place<T> {
  readonly occupant: T
  state: Place<T>["state"] = "waiting"

  constructor(occupant: T) {
    this.occupant = occupant
  }
}

export class Roster<T> {
  readonly concurrency: number
  readonly capacity: number
  private isClosed = false
  private running = 0
  private readonly present = new Set<Seat<T>>()

  constructor(concurrency: number, capacity: number) {
    this.concurrency = concurrency
    this.capacity = capacity
  }

  /** The tasks that run, and those that wait. */
  get all(): ReadonlyArray<T> {
    return Array.from(this.present, ({ occupant }) => occupant)
  }

  /** From now on no task enters. */
  close(): void {
    this.isClosed = true
  }

  enter(occupant: T): Place<T> | "full" | "closed" {
    if (this.isClosed) return "closed"
    const isFree = this.running < this.concurrency
    if (!isFree && this.present.size - this.running >= this.capacity) return "full"
    const seat = new Seat(occupant)
    this.present.add(seat)
    if (isFree) this.run(seat)
    return seat
  }

  /** Returns the task that runs now instead, if there is one. A second call changes nothing. */
  leave(place: Place<T>): T | undefined {
    const seat = place as Seat<T>
    if (!this.present.delete(seat)) return undefined
    const hasRun = seat.state === "running"
    seat.state = "left"
    if (!hasRun) return undefined
    this.running--
    for (const next of this.present) {
      if (next.state !== "waiting") continue
      this.run(next)
      return next.occupant
    }
    return undefined
  }

  private run(seat: Seat<T>) {
    seat.state = "running"
    this.running++
  }
}
