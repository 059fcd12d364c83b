/**
 * Where a provider's secret comes from, and for how long it is held.
 *
 * A `Credential` is a description. A provider layer opens it once, which yields a `Source`; each call leases the secret
 * from the source at the moment of sending. When the layer closes, the source forgets the secret.
 *
 * The secret is `Redacted`: it prints as `<redacted>` in logs, errors and JSON. JavaScript cannot wipe a string from
 * memory; what ends with the source is every reference of ours to it.
 */
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Advice } from "./internal/retry/advice.ts"
import * as Session from "./Session.ts"
import type { SessionError } from "./SessionError.ts"

/** The source could not give the secret out. `credential` says which one, never what it is. */
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

/** An opened credential. */
export interface Source {
  /** The secret, for as long as the surrounding scope is open. */
  readonly lease: Effect.Effect<Redacted.Redacted<string>, CredentialUnavailable, Scope.Scope>
}

export interface Credential<out E = never, out R = never> {
  /** What to call it where the secret must not appear. */
  readonly name: string
  readonly open: Effect.Effect<Source, E, R | Scope.Scope>
}

/** Leases a secret, unless it was wiped: by its owner, or since its layer closed. */
const leaseOf = (credential: string, secret: Redacted.Redacted<string>): Source["lease"] =>
  Effect.suspend(() => {
    try {
      Redacted.value(secret)
      return Effect.succeed(secret)
    } catch (cause) {
      return Effect.fail(new CredentialUnavailable({ credential, cause }))
    }
  })

const NonBlank = Schema.Trim.check(Schema.isNonEmpty())

/**
 * A secret from the application's configuration: by default, the environment variable of this name.
 *
 * It is read when the layer is built, so that a missing one fails at start, with `CredentialUnavailable`, and not at the
 * first call.
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
    ({ value }): Source => ({ lease: leaseOf(name, value) })
  )
})

/** A secret that the application has already. It stays the application's to wipe. */
export const redacted = (name: string, secret: Redacted.Redacted<string>): Credential => ({
  name,
  open: Effect.succeed({ lease: leaseOf(name, secret) })
})
