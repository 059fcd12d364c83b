/** Which places of a pool are taken, and in which state each is: a state machine without clock or effect. */
import { Entry, type Reason, type State } from "./entry.ts"

/** In these states the shell works on an entry. */
const isUnderWay = (state: State): boolean => state === "opening" || state === "validating" || state === "resetting"

export class Census<R> {
  private readonly all = new Set<Entry<R>>()
  private readonly counts: Record<Exclude<State, "closed">, number> = {
    opening: 0,
    idle: 0,
    busy: 0,
    validating: 0,
    resetting: 0,
    closing: 0
  }
  private onTheWay = 0

  get size(): number {
    return this.all.size
  }

  get entries(): Iterable<Entry<R>> {
    return this.all
  }

  /** How many items are on their way to a waiter: the shell works on them, and they are not to end. */
  get coming(): number {
    return this.onTheWay
  }

  /** How many places hold an item, or will, and not one that is closing. */
  get lasting(): number {
    return this.all.size - this.counts.closing
  }

  count(state: Exclude<State, "closed">): number {
    return this.counts[state]
  }

  has(entry: Entry<R>): boolean {
    return this.all.has(entry)
  }

  /** Takes a place for an item that is to be opened. */
  add(): Entry<R> {
    const entry = new Entry<R>()
    this.all.add(entry)
    this.counts.opening++
    this.onTheWay++
    return entry
  }

  move(entry: Entry<R>, state: Exclude<State, "closed">): void {
    this.leave(entry)
    this.counts[state]++
    entry.state = state
    if (entry.ending === undefined && isUnderWay(state)) this.onTheWay++
  }

  /** The same for an idle item that is lent, which is most frequent. */
  lend(entry: Entry<R>): void {
    if (entry.state !== "idle") return this.move(entry, "busy")
    this.counts.idle--
    this.counts.busy++
    entry.state = "busy"
  }

  /** The same for a lent item that is returned. */
  rest(entry: Entry<R>): void {
    if (entry.state !== "busy") return this.move(entry, "idle")
    this.counts.busy--
    this.counts.idle++
    entry.state = "idle"
  }

  /** Frees a place. */
  remove(entry: Entry<R>): void {
    this.leave(entry)
    entry.state = "closed"
    entry.resource = undefined
    this.all.delete(entry)
  }

  /** Decides that an item ends. The first reason stays. */
  mark(entry: Entry<R>, reason: Reason): void {
    if (entry.ending !== undefined) return
    if (isUnderWay(entry.state)) this.onTheWay--
    entry.ending = reason
  }

  private leave({ ending, state }: Entry<R>): void {
    if (state === "closed") return
    this.counts[state]--
    if (ending === undefined && isUnderWay(state)) this.onTheWay--
  }
}
