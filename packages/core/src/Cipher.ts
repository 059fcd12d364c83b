/**
 * Encryption of what is kept: authenticated, bound to its place, with keys that can be replaced.
 *
 * `NodeCipher.layer` of `@clawback/node` is AES-256-GCM. What is encrypted names its key, so that older keys can still open it.
 * The associated data, such as the id of a conversation and a position in it, is not kept with the text. It must be the same when
 * the text is decrypted: a text that was moved elsewhere does not open.
 *
 * ```ts
 * import * as Cipher from "@clawback/core/Cipher"
 * import * as NodeCipher from "@clawback/node/NodeCipher"
 * import { Console, Effect, Redacted } from "effect"
 * import { randomBytes } from "node:crypto"
 *
 * const program = Effect.gen(function*() {
 *   const sealed = yield* Cipher.encryptText("hello", "conversation c42, 7")
 *   yield* Console.log(yield* Cipher.decryptText(sealed, "conversation c42, 7"))
 *   const error = yield* Effect.flip(Cipher.decryptText(sealed, "conversation c42, 8"))
 *   yield* Console.log(error.reason)
 * })
 *
 * const key = Redacted.make(randomBytes(32).toString("base64"))
 * await Effect.runPromise(Effect.provide(program, NodeCipher.layer({ keys: [{ id: "2026-11", key }] })))
 * ```
 *
 * @experimental
 */

import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as ReadableError from "./ReadableError.ts"

/** Nothing was encrypted. */
export class EncryptFailed
  extends ReadableError.tagged<EncryptFailed>("@clawback/core/EncryptFailed")("EncryptFailed", {
    /** The id of the key. */
    key: Schema.String,
    /** What is wrong, and what to do. */
    detail: Schema.String,
    cause: Schema.optional(Schema.Defect())
  })
{
  override get message() {
    return `Nothing was encrypted with the key ${this.key}: ${this.detail}`
  }
}

const advice = {
  Malformed: "it is no text of this cipher. Check where it comes from.",
  UnknownKey: "its key is not among the keys. Add it, or restore it if it was removed too early.",
  KeyDestroyed: "its key was destroyed. It cannot be read any more.",
  KeyUnavailable: "its key could not be read: see the cause.",
  Rejected: "it was changed, or belongs to another place or key."
} as const

/** A text could not be decrypted. It shows nothing of the text. */
export class DecryptFailed
  extends ReadableError.tagged<DecryptFailed>("@clawback/core/DecryptFailed")("DecryptFailed", {
    /** The id of the key that the text names, if it does. */
    key: Schema.optional(Schema.String),
    reason: Schema.Literals(["Malformed", "UnknownKey", "KeyDestroyed", "KeyUnavailable", "Rejected"]),
    cause: Schema.optional(Schema.Defect())
  })
{
  override get message() {
    const key = this.key === undefined ? "" : ` (key ${this.key})`
    return `A text was not decrypted${key}: ${advice[this.reason]}`
  }
}

/** Encrypts bytes. */
export interface Sealing {
  /** `associated` is authenticated with the bytes, and must be the same when they are decrypted. */
  readonly encrypt: (plain: Uint8Array, associated: Uint8Array) => Effect.Effect<Uint8Array, EncryptFailed>
  readonly decrypt: (sealed: Uint8Array, associated: Uint8Array) => Effect.Effect<Uint8Array, DecryptFailed>
}

export class Cipher extends Context.Service<Cipher, Sealing>()("@clawback/core/Cipher") {}

const bytesOf = (text: string) => new TextEncoder().encode(text)

/** Encrypts a text, and returns text: base64url. */
export const encryptText = (text: string, associated: string): Effect.Effect<string, EncryptFailed, Cipher> =>
  Cipher.use((cipher) => Effect.map(cipher.encrypt(bytesOf(text), bytesOf(associated)), Base64Url.encode))

/** Decrypts what `encryptText` returned, with the same associated data. */
export const decryptText = (sealed: string, associated: string): Effect.Effect<string, DecryptFailed, Cipher> =>
  Cipher.use((cipher) => {
    const bytes = Base64Url.decode(sealed)
    return Result.isFailure(bytes)
      ? Effect.fail(new DecryptFailed({ reason: "Malformed" }))
      : Effect.map(cipher.decrypt(bytes.success, bytesOf(associated)), (plain) => new TextDecoder().decode(plain))
  })
