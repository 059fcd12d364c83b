/** The options of a database, and their check. */
import * as OptionCheck from "@clawback/core/OptionCheck"
import type * as Pool from "@clawback/core/Pool"
import type * as Duration from "effect/Duration"
import { resolve } from "node:path"
import { memory, type Settings, type Synchronous } from "./model.ts"

/** How the database is opened, and how long its work may wait. */
export interface Options extends
  Pick<
    Pool.Options<never, never, never>,
    "acquireTimeout" | "maxWaiters" | "leakThreshold" | "drainTimeout"
  >
{
  /**
   * The path of the file, which is created if it is not there, or `":memory:"`. A database in memory is empty, belongs to this
   * client alone, and is gone when its layer closes.
   */
  readonly file: string
  /** Whether the database is only read. It must be there. Default: false. */
  readonly readonly?: boolean | undefined
  /**
   * How long a statement waits for a lock that another connection holds. Default: 5 seconds. Too short, and a statement fails
   * with `LockTimeoutError` while another process writes; too long, and callers wait for one that hangs. The wait does not
   * block the process.
   */
  readonly busyTimeout?: Duration.Input | undefined
  /**
   * Whether a file uses a write-ahead log, so that readers and a writer do not wait for each other. The file keeps this. Not
   * for network file systems. Default: true, and false for `readonly`.
   */
  readonly wal?: boolean | undefined
  /**
   * How a commit reaches the disk. With `"full"`, it survives a loss of power. With `"normal"`, a loss of power may undo the last
   * commits, and commits are faster; with `"off"`, it may also corrupt the file. The end of the process undoes no commit.
   * Default: `"full"`.
   */
  readonly synchronous?: Synchronous | undefined
  /**
   * How many prepared statements are kept. Default: 256. Too low, and statements are parsed again and again; too high, and
   * those with values in their text take memory. 0 keeps none.
   */
  readonly statementCache?: number | undefined
  /**
   * The highest `PRAGMA user_version` that this program knows. If the file has a higher one, a newer version of the program
   * has written it, and the layer fails. Default: not checked.
   */
  readonly userVersion?: number | undefined
  /**
   * How long a transaction may take. After that it is rolled back. Default: 30 seconds. Too short, and long work is lost; too
   * long, and everybody else waits for it. `"Infinity"`: no limit. A statement that runs is not cut off.
   */
  readonly transactionTimeout?: Duration.Input | undefined
  /** The name in sessions, metrics, errors and logs. Default: `"sqlite"`. */
  readonly name?: string | undefined
}

const flag = (name: string, value: boolean): boolean => {
  if (typeof value === "boolean") return value
  throw OptionCheck.wrong(name, value, "a boolean")
}

const fileOf = (file: string): string => {
  if (OptionCheck.text("file", file) === "" || file.includes("\0")) {
    throw OptionCheck.wrong("file", file, "the path of a file, or \":memory:\"")
  }
  // Absolute, so that SQLite takes no path for a URI.
  return file === memory ? memory : resolve(file)
}

/** Throws a `RangeError` for a wrong option. */
export const settings = (options: Options): Settings => {
  const file = fileOf(options.file)
  const readonly = flag("readonly", options.readonly ?? false)
  const wal = flag("wal", options.wal ?? (file !== memory && !readonly))
  if (wal && (readonly || file === memory)) {
    throw OptionCheck.wrong("wal", true, "false for a database that is in memory or only read")
  }
  const { userVersion } = options
  return {
    file,
    readonly,
    wal,
    synchronous: OptionCheck.choice("synchronous", options.synchronous ?? "full", ["off", "normal", "full", "extra"]),
    busyTimeout: OptionCheck.finite("busyTimeout", options.busyTimeout ?? "5 seconds"),
    statementCache: OptionCheck.count("statementCache", options.statementCache ?? 256, 0),
    userVersion: userVersion === undefined ? undefined : OptionCheck.count("userVersion", userVersion, 0, 2 ** 31 - 1),
    transactionTimeout: OptionCheck.interval("transactionTimeout", options.transactionTimeout ?? "30 seconds")
  }
}
