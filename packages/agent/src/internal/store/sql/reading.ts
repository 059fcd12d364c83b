/** What is read of conversations: each by one statement, so that it is of one moment. */
import * as Effect from "effect/Effect"
import { present } from "../machine.ts"
import type { Expiry, Head, LoadOptions, Page, ScanOptions } from "../model.ts"
import { loadedFrom, loadedOf, removedOf, type Stored } from "../stored.ts"
import { headIn, never, operationsIn, type Row, stateOf } from "./rows.ts"
import type { Tables } from "./tables.ts"

interface Whole extends Row {
  readonly entries: unknown
}

/** The conversation with the entries after a position: after its view, if none is given. */
const read = (tables: Tables, conversation: string, from: number | undefined) =>
  Effect.gen(function*() {
    const { dialect, entries, sql } = tables
    const after = from === undefined ? sql.literal("c.view_up_to") : sql`${from}`
    const texts = dialect.texts(
      sql`SELECT text FROM ${entries} AS e WHERE e.conversation = c.id AND e.number > ${after} ORDER BY e.number`
    )
    const moment = yield* dialect.moment
    const [row] = yield* sql<
      Whole
    >`SELECT c.*, ${moment} AS now, ${texts} AS entries FROM ${tables.conversations} AS c WHERE c.id = ${conversation}`
      .withoutTransform
    if (row === undefined) return undefined
    const state = present(stateOf(row), Number(row.now))
    return state === undefined ? undefined : { row, state, entries: dialect.textsIn(row.entries) }
  })

/** Counts as activity, if the conversation is there. */
const touch = (tables: Tables, conversation: string, { absolute, idle }: Expiry) =>
  Effect.gen(function*() {
    const { conversations, dialect, sql } = tables
    const moment = yield* dialect.moment
    const now = sql`CAST(${moment} AS BIGINT)`
    const touched = dialect.greatest(sql.literal("touched_at"), now)
    const whole = (value: number) => sql`${Math.ceil(value)}`
    const idles = idle === undefined ? whole(never) : sql`${touched} + ${whole(idle)}`
    const ends = absolute === undefined ? idles : dialect.least(idles, sql`created_at + ${whole(absolute)}`)
    yield* sql`UPDATE ${conversations} SET touched_at = ${touched}, idle = ${idle ?? null}, absolute = ${
      absolute ?? null
    }, ends_at = ${ends} WHERE id = ${conversation} AND log_end >= 0 AND ends_at > ${moment}`.withoutTransform
  })

export const load = Effect.fnUntraced(function*(tables: Tables, conversation: string, options: LoadOptions) {
  if (options.touch !== undefined) yield* touch(tables, conversation, options.touch)
  const found = yield* read(tables, conversation, options.from)
  if (found === undefined) return undefined
  const { entries, row, state } = found
  if (state._tag === "Removed") return removedOf(conversation, state)
  return loadedOf(conversation, state, loadedFrom(state, options.from), { entries, view: row.view_text })
})

export const whole = (tables: Tables, conversation: string) =>
  Effect.map(read(tables, conversation, 0), (found): Stored | undefined =>
    found === undefined ? undefined : {
      conversation,
      state: found.state,
      entries: found.entries,
      view: found.row.view_text,
      operations: operationsIn(found.row)
    })

/** Pages are in the order of names. A page looks at so many rows as it may have, and leaves out what does not match. */
export const scan = Effect.fnUntraced(function*(
  tables: Tables,
  { after = "", idleSince = Infinity, limit, subject }: ScanOptions
) {
  const { conversations, dialect, sql } = tables
  const moment = yield* dialect.moment
  const ofSubject = subject === undefined ? sql.literal("") : sql`subject = ${subject} AND`
  const rows = yield* sql<
    Row
  >`SELECT *, ${moment} AS now FROM ${conversations} WHERE ${ofSubject} id > ${after} ORDER BY id LIMIT ${limit}`
    .withoutTransform
  const heads = rows.map(headIn).filter((head): head is Head => head !== undefined && head.touchedAt <= idleSince)
  return { heads, next: rows.length < limit ? undefined : rows.at(-1)?.id } satisfies Page
})
