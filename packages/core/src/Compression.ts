/**
 * What makes bytes smaller where they are kept, such as conversations that are idle in memory.
 *
 * Without a layer of it, bytes stay as they are. `NodeCompression.layer` of `@clawback/node` is Zstandard.
 *
 * @experimental
 */

import * as Context from "effect/Context"

/** Compresses bytes, at once: its caller packs and unpacks within one step. */
export interface Codec {
  /** The name of the format, such as `"zstd"`. */
  readonly name?: string | undefined
  readonly compress: (bytes: Uint8Array) => Uint8Array
  /** Throws for bytes that `compress` has not made. */
  readonly decompress: (bytes: Uint8Array) => Uint8Array
}

/** What is used where nothing else is given. Default: nothing is compressed. */
export const Compression: Context.Reference<Codec | undefined> = Context.Reference("@clawback/core/Compression", {
  defaultValue: (): Codec | undefined => undefined
})
