import * as Duration from "effect/Duration"
import * as OptionCheck from "../../OptionCheck.ts"
import type { Filter } from "../../SessionRegistry.ts"
import type { Entry } from "./ledger.ts"

/** Ids are those of the registry that is asked; sessions around may be of others. Nothing is inside of what is closed. */
const isWithin = (entry: Entry, within: Exclude<Filter["within"], undefined>): boolean => {
  for (let at: Entry | undefined = entry; at !== undefined; at = at.parent) {
    if (!at.isOpen) continue
    if (typeof within === "number" ? at.id === within && at.ledger === entry.ledger : at === within) return true
  }
  return false
}

const fields = {
  id: true,
  ids: true,
  kind: true,
  name: true,
  within: true,
  tenant: true,
  subject: true,
  conversation: true,
  tags: true,
  olderThan: true
} as const

/** Refuses what is no filter: a field that nobody knows would be left out of account, and the rest choose too much. */
export const check = (filter: Filter): void => {
  const { ids, olderThan, tags } = OptionCheck.fields("filter", filter, fields)
  if (ids !== undefined && typeof ids?.has !== "function") throw OptionCheck.wrong("ids", ids, "a Set of ids")
  if (olderThan !== undefined) OptionCheck.duration("olderThan", olderThan)
  if (tags === undefined) return
  const isSome = typeof tags === "object" && tags !== null && !Array.isArray(tags) && Object.keys(tags).length > 0
  if (!isSome) throw OptionCheck.wrong("tags", tags, "an object with a tag or more: leave it out for any")
}

/** The id before which nothing matches. A session of another registry may stand around any of this one's. */
export const earliest = ({ id, within }: Filter): number => Math.max(id ?? 0, typeof within === "number" ? within : 0)

/** Whether a filter chooses a session, at a moment of the monotonic clock. */
export const matcher = (filter: Filter, now: number) => {
  check(filter)
  const { tags } = filter
  const age = filter.olderThan === undefined
    ? Infinity
    : Duration.toMillis(OptionCheck.duration("olderThan", filter.olderThan))
  const of = (key: "tenant" | "subject" | "conversation", entry: Entry) =>
    !(key in filter) || entry.caller?.[key] === filter[key]
  return (entry: Entry): boolean =>
    (!("id" in filter) || entry.id === filter.id) &&
    (!("ids" in filter) || filter.ids?.has(entry.id) === true) &&
    (!("kind" in filter) || entry.kind === filter.kind) &&
    (!("name" in filter) || entry.name === filter.name) &&
    of("tenant", entry) && of("subject", entry) && of("conversation", entry) &&
    (!("tags" in filter) ||
      (tags !== undefined && Object.entries(tags).every(([key, value]) => entry.caller?.tags?.[key] === value))) &&
    (!("olderThan" in filter) || entry.age(now) >= age) &&
    (!("within" in filter) || (filter.within !== undefined && isWithin(entry, filter.within)))
}
