/**
 * Where a provider's secret comes from, and for how long it is held.
 *
 * A `Credential` is a description. A provider layer opens it once, which yields a `Source`. Each attempt of a call first
 * takes an identity from the source: its name, and the group whose quota it draws on. The attempt leases the identity's
 * secret at the moment of sending, once it has waited for everything else. When the layer closes, the source forgets the
 * secret.
 *
 * The secret is `Redacted`: it prints as `<redacted>` in logs, errors and JSON. JavaScript cannot wipe a string from
 * memory. The source drops every reference that it holds.
 *
 * @stable
 */

import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Advice } from "./internal/retry/advice.ts"
import * as OptionCheck from "./OptionCheck.ts"
import * as ReadableError from "./ReadableError.ts"
import * as Session from "./Session.ts"
import type { SessionError } from "./SessionError.ts"

/** The secret could not be read. `credential` is its name, never its value. */
export class CredentialUnavailable
  extends ReadableError.tagged<CredentialUnavailable>("@clawback/core/CredentialUnavailable")("CredentialUnavailable", {
    credential: Schema.String,
    /** What is wrong with the secret, without any part of it. */
    detail: Schema.optional(Schema.String),
    /** The secret was read before, and is wiped: its layer is closed, or the application wiped it. */
    isWiped: Schema.optional(Schema.Boolean),
    cause: Schema.Defect()
  })
{
  get retry(): Advice {
    return { reach: "unsent", isTransient: false }
  }
  override get message() {
    if (this.isWiped === true) {
      return `The secret of the credential ${this.credential} was wiped: the layer that read it is closed, or the application ` +
        "wiped it. Make calls while their layer is open."
    }
    return `The credential ${this.credential} ${
      this.detail ?? "is missing, blank or cannot be read"
    }. Set it where the ` +
      "application's configuration comes from (by default, the environment), or give the layer another credential."
  }
}

/** One identity at a provider, such as one API key. Nothing in it is secret until it is leased. */
export interface Identity {
  /** The name to show in errors and sessions. */
  readonly name: string
  /** The quota group. Identities of one account share its limits, and so the group. */
  readonly group: string
  /** The secret, for as long as the surrounding scope is open. */
  readonly lease: Effect.Effect<Redacted.Redacted<string>, CredentialUnavailable, Scope.Scope>
}

/** An opened credential. */
export interface Source {
  /** The identity for one attempt. It is in use for as long as the surrounding scope is open. */
  readonly identity: Effect.Effect<Identity, CredentialUnavailable, Scope.Scope>
}

/** `E` are the errors of its opening, besides `CredentialUnavailable`. */
export interface Credential<out E = never, out R = never> {
  /** The name to show in errors and sessions. */
  readonly name: string
  readonly open: Effect.Effect<Source, E | CredentialUnavailable, R | Scope.Scope>
}

/** The secret as it is sent, without the white space around it. Throws once it was wiped. */
const trimmed = (secret: Redacted.Redacted<string>): Redacted.Redacted<string> => {
  const value = Redacted.value(secret)
  const bare = value.trim()
  return bare === value ? secret : Redacted.make(bare, { label: secret.label })
}

/** A source of one identity, which is its own quota group. A lease fails once the secret was wiped. */
const single = (name: string, secret: Redacted.Redacted<string>): Source => ({
  identity: Effect.succeed({
    name,
    group: name,
    lease: Effect.suspend(() => {
      try {
        return Effect.succeed(trimmed(secret))
      } catch (cause) {
        return Effect.fail(new CredentialUnavailable({ credential: name, isWiped: true, cause }))
      }
    })
  })
})

/** What is wrong with a secret that no request can carry. It quotes no part of the secret. */
const flaw = (secret: unknown): string | undefined => {
  if (typeof secret !== "string") return "is missing: its secret is not a text"
  const bare = secret.trim()
  if (bare === "") return "is blank"
  if (/[\r\n]/.test(bare)) return "has a line break in it, which no header can carry"
  // A header may have a tab, and the letters of Latin-1.
  if (/(?!\t)\p{Cc}/u.test(bare)) return "has a control character in it, which no header can carry"
  if (/[\u0100-\u{10ffff}]/u.test(bare)) {
    return "has a character beyond Latin-1 in it, which no header can carry, such as an ellipsis or an invisible space"
  }
  return undefined
}

/** Fails where no request can carry the secret. */
const checked = (name: string, secret: Redacted.Redacted<string>): Effect.Effect<Source, CredentialUnavailable> =>
  Effect.suspend(() => {
    try {
      const detail = flaw(Redacted.value(secret))
      if (detail === undefined) return Effect.succeed(single(name, secret))
      return Effect.fail(
        new CredentialUnavailable({ credential: name, detail, cause: new RangeError(`The credential ${detail}`) })
      )
    } catch (cause) {
      return Effect.fail(new CredentialUnavailable({ credential: name, isWiped: true, cause }))
    }
  })

const NonBlank = Schema.Trim.check(Schema.isNonEmpty())

/**
 * A secret from the application's configuration: by default, the environment variable of this name.
 *
 * The layer reads it when it is built. A secret that is missing, or that no header can carry, fails there with
 * `CredentialUnavailable`, not at the first call.
 */
export const config = (name: string): Credential<CredentialUnavailable | SessionError> => ({
  name,
  open: Effect.flatMap(
    Session.acquire(
      { kind: "credential", name },
      Effect.mapBoth(Config.schema(NonBlank, name), {
        onSuccess: (secret) => Redacted.make(secret, { label: name }),
        onFailure: (cause) => new CredentialUnavailable({ credential: name, cause })
      }),
      (secret) => Effect.sync(() => Redacted.wipeUnsafe(secret))
    ),
    ({ value }) => checked(name, value)
  )
})

/**
 * A secret that the application holds already. The application wipes it.
 *
 * White space around it is not sent. A blank secret, or one that no header can carry, fails with `CredentialUnavailable` when
 * the layer is built.
 */
export const redacted = (name: string, secret: Redacted.Redacted<string>): Credential => {
  if (!Redacted.isRedacted(secret)) throw OptionCheck.wrong("secret", Redacted.make(secret), "made by `Redacted.make`")
  return { name, open: checked(name, secret) }
}

/** No secret at all, for a server that asks for none. */
export const none: Credential = { name: "none", open: Effect.succeed(single("none", Redacted.make(""))) }

const isConfigured = (name: string): Effect.Effect<boolean, CredentialUnavailable> =>
  Effect.mapBoth(Config.withDefault(Config.String(name), ""), {
    onSuccess: (secret) => secret.trim() !== "",
    onFailure: (cause) => new CredentialUnavailable({ credential: name, cause })
  })

/**
 * A secret from the application's configuration, or `none` where it is missing or blank: for a server that may run with a key
 * or without one.
 */
export const configOrNone = (name: string): Credential<CredentialUnavailable | SessionError> => ({
  name,
  open: Effect.flatMap(isConfigured(name), (is) => is ? config(name).open : none.open)
})
