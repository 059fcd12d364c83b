/**
 * Core's `Compression` by Zstandard, which is a part of Node.js.
 *
 * `layer` compresses at once, as core needs it, and blocks the thread meanwhile: some 3 ms for a megabyte. `compress` and `decompress`
 * are effects that leave the thread free for large inputs.
 *
 * ```ts
 * import * as NodeCompression from "@clawback/node/NodeCompression"
 * import { Console, Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const bytes = new TextEncoder().encode("all work and no play ".repeat(10_000))
 *   const small = yield* NodeCompression.compress(bytes)
 *   yield* Console.log(bytes.length, small.length < 1000)
 *   yield* Console.log((yield* NodeCompression.decompress(small)).length)
 * })
 *
 * await Effect.runPromise(program)
 * ```
 *
 * Imported by its own path, `@clawback/node/NodeCompression`. Needs Node.js 22.15 or later.
 *
 * @experimental
 */

import { type Codec, Compression } from "@clawback/core/Compression"
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as ReadableError from "@clawback/core/ReadableError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Zlib from "node:zlib"

export interface Options {
  /**
   * From 1 to 19. Default: 3. Too low, and bytes stay larger; too high, and compressing takes long: level 19 some hundred times as
   * long as level 3.
   */
  readonly level?: number | undefined
  /**
   * The most bytes that may come out of `decompress`. Default: 64 MiB. Too low, and large inputs cannot be read back; too high, and a
   * small input of a stranger can fill the memory.
   */
  readonly maxBytes?: number | undefined
}

/** Bytes could not be decompressed. */
export class DecompressFailed
  extends ReadableError.tagged<DecompressFailed>("@clawback/node/DecompressFailed")("DecompressFailed", {
    /** How many bytes were given. */
    bytes: Schema.Int,
    /** The most bytes that may come out. */
    maxBytes: Schema.Finite,
    cause: Schema.Defect()
  })
{
  override get message() {
    return `${this.bytes} bytes could not be decompressed: they are no Zstandard, or become more than ${this.maxBytes} bytes. ` +
      "Check where they come from, or raise `maxBytes`."
  }
}

/** Above this, work is done on a thread of Node's pool. Below, handing it over takes longer than doing it. */
const large = 64 * 1024

interface Settings {
  readonly compressing: Zlib.ZstdOptions
  readonly decompressing: Zlib.ZstdOptions
  readonly maxBytes: number
}

const fields: Readonly<Record<keyof Options, true>> = { level: true, maxBytes: true }

const settingsOf = (options: Options): Settings => {
  const { level = 3, maxBytes = 64 * 1024 * 1024 } = OptionCheck.fields("options", options, fields)
  OptionCheck.count("maxBytes", maxBytes, 1, 2 ** 31 - 1)
  return {
    compressing: { params: { [Zlib.constants.ZSTD_c_compressionLevel]: OptionCheck.count("level", level, 1, 19) } },
    decompressing: { maxOutputLength: maxBytes },
    maxBytes
  }
}

/** A `Uint8Array` without the rest of the buffer that it may be a part of. */
const owned = (bytes: Buffer): Uint8Array =>
  bytes.byteLength === bytes.buffer.byteLength ? new Uint8Array(bytes.buffer) : new Uint8Array(bytes)

/** The codec of these options. It blocks the thread. Its `decompress` throws `DecompressFailed`. */
export const make = (options: Options = {}): Codec => {
  const { compressing, decompressing, maxBytes } = settingsOf(options)
  return {
    name: "zstd",
    compress: (bytes) => owned(Zlib.zstdCompressSync(bytes, compressing)),
    decompress: (bytes) => {
      try {
        return owned(Zlib.zstdDecompressSync(bytes, decompressing))
      } catch (cause) {
        throw new DecompressFailed({ bytes: bytes.length, maxBytes, cause })
      }
    }
  }
}

/** Compresses with Zstandard what core compresses. A wrong option is a defect that names it. */
export const layer = (options: Options = {}): Layer.Layer<never> =>
  Layer.effect(Compression, Effect.sync(() => make(options)))

/** Compresses bytes. More than 64 KiB leave the thread free. An interruption does not end the work, but no one waits for it. */
export const compress = (bytes: Uint8Array, options: Options = {}): Effect.Effect<Uint8Array> =>
  Effect.suspend(() => {
    if (bytes.length <= large) return Effect.sync(() => make(options).compress(bytes))
    const { compressing } = settingsOf(options)
    return Effect.callback<Uint8Array>((resume) => {
      Zlib.zstdCompress(bytes, compressing, (error, result) =>
        resume(error === null ? Effect.succeed(owned(result)) : Effect.die(error)))
    })
  })

/** Decompresses bytes. More than 64 KiB leave the thread free. */
export const decompress = (bytes: Uint8Array, options: Options = {}): Effect.Effect<Uint8Array, DecompressFailed> =>
  Effect.suspend(() => {
    const { decompressing, maxBytes } = settingsOf(options)
    const failed = (cause: unknown) => new DecompressFailed({ bytes: bytes.length, maxBytes, cause })
    if (bytes.length <= large) {
      return Effect.try({ try: () => owned(Zlib.zstdDecompressSync(bytes, decompressing)), catch: failed })
    }
    return Effect.callback<Uint8Array, DecompressFailed>((resume) => {
      Zlib.zstdDecompress(
        bytes,
        decompressing,
        (error, result) => resume(error === null ? Effect.succeed(owned(result)) : Effect.fail(failed(error)))
      )
    })
  })
