/** Keys as they are given. */
import type * as Credential from "@clawback/core/Credential"
import * as OptionCheck from "@clawback/core/OptionCheck"
import type { SessionError } from "@clawback/core/SessionError"
import * as Effect from "effect/Effect"
import { hasProperty } from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { createSecretKey } from "node:crypto"
import { Key } from "./sealed.ts"

/** One key. */
export interface KeyOption {
  /** The name, which stands readable in what is encrypted: 1 to 64 ASCII characters. It must not be used again for another key. */
  readonly id: string
  /** 32 random bytes, as base64 or base64url: `openssl rand -base64 32`. */
  readonly key:
    | Redacted.Redacted<string>
    | Credential.Credential<Credential.CredentialUnavailable | SessionError>
}

export const keyLength = 32

/** Makes a key of bytes, and wipes them. */
export const ofBytes = (id: string, bytes: Buffer): Key => {
  const key = new Key(id, createSecretKey(bytes))
  bytes.fill(0)
  return key
}

const decoded = (id: string, secret: Redacted.Redacted<string>): Key => {
  const text = Redacted.value(secret).trim()
  const bytes = Buffer.from(text, "base64")
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(text) || bytes.length !== keyLength) {
    throw OptionCheck.wrong(
      `keys.${id}`,
      secret,
      `${keyLength} bytes as base64, such as of \`openssl rand -base64 32\``
    )
  }
  return ofBytes(id, bytes)
}

const secretOf = (
  key: KeyOption["key"]
): Effect.Effect<Redacted.Redacted<string>, Credential.CredentialUnavailable | SessionError, Scope.Scope> => {
  if (Redacted.isRedacted(key)) return Effect.succeed(key)
  if (!hasProperty(key, "open")) {
    throw OptionCheck.wrong("keys", Redacted.make(key), "made by `Redacted.make`, or a `Credential`")
  }
  return key.open.pipe(
    Effect.flatMap((source) => source.identity),
    Effect.flatMap((identity) => identity.lease)
  )
}

/** Reads the keys. Throws a `RangeError` for a wrong one. */
export const read = (
  options: ReadonlyArray<KeyOption>
): Effect.Effect<ReadonlyMap<string, Key>, Credential.CredentialUnavailable | SessionError> =>
  Effect.suspend(() => {
    if (!Array.isArray(options) || options.length === 0) {
      throw OptionCheck.wrong("keys", Redacted.make(options), "a list of at least one key")
    }
    for (const { id } of options) {
      if (!/^[!-~]{1,64}$/.test(OptionCheck.text("keys.id", id))) {
        throw OptionCheck.wrong("keys.id", id, "1 to 64 ASCII characters, without spaces")
      }
    }
    // A credential wipes its secret at the end of its scope.
    const read = Effect.forEach(options, ({ id, key }) =>
      Effect.scoped(Effect.map(
        Effect.suspend(() => secretOf(key)),
        (secret) => [id, decoded(id, secret)] as const
      )))
    return Effect.map(read, (entries) => {
      const keys = new Map(entries)
      if (keys.size === entries.length) return keys
      throw OptionCheck.wrong("keys", entries.map(([id]) => id), "keys with different ids")
    })
  })
