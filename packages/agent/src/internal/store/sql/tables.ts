/** The statements of one conversation. */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { present, type State } from "../machine.ts"
import type { Operation } from "../stored.ts"
import { type Dialect, nowOf } from "./dialect.ts"
import { columns, type Row, stateOf, valuesOf } from "./rows.ts"

/** How many entries are inserted by one statement. Databases limit the parameters of one. */
const batch = 1000

/** A row that is kept for a transaction. */
export interface Kept {
  readonly row: Row | undefined
  /** Also if it has expired. */
  readonly found: State | undefined
  readonly state: State | undefined
  readonly now: number
}

export class Tables {
  readonly sql: SqlClient
  readonly dialect: Dialect
  readonly conversations
  readonly entries

  constructor(sql: SqlClient, dialect: Dialect, prefix: string) {
    this.sql = sql
    this.dialect = dialect
    this.conversations = sql.literal(`${prefix}s`)
    this.entries = sql.literal(`${prefix}_entries`)
  }

  /** Keeps the conversation until the transaction ends, if there is one. */
  keep(conversation: string): Effect.Effect<Kept, SqlError> {
    const { conversations, dialect, sql } = this
    return Effect.gen(function*() {
      const moment = yield* dialect.moment
      const [row] = yield* sql<
        Row
      >`SELECT *, ${moment} AS now FROM ${conversations} WHERE id = ${conversation} ${dialect.forUpdate}`
        .withoutTransform
      const now = row === undefined ? yield* nowOf(sql, dialect) : Number(row.now)
      const found = row === undefined ? undefined : stateOf(row)
      return { row, found, state: present(found, now), now }
    })
  }

  /** Returns false if another transaction has inserted it meanwhile. */
  insert(
    conversation: string,
    state: State,
    operations: ReadonlyArray<Operation>,
    view: string
  ): Effect.Effect<boolean, SqlError> {
    const { conversations, sql } = this
    const names = sql.literal(["id", "view_text", ...columns].join(", "))
    const values = sql.csv([conversation, view, ...valuesOf(state, operations)].map((value) => sql`${value}`))
    return Effect.map(
      sql`INSERT INTO ${conversations} (${names}) VALUES (${values}) ON CONFLICT (id) DO NOTHING RETURNING id`
        .withoutTransform,
      (rows) => rows.length > 0
    )
  }

  update(
    conversation: string,
    state: State,
    operations: ReadonlyArray<Operation>,
    view?: string
  ): Effect.Effect<void, SqlError> {
    const { conversations, sql } = this
    const values = valuesOf(state, operations)
    const set = columns.map((column, i) => sql`${sql.literal(column)} = ${values[i]}`)
    if (view !== undefined) set.push(sql`view_text = ${view}`)
    return Effect.asVoid(
      sql`UPDATE ${conversations} SET ${sql.csv(set)} WHERE id = ${conversation}`.withoutTransform
    )
  }

  /** Appends entries after a position. */
  add(conversation: string, position: number, texts: ReadonlyArray<string>): Effect.Effect<void, SqlError> {
    const { entries, sql } = this
    const rows = texts.map((text, i) => ({ conversation, number: position + i + 1, text }))
    return Effect.forEach(
      Arr.chunksOf(rows, batch),
      (rows) => sql`INSERT INTO ${entries} ${sql.insert(rows)}`.withoutTransform,
      { discard: true }
    )
  }

  /** Deletes entries up to a position, and returns their texts. */
  drop(conversation: string, upTo: number): Effect.Effect<ReadonlyArray<string>, SqlError> {
    const { entries, sql } = this
    return Effect.map(
      sql<
        { text: string }
      >`DELETE FROM ${entries} WHERE conversation = ${conversation} AND number <= ${upTo} RETURNING text`
        .withoutTransform,
      (rows) => rows.map(({ text }) => text)
    )
  }

  clear(conversation: string): Effect.Effect<void, SqlError> {
    const { entries, sql } = this
    return Effect.asVoid(sql`DELETE FROM ${entries} WHERE conversation = ${conversation}`.withoutTransform)
  }
}
