/** Prepared statements of one database. */
import type { DatabaseSync, StatementSync } from "node:sqlite"

/** One text may hold several statements. SQLite prepares the first one; `rest` is what follows it. */
export interface Prepared {
  readonly statement: StatementSync
  readonly rest: string
  /** Whether it returns rows. */
  readonly hasRows: boolean
}

const isBlank = (text: string): boolean => /^[\s;]*$/.test(text)

/** Whether a text has a statement, and not only comments. */
const hasStatement = (database: DatabaseSync, text: string): boolean => {
  try {
    return database.prepare(text).sourceSQL !== ""
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined
    return code !== "ERR_INVALID_ARG_VALUE" && code !== "ERR_INVALID_STATE"
  }
}

/** Throws what `node:sqlite` throws for a wrong statement. */
export const prepare = (database: DatabaseSync, text: string): Prepared => {
  // SQLite would end the text there, and ignore what follows.
  if (text.includes("\0")) throw new TypeError("A statement has a zero character. Pass the value as a parameter.")
  const statement = database.prepare(text)
  const rest = text.slice(statement.sourceSQL.length)
  return {
    statement,
    rest: isBlank(rest) || !hasStatement(database, rest) ? "" : rest,
    hasRows: statement.columns().length > 0
  }
}

/** The statements that were used last. One that is dropped is freed by the garbage collector. */
export class StatementCache {
  private readonly database: DatabaseSync
  private readonly max: number
  private readonly known = new Map<string, Prepared>()

  constructor(database: DatabaseSync, max: number) {
    this.database = database
    this.max = max
  }

  get(text: string): Prepared {
    const found = this.known.get(text)
    if (found !== undefined) {
      // The oldest entry of a map comes first.
      this.known.delete(text)
      this.known.set(text, found)
      return found
    }
    const prepared = prepare(this.database, text)
    if (this.max === 0) return prepared
    if (this.known.size >= this.max) {
      for (const oldest of this.known.keys()) {
        this.known.delete(oldest)
        break
      }
    }
    this.known.set(text, prepared)
    return prepared
  }
}
