/**
 * Core's `Cipher` by AES-256-GCM, with keys that can be replaced, and a key for each subject that can be destroyed.
 *
 * Guarantees:
 *
 * - A text that was changed, cut or moved does not decrypt, and neither does one under another key or associated data.
 * - Each text has a random nonce of 96 bits (NIST SP 800-38D). A key encrypts at most 2^32 texts in one process.
 * - Neither texts nor keys appear in errors, logs or spans.
 *
 * Limits: NIST's limit of 2^32 texts is for a key over its whole life, in all processes. Replace keys before that. The size of a text
 * stays visible, and so does who wrote when. Keys are in the memory of the process.
 *
 * `docs/encryption.md` has the options, the errors, and what destroying a key gives. Imported by its own path,
 * `@clawback/node/NodeCipher`.
 *
 * @experimental
 */

import * as Cipher from "@clawback/core/Cipher"
import type * as Credential from "@clawback/core/Credential"
import * as Erasure from "@clawback/core/Erasure"
import * as OptionCheck from "@clawback/core/OptionCheck"
import type { SessionError } from "@clawback/core/SessionError"
import { SubjectKeys, type SubjectKeysUnavailable } from "@clawback/core/SubjectKeys"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { type KeyOption, read } from "./internal/cipher/keys.ts"
import { type Key, keyOf, open, seal } from "./internal/cipher/sealed.ts"
import * as Subject from "./internal/cipher/subject.ts"

export type { KeyOption } from "./internal/cipher/keys.ts"

export interface Options {
  /**
   * The keys. The first one encrypts, all decrypt. To replace a key, put the new one before it. Remove the old one once nothing is
   * encrypted with it any more.
   */
  readonly keys: ReadonlyArray<KeyOption>
}

const rejected = (cause: unknown) => cause as Cipher.DecryptFailed

const makeSealing = (keys: ReadonlyMap<string, Key>, first: Key): Cipher.Sealing => ({
  encrypt: (plain, associated) =>
    Effect.try({
      try: () => seal(first, plain, associated),
      catch: (cause) =>
        cause instanceof Cipher.EncryptFailed
          ? cause
          : new Cipher.EncryptFailed({ key: first.id, detail: "see the cause.", cause })
    }),
  decrypt: (sealed, associated) =>
    Effect.try({
      try: () => {
        const id = keyOf(sealed)
        const key = keys.get(id)
        if (key === undefined) throw new Cipher.DecryptFailed({ key: id, reason: "UnknownKey" })
        return open(key, sealed, associated)
      },
      catch: rejected
    })
})

const make = Effect.fnUntraced(function*(options: Options) {
  const keys = yield* read(OptionCheck.fields("options", options, { keys: true }).keys)
  const [first] = keys.values()
  return first === undefined ? yield* Effect.die("There is no key") : makeSealing(keys, first)
})

/** Reads the keys when it is built. A wrong option is a defect that names it, and quotes no key. */
export const layer = (
  options: Options
): Layer.Layer<Cipher.Cipher, Credential.CredentialUnavailable | SessionError> =>
  Layer.effect(Cipher.Cipher, make(options))

/** Ciphers of subjects. */
export class SubjectCiphers extends Context.Service<SubjectCiphers, {
  /**
   * The cipher of a subject, such as a user. Its first encryption makes the subject's key. Each use reads the key from the store,
   * so that a destroyed key is gone for all processes at once.
   */
  readonly of: (subject: string) => Cipher.Sealing
  /** Destroys the key of a subject: what was encrypted with it cannot be read any more. Returns whether there was one. */
  readonly destroy: (subject: string) => Effect.Effect<boolean, SubjectKeysUnavailable>
}>()("@clawback/node/NodeCipher/SubjectCiphers") {}

/**
 * Ciphers of subjects, whose keys `SubjectKeys` keeps, encrypted by the `Cipher`. `Erasure.erase` destroys the key of its subject
 * while the layer is open.
 */
export const layerSubjects: Layer.Layer<SubjectCiphers, never, Cipher.Cipher | SubjectKeys> = Layer.effect(
  SubjectCiphers,
  Effect.gen(function*() {
    const master = yield* Cipher.Cipher
    const keys = yield* SubjectKeys
    yield* Erasure.register({
      name: `keys of subjects in ${keys.name}`,
      erase: (subject) => Effect.map(keys.destroy(subject), Number)
    })
    return { of: (subject) => Subject.make(master, keys, subject), destroy: keys.destroy }
  })
)
