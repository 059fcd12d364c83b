/** An open item of a pool, and its loan. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Kernel } from "../session/kernel.ts"
import type { Holding, SessionRecord } from "../session/record.ts"
import type { Entry } from "./entry.ts"

/** What takes an item back. */
export interface Lender {
  /** Closes the session of the loan as well, if its kernel is given. */
  readonly giveBack: (item: Item<unknown>, kernel: Kernel | undefined) => void
}

/** The return needs nothing of its caller's context, so that a loan does not keep it. */
const services = Context.empty()

/** The session of its borrower holds it, so a loan needs no object of its own. */
export class Item<out A> implements Holding {
  readonly resource: A
  /** Its session, which the pool holds from the connect to the close. */
  readonly record: SessionRecord
  readonly lender: Lender
  readonly entry: Entry<Item<unknown>>
  /** The session of its borrower. */
  loan: SessionRecord | undefined = undefined

  constructor(resource: A, record: SessionRecord, lender: Lender, entry: Entry<Item<unknown>>) {
    this.resource = resource
    this.record = record
    this.lender = lender
    this.entry = entry
  }

  get value(): Item<A> {
    return this
  }

  get services(): Holding["services"] {
    return services
  }

  /** Called without the object that it is of, as each release is. */
  release(item: unknown): Effect.Effect<void> {
    const { lender } = item as Item<unknown>
    lender.giveBack(item as Item<unknown>, undefined)
    return Effect.void
  }
}

/** The items of a lender that are held around a session, or by it. */
export const loansAround = (record: SessionRecord | undefined, lender: Lender): ReadonlyArray<Item<unknown>> => {
  const items: Array<Item<unknown>> = []
  for (let at = record; at !== undefined; at = at.parent) {
    const held = at.held?.value
    if (held instanceof Item && held.lender === lender) items.push(held)
  }
  return items
}

/** The items of a lender that the caller of a session holds itself: those around it, and those of `get` on its fiber. */
export const loansOf = (
  { fiberId, parent }: SessionRecord,
  lender: Lender,
  entries: Iterable<Entry<Item<unknown>>>
): ReadonlySet<Item<unknown>> => {
  const items = new Set(loansAround(parent, lender))
  for (const { resource } of entries) if (resource?.loan?.fiberId === fiberId) items.add(resource)
  return items
}
