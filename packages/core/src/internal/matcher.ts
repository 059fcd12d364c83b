import * as Duration from "effect/Duration"
import type { Session } from "../Session.ts"
import type { Filter } from "../SessionRegistry.ts"

const isWithin = (entry: Session, id: number): boolean => {
  for (let at: Session | undefined = entry; at !== undefined; at = at.parent) if (at.id === id) return true
  return false
}

/** Whether a filter chooses a session, at a moment of the monotonic clock. */
export const matcher = (filter: Filter, now: number) => {
  const { tags } = filter
  const openedBy = filter.olderThan === undefined
    ? -Infinity
    : now - Duration.toMillis(Duration.fromInputUnsafe(filter.olderThan))
  const of = (key: "tenant" | "subject" | "conversation", entry: Session) =>
    !(key in filter) || entry.caller?.[key] === filter[key]
  return (entry: Session): boolean =>
    (!("id" in filter) || entry.id === filter.id) &&
    (!("kind" in filter) || entry.kind === filter.kind) &&
    (!("name" in filter) || entry.name === filter.name) &&
    of("tenant", entry) && of("subject", entry) && of("conversation", entry) &&
    (!("tags" in filter) ||
      (tags !== undefined && Object.entries(tags).every(([key, value]) => entry.caller?.tags?.[key] === value))) &&
    (!("olderThan" in filter) || entry.openedAt <= openedBy) &&
    (!("within" in filter) || (filter.within !== undefined && isWithin(entry, filter.within)))
}
