/**
 * Leases of the processes of one machine, in files. It needs no server.
 *
 * Guarantees: those of `LeaseStore`, for processes on one machine whose clock is not set. A lease of a killed process expires. The
 * folder has at most 64 small folders, and keeps nothing of a key that nobody holds.
 *
 * Limits: the folder must be on a local file system with hard links (ext4, XFS, Btrfs, APFS, NTFS). NFS and other network file
 * systems do not give the guarantees. A step takes some file operations, so it suits a few processes, not thousands of leases a second.
 *
 * ```ts
 * import { NodeServices } from "@effect/platform-node"
 * import { Lease } from "@clawback/core"
 * import * as LeaseStoreFile from "@clawback/core/LeaseStoreFile"
 * import { Console, Effect, Layer } from "effect"
 *
 * const Store = LeaseStoreFile.layer({ folder: "/tmp/my-app/leases" }).pipe(Layer.provide(NodeServices.layer))
 *
 * const program = Lease.use({ key: "import", wait: "5 seconds" }, () => Console.log("one process of this machine at a time"))
 *
 * await Effect.runPromise(Effect.provide(program, Store))
 * ```
 *
 * Imported by its own path, `@clawback/core/LeaseStoreFile`.
 *
 * @experimental
 */

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { FileSystem } from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { PlatformError } from "effect/PlatformError"
import * as Schema from "effect/Schema"
import { LeaseStoreError } from "./internal/lease/errors.ts"
import * as FileStates from "./internal/lease/fileStates.ts"
import { Held } from "./internal/lease/held.ts"
import * as Machine from "./internal/lease/machine.ts"
import { LeaseStore } from "./LeaseStore.ts"
import * as OptionCheck from "./OptionCheck.ts"

export interface Options {
  /** A folder of its own for leases. It is made if it is missing, for its owner only. All who share a limit use the same folder. */
  readonly folder: string
}

/** The keys that have the same remainder share a folder, so that the number of folders does not grow. */
const folders = 64

/** FNV-1a, 32 bits. */
const folderOf = (key: string): string => {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return `keys-${((hash >>> 0) % folders).toString().padStart(2, "0")}`
}

/** The keys of one folder, and the highest token that any of them was granted. */
const Keys = Schema.fromJsonString(Schema.Struct({
  token: Schema.Number,
  keys: Schema.Record(Schema.String, Schema.Array(Held))
}))
const decode = Schema.decodeUnknownOption(Keys)
const encode = Schema.encodeSync(Keys)

/** A file that the end of its machine cut off says nothing. The processes that held something have ended with the machine. */
const decoded = (text: string | undefined): typeof Keys.Type =>
  Option.getOrElse(text === undefined ? Option.none() : decode(text), () => ({ token: 0, keys: {} }))

type Operation = LeaseStoreError["operation"]

const failedTo = (operation: Operation, key?: string) => (cause: PlatformError) =>
  new LeaseStoreError({
    store: "file",
    operation,
    ...key === undefined ? {} : { key },
    problem: `${cause.message}. Check the folder and its permissions`,
    isUnknown: operation !== "open",
    cause
  })

const make = Effect.fnUntraced(function*({ folder }: Options) {
  OptionCheck.text("folder", folder)
  const fs = yield* FileSystem

  const step = <A>(
    operation: Operation,
    key: string,
    f: (state: Machine.State, now: Machine.Now) => readonly [Machine.State | undefined, A]
  ): Effect.Effect<A, LeaseStoreError> => {
    const changed = (text: string | undefined) =>
      Effect.map(Clock.currentTimeMillis, (millis): readonly [string | undefined, A] => {
        const { keys, token } = decoded(text)
        const [after, answer] = f({ token, held: keys[key] ?? [] }, { millis, micros: millis * 1000, up: Infinity })
        if (after === undefined) return [undefined, answer]
        const others = Object.entries({ ...keys, [key]: after.held }).filter(([, held]) =>
          held.some(({ expiresAt }) => expiresAt > millis)
        )
        return [encode({ token: after.token, keys: Object.fromEntries(others) }), answer]
      })
    const path = `${folder}/${folderOf(key)}`
    return Effect.mapError(
      fs.makeDirectory(path, { recursive: true, mode: 0o700 }).pipe(
        Effect.andThen(FileStates.change(fs, path, changed))
      ),
      failedTo(operation, key)
    )
  }

  yield* Effect.mapError(fs.makeDirectory(folder, { recursive: true, mode: 0o700 }), failedTo("open"))
  const store: LeaseStore = {
    name: "file",
    acquire: (request) =>
      step("acquire", request.key, (state, now) => {
        const [after, answer] = Machine.acquire(state, request, now)
        return [answer._tag === "Granted" ? after : undefined, answer]
      }),
    renew: (renewal) =>
      step("renew", renewal.key, (state, now) => {
        const [after, isRenewed] = Machine.renew(state, renewal, now)
        return [isRenewed ? after : undefined, isRenewed]
      }),
    release: (released) =>
      step("release", released.key, (state, now) => [Machine.release(state, released, now), undefined]),
    holders: (key) => step("holders", key, (state, now) => [undefined, Machine.holders(state, now)])
  }
  return store
})

/** Keeps leases in a folder. Fails with `LeaseStoreError` if the folder cannot be made. */
export const layer = (options: Options): Layer.Layer<never, LeaseStoreError, FileSystem> =>
  Layer.effect(LeaseStore, make(options))
