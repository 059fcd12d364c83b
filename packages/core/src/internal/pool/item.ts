/** An open item of a pool, and its loans. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Kernel } from "../session/kernel.ts"
import type { Holding, SessionRecord } from "../session/record.ts"
import type { Entry } from "./entry.ts"

export class Item<out A> {
  readonly value: A
  /** Its session, which the pool holds from the connect to the close. */
  readonly record: SessionRecord
  readonly kernel: Kernel
  /** Who has borrowed it. */
  loan: Loan | undefined = undefined

  constructor(value: A, record: SessionRecord, kernel: Kernel) {
    this.value = value
    this.record = record
    this.kernel = kernel
  }
}

/** What takes an item back. */
export interface Lender {
  readonly giveBack: (loan: Loan) => void
}

/** The return needs nothing of its caller's context, so that a loan does not keep it. */
const services = Context.empty()

/** What the session of a borrower holds. */
export class Loan implements Holding {
  readonly value: Loan = this
  readonly services = services
  readonly lender: Lender
  readonly entry: Entry<Item<unknown>>
  readonly record: SessionRecord
  readonly kernel: Kernel

  constructor(lender: Lender, entry: Entry<Item<unknown>>, record: SessionRecord, kernel: Kernel) {
    this.lender = lender
    this.entry = entry
    this.record = record
    this.kernel = kernel
  }

  release(loan: unknown): Effect.Effect<void> {
    const { lender } = loan as Loan
    lender.giveBack(loan as Loan)
    return Effect.void
  }
}

/** The loans of a lender that are held around a session, or by it. */
export const loansAround = (record: SessionRecord | undefined, lender: Lender): ReadonlyArray<Loan> => {
  const loans: Array<Loan> = []
  for (let at = record; at !== undefined; at = at.parent) {
    const held = at.held?.value
    if (held instanceof Loan && held.lender === lender) loans.push(held)
  }
  return loans
}

/** The loans of a lender that the caller of a session holds itself: those around it, and those of `get` on its fiber. */
export const loansOf = (
  { fiberId, parent }: SessionRecord,
  lender: Lender,
  entries: Iterable<Entry<Item<unknown>>>
): ReadonlySet<Loan> => {
  const loans = new Set(loansAround(parent, lender))
  for (const { resource } of entries) if (resource?.loan?.record.fiberId === fiberId) loans.add(resource.loan)
  return loans
}
