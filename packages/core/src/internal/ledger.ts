/**
 * The open sessions of one registry, in the order in which they were opened: a state machine without clock or effect.
 *
 * An intrusive list: opening and closing touch two neighbours and allocate one entry. A child is opened while its
 * parent is open, so a parent always stands before its children, and walking backwards is a valid order of release.
 */
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Tracer from "effect/Tracer"
import type { Caller } from "../Caller.ts"
import { other } from "../Instrument.ts"
import type { Info, Session } from "../Session.ts"
import type { SessionRevoked } from "../SessionError.ts"

/** What was opened and closed of one kind. */
export interface Tally {
  readonly kind: string
  opened: number
  closed: number
}

/** So many kinds are counted apart. A kind is a word of the program; one that is made up for each session is not. */
const maxKinds = 64

export class Entry implements Session {
  readonly id: number
  readonly kind: string
  readonly name: string
  readonly attributes: Readonly<Record<string, unknown>> | undefined
  parent: Session | undefined
  readonly caller: Caller | undefined
  readonly fiberId: number
  readonly span: Tracer.AnySpan | undefined
  readonly openedAt: number
  state: Session["state"] = "acquiring"
  /** Where it was opened, for those whose turn it was to be sampled. */
  site: Error | undefined = undefined
  /** Whether nobody is left who could release it. */
  isAbandoned = false
  revoked: SessionRevoked | undefined = undefined
  /** Those who must let go of it once it is revoked. */
  onRevoked: Array<() => void> | undefined = undefined
  /** Gives back what it holds, once it holds something. */
  release: ((exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown>) | undefined = undefined
  onClosed: Array<() => void> | undefined = undefined
  previous: Entry | undefined = undefined
  next: Entry | undefined = undefined
  /** The ledger that it stands in, for as long as it is open. */
  ledger: Ledger | undefined
  readonly tally: Tally

  constructor(
    ledger: Ledger,
    tally: Tally,
    id: number,
    info: Info,
    parent: Session | undefined,
    caller: Caller | undefined,
    fiberId: number,
    span: Tracer.AnySpan | undefined,
    openedAt: number
  ) {
    this.ledger = ledger
    this.tally = tally
    this.id = id
    this.kind = info.kind
    this.name = info.name
    this.attributes = info.attributes
    this.parent = parent
    this.caller = caller
    this.fiberId = fiberId
    this.span = span
    this.openedAt = openedAt
  }

  get isOpen(): boolean {
    return this.ledger !== undefined
  }
}

const hasAncestorIn = (sessions: ReadonlySet<Session>, entry: Entry): boolean => {
  for (let at = entry.parent; at !== undefined; at = at.parent) if (sessions.has(at)) return true
  return false
}

/** The nearest session around that still means something: one that is open, or that was revoked. */
const alive = (session: Session | undefined): Session | undefined => {
  let at = session
  while (at !== undefined && !at.isOpen && at.revoked === undefined) at = at.parent
  return at
}

/** Why nothing may be opened inside of a session, if nothing may. */
export const revokedAround = (session: Session | undefined): SessionRevoked | undefined => {
  for (let at = session; at !== undefined; at = at.parent) if (at.revoked !== undefined) return at.revoked
  return undefined
}

export class Ledger {
  first: Entry | undefined = undefined
  last: Entry | undefined = undefined
  size = 0
  opened = 0
  private readonly byTenant = new Map<string, number>()
  private readonly tallies = new Map<string, Tally>()
  private readonly onTally = new Set<(tally: Tally) => void>()

  /** Tells of each kind that there is, now and from now on. Answers how to stop. */
  watchTallies(listener: (tally: Tally) => void): () => void {
    for (const tally of this.tallies.values()) listener(tally)
    this.onTally.add(listener)
    return () => void this.onTally.delete(listener)
  }

  private tallyOf(kind: string): Tally {
    const known = this.tallies.get(kind)
    if (known !== undefined) return known
    if (this.tallies.size >= maxKinds && kind !== other) return this.tallyOf(other)
    const tally = { kind, opened: 0, closed: 0 }
    this.tallies.set(kind, tally)
    for (const listener of this.onTally) listener(tally)
    return tally
  }

  /** When the oldest of a tally's open sessions was opened. */
  oldest(tally: Tally): number | undefined {
    if (tally.opened === tally.closed) return undefined
    let entry = this.first
    while (entry !== undefined && entry.tally !== tally) entry = entry.next
    return entry?.openedAt
  }

  /** How many sessions a tenant has open. */
  tenantSize(tenant: string): number {
    return this.byTenant.get(tenant) ?? 0
  }

  open(
    info: Info,
    parent: Session | undefined,
    caller: Caller | undefined,
    fiberId: number,
    span: Tracer.AnySpan | undefined,
    now: number
  ): Entry {
    // Ancestors that are closed are let go of, or a job that starts its successor would keep all before it.
    if (parent instanceof Entry) parent.parent = alive(parent.parent)
    const tally = this.tallyOf(info.kind)
    tally.opened++
    const entry = new Entry(this, tally, ++this.opened, info, alive(parent), caller, fiberId, span, now)
    entry.previous = this.last
    if (this.last === undefined) this.first = entry
    else this.last.next = entry
    this.last = entry
    this.size++
    const tenant = caller?.tenant
    if (tenant !== undefined) this.byTenant.set(tenant, this.tenantSize(tenant) + 1)
    return entry
  }

  /** False where the entry is closed already, or stands in another ledger: then nothing changes. */
  close(entry: Entry): boolean {
    if (entry.ledger !== this) return false
    entry.ledger = undefined
    entry.state = "closed"
    if (entry.previous === undefined) this.first = entry.next
    else entry.previous.next = entry.next
    if (entry.next === undefined) this.last = entry.previous
    else entry.next.previous = entry.previous
    entry.previous = undefined
    entry.next = undefined
    entry.release = undefined
    entry.onRevoked = undefined
    this.size--
    entry.tally.closed++
    const tenant = entry.caller?.tenant
    if (tenant !== undefined) {
      const left = this.tenantSize(tenant) - 1
      if (left === 0) this.byTenant.delete(tenant)
      else this.byTenant.set(tenant, left)
    }
    return true
  }

  /**
   * Marks what matches, and everything inside of it, as revoked: from this step on nothing new is opened in there.
   * Answers with all of it, parents before children, also with what was revoked before and is not closed yet.
   */
  revoke(matches: (entry: Entry) => boolean, because: (entry: Entry) => SessionRevoked): ReadonlyArray<Entry> {
    const taken = new Set<Session>()
    const entries: Array<Entry> = []
    for (let entry = this.first; entry !== undefined; entry = entry.next) {
      if (!hasAncestorIn(taken, entry) && !matches(entry)) continue
      taken.add(entry)
      entries.push(entry)
      entry.revoked ??= because(entry)
    }
    return entries
  }
}
