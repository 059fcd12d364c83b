/**
 * One open SQLite database. Its statements run on the main thread, one at a time.
 *
 * SQLite would wait for locks of other processes with the thread blocked. So it does not wait: a statement that finds the
 * database locked is run again after a pause, which can be interrupted.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { SqlError } from "effect/sql/SqlError"
import { DatabaseSync } from "node:sqlite"
import * as Errors from "./errors.ts"
import { nameOf, type Settings } from "./model.ts"
import { prepare, type Prepared, StatementCache } from "./prepared.ts"

/** Milliseconds. The pauses double, and lose up to a half at random, so that waiting processes do not meet again. */
const pauses = { first: 1, most: 50 }

export class Database {
  private readonly database: DatabaseSync
  private readonly cache: StatementCache
  private readonly settings: Settings
  /** Whether `begin` has begun a transaction that neither `commit` nor `rollback` has ended. */
  private isBegun = false

  /** Opens it. The file is first read by a statement. Throws what `node:sqlite` throws. */
  constructor(settings: Settings) {
    this.settings = settings
    this.database = new DatabaseSync(settings.file, { readOnly: settings.readonly })
    this.cache = new StatementCache(this.database, settings.statementCache)
  }

  get isInTransaction(): boolean {
    return this.database.isOpen && this.database.isTransaction
  }

  /** A statement of the cache. It must be done with before the next one runs. */
  prepared(text: string): Prepared {
    return this.cache.get(text)
  }

  /** A statement of its own, for what stays open while others run. */
  prepareAlone(text: string): Prepared {
    return prepare(this.database, text)
  }

  close(): void {
    if (this.database.isOpen) this.database.close()
  }

  private check(operation: string): SqlError | undefined {
    const { database, isBegun, settings } = this
    if (!database.isOpen) return Errors.lost(`${nameOf(settings)} is closed.`, operation)
    if (!isBegun || database.isTransaction) return undefined
    // A statement that ran now would be committed by itself.
    return Errors.lost(
      "The transaction is over: SQLite has rolled it back after an error, or a statement has ended it. Run it again.",
      operation
    )
  }

  /** Runs a step that blocks, and again while another connection holds the lock that it needs. */
  run<A>(operation: string, step: () => A): Effect.Effect<A, SqlError> {
    return Effect.suspend(() => this.attempt(operation, step, pauses.first, 0))
  }

  private attempt<A>(operation: string, step: () => A, pause: number, waited: number): Effect.Effect<A, SqlError> {
    const fault = this.check(operation)
    if (fault !== undefined) return Effect.fail(fault)
    try {
      return Effect.succeed(step())
    } catch (cause) {
      return Errors.isBusy(cause)
        ? this.again(cause, operation, step, pause, waited)
        : Effect.fail(Errors.ofStatement(cause, operation, nameOf(this.settings)))
    }
  }

  private again<A>(
    cause: unknown,
    operation: string,
    step: () => A,
    pause: number,
    waited: number
  ): Effect.Effect<A, SqlError> {
    const { busyTimeout } = this.settings
    const left = Duration.toMillis(busyTimeout) - waited
    if (left <= 0) {
      return Effect.fail(Errors.busy(cause, operation, nameOf(this.settings), Duration.format(busyTimeout)))
    }
    return Effect.flatMap(Random.next, (random) => {
      const length = Math.min(left, pause * (1 - random / 2))
      const next = Math.min(pause * 2, pauses.most)
      return Effect.andThen(
        Effect.sleep(length),
        Effect.suspend(() => this.attempt(operation, step, next, waited + length))
      )
    })
  }

  private control(operation: string, text: string, isBegun: boolean): Effect.Effect<void, SqlError> {
    return this.run(operation, () => {
      this.prepared(text).statement.run()
      this.isBegun = isBegun
    })
  }

  /** Begins a transaction. What `text` reads and writes decides which lock it waits for. */
  begin(text: string): Effect.Effect<void, SqlError> {
    return this.control("transaction", text, true)
  }

  readonly commit: Effect.Effect<void, SqlError> = Effect.suspend(() => this.control("commit", "COMMIT", false))

  /** Ends the transaction, if there is one. */
  readonly rollback: Effect.Effect<void, SqlError> = Effect.suspend(() => {
    this.isBegun = false
    return this.isInTransaction ? this.control("rollback", "ROLLBACK", false) : Effect.void
  })

  /** Runs a statement on savepoints, unless the transaction is gone. */
  savepoint(text: string): Effect.Effect<void, SqlError> {
    return this.control("savepoint", text, true)
  }

  /** The same for one that ends a savepoint. If the transaction is gone, so is the savepoint. */
  tidy(text: string): Effect.Effect<void> {
    return Effect.suspend(() => this.isInTransaction ? Effect.ignore(this.savepoint(text)) : Effect.void)
  }
}
