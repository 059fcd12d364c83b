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
 */

import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Advice } from "./internal/retry/advice.ts"
import * as Session from "./Session.ts"
import type { SessionError } from "./SessionError.ts"

/** The secret could not be read. `credential` is its name, never its value. */
export class CredentialUnavailable
  extends Schema.TaggedError<CredentialUnavailable>("@clawback/core/CredentialUnavailable")("CredentialUnavailable", {
    credential: Schema.String,
    cause: Schema.Defect()
  })
{
  get retry(): Advice {
    return { reach: "unsent", isTransient: false }
  }
  override get message() {
    return `The credential ${this.credential} is missing, blank or cannot be read. Set it where the application's configuration ` +
      "comes from (by default, the environment), or give the layer another credential."
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

export interface Credential<out E = never, out R = never> {
  /** The name to show in errors and sessions. */
  readonly name: string
  readonly open: Effect.Effect<Source, E, R | Scope.Scope>
}

/** A source of one identity, which is its own quota group. A lease fails once the secret was wiped. */
const single = (name: string, secret: Redacted.Redacted<string>): Source => ({
  identity: Effect.succeed({
    name,
    group: name,
    lease: Effect.suspend(() => {
      try {
        Redacted.value(secret)
        return Effect.succeed(secret)
      } catch (cause) {
        return Effect.fail(new CredentialUnavailable({ credential: name, cause }))
      }
    })
  })
})

const NonBlank = Schema.Trim.check(Schema.isNonEmpty())

/**
 * A secret from the application's configuration: by default, the environment variable of this name.
 *
 * The layer reads it when it is built. A missing secret fails there with `CredentialUnavailable`, not at the first call.
 */
export const config = (name: string): Credential<CredentialUnavailable | SessionError> => ({
  name,
  open: Effect.map(
    Session.acquire(
      { kind: "credential", name },
      Effect.mapBoth(Config.schema(NonBlank, name), {
        onSuccess: (secret) => Redacted.make(secret, { label: name }),
        onFailure: (cause) => new CredentialUnavailable({ credential: name, cause })
      }),
      (secret) => Effect.sync(() => Redacted.wipeUnsafe(secret))
    ),
    ({ value }) => single(name, value)
  )
})

/** A secret that the application holds already. The application wipes it. */
export const redacted = (name: string, secret: Redacted.Redacted<string>): Credential => ({
  name,
  open: Effect.succeed(single(name, secret))
})

/** No secret at all, for a server that asks for none. */
export const none: Credential = redacted("none", Redacted.make(""))
