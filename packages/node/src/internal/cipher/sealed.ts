/**
 * AES-256-GCM with a random nonce, as NIST SP 800-38D has it: https://doi.org/10.6028/NIST.SP.800-38D
 *
 * What is sealed: version (1 byte), length of the key's id (1 byte), the id, nonce (12 bytes), text, tag (16 bytes). The bytes
 * before the nonce are authenticated with the associated data.
 */
import * as Cipher from "@clawback/core/Cipher"
import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from "node:crypto"

const version = 1
const nonceLength = 12
const tagLength = 16
const algorithm = "aes-256-gcm"

/** A key, and how often this process has encrypted with it. */
export class Key {
  readonly id: string
  readonly secret: KeyObject
  uses = 0

  constructor(id: string, secret: KeyObject) {
    this.id = id
    this.secret = secret
  }
}

/** With random nonces, a key may encrypt this many texts, or two nonces may meet (SP 800-38D, section 8.3). */
export const maxUses = 2 ** 32

const headerOf = (id: string): Buffer => {
  const bytes = Buffer.from(id, "utf8")
  return Buffer.concat([Buffer.of(version, bytes.length), bytes])
}

const authenticated = (header: Uint8Array, associated: Uint8Array) => Buffer.concat([header, associated])

/** Throws an `EncryptFailed` if the key was used too often. */
export const seal = (key: Key, plain: Uint8Array, associated: Uint8Array): Uint8Array => {
  if (key.uses >= maxUses) {
    throw new Cipher.EncryptFailed({ key: key.id, detail: "it has encrypted 2^32 texts. Put another key before it." })
  }
  key.uses++
  const header = headerOf(key.id)
  const nonce = randomBytes(nonceLength)
  const cipher = createCipheriv(algorithm, key.secret, nonce, { authTagLength: tagLength })
  cipher.setAAD(authenticated(header, associated))
  const text = Buffer.concat([cipher.update(plain), cipher.final()])
  return new Uint8Array(Buffer.concat([header, nonce, text, cipher.getAuthTag()]))
}

/** The id of the key that has sealed this. Throws a `DecryptFailed` if it is nothing that was sealed. */
export const keyOf = (sealed: Uint8Array): string => {
  const length = sealed[1] ?? 0
  if (sealed[0] !== version || length === 0 || sealed.length < 2 + length + nonceLength + tagLength) {
    throw new Cipher.DecryptFailed({ reason: "Malformed" })
  }
  return Buffer.from(sealed.subarray(2, 2 + length)).toString("utf8")
}

/** Throws a `DecryptFailed`. */
export const open = (key: Key, sealed: Uint8Array, associated: Uint8Array): Uint8Array => {
  const header = headerOf(key.id)
  const body = sealed.subarray(header.length)
  const cipher = createDecipheriv(algorithm, key.secret, body.subarray(0, nonceLength), { authTagLength: tagLength })
  cipher.setAAD(authenticated(header, associated))
  cipher.setAuthTag(body.subarray(body.length - tagLength))
  try {
    const text = cipher.update(body.subarray(nonceLength, body.length - tagLength))
    return new Uint8Array(Buffer.concat([text, cipher.final()]))
  } catch {
    throw new Cipher.DecryptFailed({ key: key.id, reason: "Rejected" })
  }
}
