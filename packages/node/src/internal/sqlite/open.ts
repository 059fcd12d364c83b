/** Opens databases. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import * as Fs from "node:fs"
import { Database } from "./database.ts"
import * as Errors from "./errors.ts"
import { memory, nameOf, type Settings } from "./model.ts"

/** After it was checkpointed, the write-ahead log is cut to this many bytes. */
const walLimit = 64 * 1024 * 1024

/** A value that a pragma returns. */
const pragma = (database: Database, text: string): unknown => {
  const [row] = database.prepareAlone(`PRAGMA ${text}`).statement.all()
  return row === undefined ? undefined : Object.values(row)[0]
}

/** The versions of the format that a program needs to read a database. SQLite knows 1 and 2. https://www.sqlite.org/fileformat2.html */
const formatOf = (file: string): number => {
  const header = new Uint8Array(20)
  try {
    const descriptor = Fs.openSync(file, "r")
    try {
      Fs.readSync(descriptor, header, 0, header.length, 0)
    } finally {
      Fs.closeSync(descriptor)
    }
  } catch {
    // SQLite reports why.
    return 0
  }
  const isDatabase = new TextDecoder().decode(header.subarray(0, 15)) === "SQLite format 3"
  return isDatabase ? header[19] ?? 0 : 0
}

const checkFormat = (settings: Settings): void => {
  if (settings.file === memory || formatOf(settings.file) <= 2) return
  throw Errors.unusable(`${nameOf(settings)} has a format of a newer SQLite. Update Node.js, which contains SQLite.`)
}

const checkVersion = (database: Database, settings: Settings): void => {
  const known = settings.userVersion
  if (known === undefined) return
  const version = Number(pragma(database, "user_version"))
  if (version <= known) return
  throw Errors.unusable(
    `${
      nameOf(settings)
    } has the user_version ${version}, and this program knows versions up to ${known}: a newer version ` +
      "of the program has written it. Update this one."
  )
}

/** Sets what SQLite keeps for each connection. */
const configure = (database: Database, settings: Settings): void => {
  checkVersion(database, settings)
  if (settings.wal) {
    const mode = pragma(database, "journal_mode = wal")
    if (mode !== "wal") {
      throw Errors.unusable(`${nameOf(settings)} stays in the journal mode ${mode}. Set the option \`wal\` to false.`)
    }
    pragma(database, `journal_size_limit = ${walLimit}`)
  }
  pragma(database, `synchronous = ${settings.synchronous}`)
}

/** Opens a database that is closed with the scope, and reads it: what is wrong with the file is an error here. */
export const open = (settings: Settings): Effect.Effect<Database, SqlError, Scope.Scope> =>
  Effect.gen(function*() {
    const database = yield* Effect.acquireRelease(
      Effect.try({
        try: () => {
          checkFormat(settings)
          return new Database(settings)
        },
        catch: (cause) => Errors.ofStatement(cause, "connect", nameOf(settings))
      }),
      (database) => Effect.sync(() => database.close())
    )
    yield* database.run("connect", () => {
      // The first statement reads the header and the schema.
      pragma(database, "schema_version")
      configure(database, settings)
    })
    return database
  })
