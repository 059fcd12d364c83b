/** What a SQLite database is opened with. */
import type * as Duration from "effect/Duration"

/** How a commit reaches the disk. https://www.sqlite.org/pragma.html#pragma_synchronous */
export type Synchronous = "off" | "normal" | "full" | "extra"

/** Checked options. */
export interface Settings {
  /** The absolute path of the file, or `:memory:`. */
  readonly file: string
  readonly readonly: boolean
  readonly wal: boolean
  readonly synchronous: Synchronous
  readonly busyTimeout: Duration.Duration
  readonly statementCache: number
  readonly userVersion: number | undefined
  readonly transactionTimeout: Duration.Duration
}

export const memory = ":memory:"

/** How a database is named in messages. */
export const nameOf = ({ file }: Settings): string => file === memory ? "The database in memory" : file
