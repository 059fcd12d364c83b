/**
 * The open sessions of one registry, in the order in which they were opened: a state machine without clock or effect.
 *
 * A child is opened while its parent is open, so a parent always stands before its children, and walking backwards is a
 * valid order of release. The order is also that of the ids, so a session is found by binary search.
 */
import type * as Tracer from "effect/Tracer"
import { other } from "../metrics/model.ts"
import type { Caller, Info } from "./model.ts"
import { type Count, type Names, nearestOpen, type Releasing, SessionRecord, type Tally } from "./record.ts"
import { Tenants } from "./tenants.ts"

/** So many kinds are counted apart. A kind is a word of the program; one that is made up for each session is not. */
const maxKinds = 64

const bare = (tally: Count, kind: string, name: string): Names => {
  const { names } = tally
  if (names !== undefined && names.name === name && names.kind === kind) return names
  return tally.names = { kind, name, attributes: undefined, releaseRetry: undefined }
}

/** Below so many closed sessions, compaction is not worth the walk. */
const spare = 16

export class Ledger {
  private length = 0
  private total = 0
  /** The open sessions, and the ids of closed ones that stood between them. */
  private readonly slots: Array<SessionRecord | number> = []
  /** How many sessions each tenant has open. */
  readonly tenants = new Tenants()
  private readonly tallies = new Map<string, Count>()
  private readonly onTally = new Set<(tally: Tally) => void>()

  /** How many are open. */
  get size(): number {
    return this.length
  }

  /** How many were ever opened. */
  get opened(): number {
    return this.total
  }

  /** Calls `listener` with each kind's tally: those there are, then each new one. Returns how to stop. */
  watchTallies(listener: (tally: Tally) => void): () => void {
    for (const tally of this.tallies.values()) listener(tally)
    this.onTally.add(listener)
    return () => void this.onTally.delete(listener)
  }

  private tallyOf(kind: string): Count {
    const known = this.tallies.get(kind)
    if (known !== undefined) return known
    if (this.tallies.size >= maxKinds && kind !== other) return this.tallyOf(other)
    const tally: Count = { kind, opened: 0, closed: 0, names: undefined }
    this.tallies.set(kind, tally)
    for (const listener of this.onTally) listener(tally)
    return tally
  }

  /** When the oldest of a tally's open sessions was opened. */
  oldest(tally: Tally): number | undefined {
    if (tally.opened === tally.closed) return undefined
    for (const slot of this.slots) if (typeof slot === "object" && slot.tally === tally) return slot.openedAt
    return undefined
  }

  open(
    info: Info,
    parent: SessionRecord | undefined,
    release: Releasing | undefined,
    caller: Caller | undefined,
    fiberId: number,
    span: Tracer.AnySpan | undefined,
    openedAt: number,
    site?: string
  ): SessionRecord {
    parent?.dropClosedAround()
    const { slots } = this
    // What the info's getters throw comes before anything has changed.
    const { attributes, kind, name, releaseRetry } = info
    const tally = this.tallyOf(kind)
    const entry = new SessionRecord(
      this,
      tally,
      slots.length,
      this.total + 1,
      attributes === undefined && releaseRetry === undefined
        ? bare(tally, kind, name)
        : { kind, name, attributes, releaseRetry },
      nearestOpen(parent),
      release,
      caller,
      fiberId,
      span,
      openedAt,
      site
    )
    this.total++
    tally.opened++
    slots.push(entry)
    this.length++
    const tenant = caller?.tenant
    if (tenant !== undefined) this.tenants.opened(tenant, kind)
    return entry
  }

  /** False if the session is closed already, or belongs to another ledger: then nothing changes. */
  close(record: object): boolean {
    if (!(record instanceof SessionRecord) || record.ledger !== this || !record.isOpen) return false
    const entry = record
    entry["leave"]()
    entry["count"].closed++
    const { slots } = this
    slots[entry["slot"]] = entry.id
    while (typeof slots.at(-1) === "number") slots.pop()
    if (slots.length > 2 * --this.length + spare) this.compact()
    const tenant = entry.caller?.tenant
    if (tenant !== undefined) this.tenants.closed(tenant, entry.kind)
    return true
  }

  /** The open session of this id. */
  find(id: number): SessionRecord | undefined {
    const entry = this.slots[this.position(id)]
    return typeof entry === "object" && entry.id === id ? entry : undefined
  }

  /** Walks what is open, oldest first, from the session of an id on. */
  forEach(f: (record: SessionRecord) => void, from = 0): void {
    const { slots } = this
    for (let at = from === 0 ? 0 : this.position(from); at < slots.length; at++) {
      const entry = slots[at]
      if (typeof entry === "object") f(entry)
    }
  }

  /**
   * Revokes what matches, and everything inside of it: from this step on only its releases open anything in there. What
   * these have opened belongs to them, and is not revoked. Nothing older than the id `from` matches. Returns all of it,
   * parents before children, including what was revoked before and is not closed yet.
   */
  revoke(matches: (record: SessionRecord) => boolean, reason: string, from = 0): ReadonlySet<SessionRecord> {
    const taken = new Set<SessionRecord>()
    this.forEach((entry) => {
      if (entry.release?.isOfAny(taken) === true) return
      if (!this.isInside(taken, entry) && !matches(entry)) return
      taken.add(entry)
      entry["revoke"](reason)
    }, from)
    return taken
  }

  /** Looks only at the nearest open session around of this ledger: that was decided before, with all around it. */
  private isInside(taken: ReadonlySet<SessionRecord>, record: SessionRecord): boolean {
    let at = record.parent
    while (at !== undefined && (at.ledger !== this || !at.isOpen)) at = at.parent
    return at !== undefined && taken.has(at)
  }

  /** Where the session of this id stands or stood, or the first after it. */
  private position(id: number): number {
    const { slots } = this
    let low = 0
    let high = slots.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const slot = slots[middle]
      if ((typeof slot === "object" ? slot.id : slot ?? 0) < id) low = middle + 1
      else high = middle
    }
    return low
  }

  private compact(): void {
    const { slots } = this
    let to = 0
    for (const slot of slots) {
      if (typeof slot === "number") continue
      slot["slot"] = to
      slots[to++] = slot
    }
    slots.length = to
  }
}
