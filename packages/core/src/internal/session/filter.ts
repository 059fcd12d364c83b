/** Which sessions a filter selects. */
import * as Duration from "effect/Duration"
import * as OptionCheck from "../../OptionCheck.ts"
import type { Filter } from "./model.ts"
import type { SessionRecord } from "./record.ts"

/** Ids are of the filtered registry; sessions around may be of others. Nothing is inside of a closed session. */
const isWithin = (record: SessionRecord, within: Exclude<Filter["within"], undefined>): boolean => {
  for (let at: SessionRecord | undefined = record; at !== undefined; at = at.parent) {
    if (!at.isOpen) continue
    if (typeof within === "number" ? at.id === within && at.ledger === record.ledger : at === within) return true
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

/** Throws for a wrong filter: if an unknown field were ignored, the rest would select too much. */
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

/** Whether a filter selects a session, at a moment of the monotonic clock. */
export const matcher = (filter: Filter, now: number) => {
  check(filter)
  const { tags } = filter
  const age = filter.olderThan === undefined
    ? Infinity
    : Duration.toMillis(OptionCheck.duration("olderThan", filter.olderThan))
  const of = (key: "tenant" | "subject" | "conversation", record: SessionRecord) =>
    !(key in filter) || record.caller?.[key] === filter[key]
  return (record: SessionRecord): boolean =>
    (!("id" in filter) || record.id === filter.id) &&
    (!("ids" in filter) || filter.ids?.has(record.id) === true) &&
    (!("kind" in filter) || record.kind === filter.kind) &&
    (!("name" in filter) || record.name === filter.name) &&
    of("tenant", record) && of("subject", record) && of("conversation", record) &&
    (!("tags" in filter) ||
      (tags !== undefined && Object.entries(tags).every(([key, value]) => record.caller?.tags?.[key] === value))) &&
    (!("olderThan" in filter) || record.age(now) >= age) &&
    (!("within" in filter) || (filter.within !== undefined && isWithin(record, filter.within)))
}
