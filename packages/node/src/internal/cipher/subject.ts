/** Ciphers of subjects: each encrypts with a key of its own, which the master key has encrypted. */
import * as Cipher from "@clawback/core/Cipher"
import type { SubjectKeys } from "@clawback/core/SubjectKeys"
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import { keyLength, ofBytes } from "./keys.ts"
import { type Key, keyOf, open, seal } from "./sealed.ts"

const bytesOf = (text: string) => new TextEncoder().encode(text)

const placeOf = (subject: string) => bytesOf(JSON.stringify(["clawback subject key 1", subject]))

const idLength = 12

/** An id, so that a text of a destroyed key is known as such, and the key. */
const fresh = () => {
  const id = randomBytes(idLength).toString("base64url")
  return { id, bytes: Buffer.concat([Buffer.from(id, "ascii"), randomBytes(keyLength)]) }
}

const unpacked = (bytes: Uint8Array): Key => {
  const packed = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const id = packed.toString("ascii", 0, packed.length - keyLength)
  const key = ofBytes(id, Buffer.from(packed.subarray(packed.length - keyLength)))
  packed.fill(0)
  return key
}

const encryptFailed = (subject: string) => (cause: unknown) =>
  cause instanceof Cipher.EncryptFailed ? cause : new Cipher.EncryptFailed({
    key: `of the subject ${subject}`,
    detail: "the subject's key could not be read or made: see the cause.",
    cause
  })

/** Runs what throws the errors of ciphers. */
const attempt = <A, E>(f: () => A, wrap: (cause: unknown) => E): Effect.Effect<A, E> =>
  Effect.try({ try: f, catch: wrap })

const destroyed = (key: string) => Effect.fail(new Cipher.DecryptFailed({ key, reason: "KeyDestroyed" }))

export const make = (master: Cipher.Sealing, keys: SubjectKeys["Service"], subject: string): Cipher.Sealing => {
  const place = placeOf(subject)
  const unwrap = (sealed: string) =>
    Effect.map(master.decrypt(new Uint8Array(Buffer.from(sealed, "base64url")), place), unpacked)

  const create = Effect.suspend(() => {
    const { bytes } = fresh()
    return Effect.flatMap(
      master.encrypt(bytes, place),
      (sealed) => keys.getOrCreate(subject, Buffer.from(sealed).toString("base64url"))
    ).pipe(Effect.ensuring(Effect.sync(() => bytes.fill(0))))
  })

  const own = Effect.flatMap(
    Effect.flatMap(keys.get(subject), (known) => known === undefined ? create : Effect.succeed(known)),
    unwrap
  )

  return {
    encrypt: (plain, associated) =>
      Effect.flatMap(own, (key) => attempt(() => seal(key, plain, associated), encryptFailed(subject))).pipe(
        Effect.mapError(encryptFailed(subject))
      ),
    decrypt: (sealed, associated) =>
      Effect.gen(function*() {
        const id = yield* attempt(() => keyOf(sealed), (cause) => cause as Cipher.DecryptFailed)
        const unavailable = (cause: unknown) => new Cipher.DecryptFailed({ key: id, reason: "KeyUnavailable", cause })
        const known = yield* Effect.mapError(keys.get(subject), unavailable)
        if (known === undefined) return yield* destroyed(id)
        const key = yield* Effect.mapError(unwrap(known), unavailable)
        if (key.id !== id) return yield* destroyed(id)
        return yield* attempt(() => open(key, sealed, associated), (cause) => cause as Cipher.DecryptFailed)
      })
  }
}
