/**
 * Where the keys of subjects are kept, such as one key for each user. A cipher encrypts each with its master key before.
 *
 * Destroying the key of a subject makes everything unreadable that was encrypted with it, also in copies that nobody can find any
 * more. `NodeCipher.subjects` uses this. `layerMemory` serves one process and its tests; `SubjectKeysSql` keeps keys.
 *
 * Limits: a backup of the keys keeps what was destroyed. Keep them apart from the texts, and their backups for a short time.
 *
 * @experimental
 */

import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as ReadableError from "./ReadableError.ts"

/** The keys could not be read or changed. */
export class SubjectKeysUnavailable
  extends ReadableError.tagged<SubjectKeysUnavailable>("@clawback/core/SubjectKeysUnavailable")(
    "SubjectKeysUnavailable",
    { store: Schema.String, cause: Schema.Defect() }
  )
{
  override get message() {
    return `The keys of subjects in ${this.store} could not be read or changed. Try again once it works: see the cause.`
  }
}

export class SubjectKeys extends Context.Service<SubjectKeys, {
  /** The name in errors and reports. */
  readonly name: string
  /** The encrypted key of a subject, if it has one. */
  readonly get: (subject: string) => Effect.Effect<string | undefined, SubjectKeysUnavailable>
  /** Keeps a key, unless the subject has one. Returns the key that the subject has then: everybody gets the same. */
  readonly getOrCreate: (subject: string, fresh: string) => Effect.Effect<string, SubjectKeysUnavailable>
  /** Forgets the key of a subject. Returns whether it had one. Again is safe. */
  readonly destroy: (subject: string) => Effect.Effect<boolean, SubjectKeysUnavailable>
}>()("@clawback/core/SubjectKeys") {}

/** Keeps keys in this process, and loses them with it, and with them what was encrypted. */
export const layerMemory: Layer.Layer<SubjectKeys> = Layer.effect(
  SubjectKeys,
  Effect.sync(() => {
    const keys = new Map<string, string>()
    return {
      name: "memory",
      get: (subject) => Effect.sync(() => keys.get(subject)),
      getOrCreate: (subject, fresh) =>
        Effect.sync(() => {
          const known = keys.get(subject)
          if (known === undefined) keys.set(subject, fresh)
          return known ?? fresh
        }),
      destroy: (subject) => Effect.sync(() => keys.delete(subject))
    }
  })
)
