/**
 * The open sessions of one registry, in the order in which they were opened.
 *
 * An intrusive list: opening and closing touch two neighbours and allocate one entry. A child is opened while its
 * parent is open, so a parent always stands before its children, and walking backwards is a valid order of release.
 */
import type * as Tracer from "effect/Tracer"
import type { Info, Session } from "../Session.ts"

export class Entry implements Session {
  readonly id: number
  readonly kind: string
  readonly name: string
  readonly attributes: Readonly<Record<string, unknown>> | undefined
  readonly parent: Session | undefined
  readonly fiberId: number
  readonly span: Tracer.AnySpan | undefined
  readonly openedAt: number
  previous: Entry | undefined = undefined
  next: Entry | undefined = undefined
  /** The ledger that it stands in, for as long as it is open. */
  ledger: Ledger | undefined

  constructor(
    ledger: Ledger,
    id: number,
    info: Info,
    parent: Session | undefined,
    fiberId: number,
    span: Tracer.AnySpan | undefined,
    openedAt: number
  ) {
    this.ledger = ledger
    this.id = id
    this.kind = info.kind
    this.name = info.name
    this.attributes = info.attributes
    this.parent = parent
    this.fiberId = fiberId
    this.span = span
    this.openedAt = openedAt
  }

  get isOpen(): boolean {
    return this.ledger !== undefined
  }
}

export class Ledger {
  first: Entry | undefined = undefined
  last: Entry | undefined = undefined
  size = 0
  opened = 0

  open(
    info: Info,
    parent: Session | undefined,
    fiberId: number,
    span: Tracer.AnySpan | undefined,
    now: number
  ): Entry {
    const entry = new Entry(this, ++this.opened, info, parent, fiberId, span, now)
    entry.previous = this.last
    if (this.last === undefined) this.first = entry
    else this.last.next = entry
    this.last = entry
    this.size++
    return entry
  }

  /** False where the entry is closed already, or stands in another ledger: then nothing changes. */
  close(entry: Entry): boolean {
    if (entry.ledger !== this) return false
    entry.ledger = undefined
    if (entry.previous === undefined) this.first = entry.next
    else entry.previous.next = entry.next
    if (entry.next === undefined) this.last = entry.previous
    else entry.next.previous = entry.previous
    entry.previous = undefined
    entry.next = undefined
    this.size--
    return true
  }
}
