/** What a registry shows of a record. */
import * as Duration from "effect/Duration"
import * as Time from "../time/format.ts"
import type { Snapshot } from "./model.ts"
import type { SessionRecord } from "./record.ts"
import { redact } from "./redact.ts"
import * as Site from "./site.ts"

const none: Snapshot["attributes"] = {}

/** The record at a moment of the monotonic clock, in milliseconds. */
export const snapshot = (record: SessionRecord, now: number): Snapshot => ({
  id: record.id,
  kind: record.kind,
  name: record.name,
  state: record.state,
  parent: record.parentId,
  owner: {
    fiber: record.fiberId,
    span: record.span,
    caller: record.caller,
    site: record.site === undefined ? undefined : Site.format(record.site)
  },
  age: Duration.millis(record.age(now)),
  attributes: record.attributes === undefined ? none : redact(record.attributes)
})

/** The snapshot for a log: a logger would print its age as nanoseconds. */
export const logged = (session: Snapshot) => ({ ...session, age: Time.format(session.age) })
