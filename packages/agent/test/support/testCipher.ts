/** AES-256-GCM with keys that can be replaced. What is sealed begins with the number of its key. */
import { Data, Effect } from "effect"
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto"

export class CannotOpen extends Data.TaggedError("CannotOpen")<{ readonly message: string }> {}

const nonceLength = 12
const tagLength = 16

export const makeCipher = (keys: ReadonlyArray<Uint8Array>) => ({
  encrypt: (plain: Uint8Array, aad: Uint8Array) =>
    Effect.sync((): Uint8Array => {
      const nonce = randomBytes(nonceLength)
      const cipher = createCipheriv("aes-256-gcm", keys.at(-1) as Uint8Array, nonce).setAAD(aad)
      const text = Buffer.concat([cipher.update(plain), cipher.final()])
      return Buffer.concat([Buffer.of(keys.length - 1), nonce, cipher.getAuthTag(), text])
    }),
  decrypt: (sealed: Uint8Array, aad: Uint8Array) =>
    Effect.try({
      try: (): Uint8Array => {
        const key = keys[sealed[0] ?? 0]
        if (key === undefined) throw new Error("The key is gone")
        const nonce = sealed.subarray(1, 1 + nonceLength)
        const tag = sealed.subarray(1 + nonceLength, 1 + nonceLength + tagLength)
        const cipher = createDecipheriv("aes-256-gcm", key, nonce).setAAD(aad).setAuthTag(tag)
        return Buffer.concat([cipher.update(sealed.subarray(1 + nonceLength + tagLength)), cipher.final()])
      },
      catch: (cause) => new CannotOpen({ message: String(cause) })
    })
})

export const newKey = (): Uint8Array => randomBytes(32)
