/** The steps of a store in SQL: the machine, on a row that is locked in a short transaction. The clock is the server's. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { Held } from "./held.ts"
import * as Machine from "./machine.ts"

/** How long a row is kept after its last lease, so that a clock that is set back does not lower the tokens. In milliseconds. */
const memory = 60_000

const State = Schema.fromJsonString(Schema.Array(Held))
const decode = Schema.decodeUnknownSync(State)
const encode = Schema.encodeSync(State)

/** What a driver makes of the numbers of a row: a number, a text or a bigint. */
interface Row {
  readonly token: number | string | bigint
  readonly held: string
  readonly micros: number | string | bigint
}

const read = ({ held, micros, token }: Row): readonly [Machine.State, Machine.Now] => {
  const at = Number(micros)
  return [{ token: Number(token), held: decode(held) }, { millis: Math.floor(at / 1000), micros: at, up: Infinity }]
}

export class Steps {
  private readonly sql: SqlClient
  private readonly table: string

  constructor(sql: SqlClient, table: string) {
    this.sql = sql
    this.table = table
  }

  /** The moment at which the statement works, in whole microseconds. */
  private get micros() {
    const { sql } = this
    return sql.onDialectOrElse({
      pg: () => sql.literal("CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"),
      orElse: () => sql.literal("CAST(unixepoch('subsec') * 1000000 AS INTEGER)")
    })
  }

  /** Changes the state of a key. */
  change<A>(
    key: string,
    f: (state: Machine.State, now: Machine.Now) => readonly [Machine.State, A]
  ): Effect.Effect<A, SqlError> {
    const { micros, sql, table } = this
    const locked = sql<Row>`INSERT INTO ${sql(table)} (lease_key, token, held, expires_at) VALUES (${key}, 0, '[]', 0)
      ON CONFLICT (lease_key) DO UPDATE SET lease_key = excluded.lease_key
      RETURNING token, held, ${micros} AS micros`.withoutTransform
    return sql.withTransaction(Effect.flatMap(locked, ([row]) => {
      const [state, now] = read(row as Row)
      const [after, answer] = f(state, now)
      const expiresAt = Math.max(now.millis, Machine.endsAt(after)) + memory
      return Effect.as(
        sql`UPDATE ${sql(table)} SET token = ${after.token}, held = ${encode(after.held)}, expires_at = ${expiresAt}
          WHERE lease_key = ${key}`,
        answer
      )
    }))
  }

  /** Looks at the state of a key. */
  look<A>(key: string, f: (state: Machine.State, now: Machine.Now) => A): Effect.Effect<A, SqlError> {
    const { micros, sql, table } = this
    return Effect.map(
      sql<Row>`SELECT token, held, ${micros} AS micros FROM ${sql(table)} WHERE lease_key = ${key}`.withoutTransform,
      ([row]) => f(...row === undefined ? [Machine.empty, { millis: 0, micros: 0, up: Infinity }] as const : read(row))
    )
  }

  /** Deletes rows of keys that nobody holds. Leaves rows that others have locked, and what is too much for one time. */
  get sweep(): Effect.Effect<unknown, SqlError> {
    const { micros, sql, table } = this
    const skipping = sql.onDialectOrElse({
      pg: () => sql.literal("FOR UPDATE SKIP LOCKED"),
      orElse: () => sql.literal("")
    })
    return sql`DELETE FROM ${sql(table)} WHERE lease_key IN (
      SELECT lease_key FROM ${
      sql(table)
    } WHERE expires_at < ${micros} / 1000 ORDER BY expires_at LIMIT 1000 ${skipping})`
  }
}
