/**
 * Erases what is kept about a subject, such as a user who asked for it, from everything that keeps something.
 *
 * Each store registers what it can erase: stores of conversations and keys of subjects do so by themselves, an application adds
 * its own. `erase` runs them all, each within a limit, and reports how much each has erased.
 *
 * ```ts
 * import { Erasure } from "@clawback/core"
 * import { Console, Effect } from "effect"
 *
 * const orders = new Map([["o1", "user-7"], ["o2", "user-8"]])
 *
 * const ofOrders: Erasure.Erasable = {
 *   name: "orders",
 *   erase: (subject) =>
 *     Effect.sync(() => {
 *       const own = [...orders].filter(([, user]) => user === subject)
 *       for (const [id] of own) orders.delete(id)
 *       return own.length
 *     })
 * }
 *
 * const program = Effect.gen(function*() {
 *   yield* Erasure.register(ofOrders)
 *   const report = yield* Erasure.erase("user-7")
 *   yield* Console.log(report.erased) // [ { name: "orders", count: 1 } ]
 * })
 *
 * await Effect.runPromise(Effect.scoped(program))
 * ```
 *
 * Guarantees: each registered store is asked, even if another one fails or hangs. If one fails, so does `erase`, with
 * `ErasureIncomplete`, which names it. Erasing again is safe: repeat it until it succeeds.
 *
 * Limits: work of the subject that is under way holds texts in memory until it ends. Revoke it before:
 * `SessionRegistry.revoke({ subject }, reason)`. What was copied elsewhere, such as logs and backups, is not reached. Encrypt
 * what is stored with a key of the subject, and its copies become unreadable when the key is erased.
 *
 * @experimental
 */

import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Deadline from "./Deadline.ts"
import * as OptionCheck from "./OptionCheck.ts"
import * as ReadableError from "./ReadableError.ts"

/** Something that keeps what belongs to subjects. */
export interface Erasable<E = unknown, R = never> {
  /** The name in reports. It should say where the data was, such as `"conversations in Redis"`. */
  readonly name: string
  /** Erases what belongs to the subject, and returns how many things that were. Erasing again must be safe. */
  readonly erase: (subject: string) => Effect.Effect<number, E, R>
}

/** How many things a store has erased. */
export const Erased = Schema.Struct({ name: Schema.String, count: Schema.Int })
export interface Erased extends Schema.Schema.Type<typeof Erased> {}

export interface Report {
  readonly erased: ReadonlyArray<Erased>
}

/**
 * Some stores have not erased what belongs to the subject. The error does not name the subject, so that a log may keep it.
 * `cause` is the error of the first of them.
 */
export class ErasureIncomplete
  extends ReadableError.tagged<ErasureIncomplete>("@clawback/core/ErasureIncomplete")("ErasureIncomplete", {
    failed: Schema.Array(Schema.Struct({ name: Schema.String, reason: Schema.String })),
    erased: Schema.Array(Erased),
    cause: Schema.optional(Schema.Defect())
  })
{
  override get message() {
    const failed = this.failed.map(({ name, reason }) => `${name} (${reason})`).join(", ")
    return `The erasure is incomplete: ${failed} failed, ${this.erased.length} others are done. Erase again until it succeeds.`
  }
}

/** The stores that are registered. One set serves the process, unless `layer` isolates. */
const Registered: Context.Reference<Set<Erasable>> = Context.Reference("@clawback/core/Erasure/Registered", {
  defaultValue: () => new Set<Erasable>()
})

/** Has registrations of its own, for tests and for applications that share a process. */
export const layer: Layer.Layer<never> = Layer.effect(Registered, Effect.sync(() => new Set<Erasable>()))

/** Registers a store until the surrounding scope closes. */
export const register = <E, R>(erasable: Erasable<E, R>): Effect.Effect<void, never, R | Scope.Scope> =>
  Effect.gen(function*() {
    const registered = yield* Registered
    const context = yield* Effect.context<R>()
    const own: Erasable = {
      name: erasable.name,
      erase: (subject) => Effect.provideContext(erasable.erase(subject), context)
    }
    yield* Effect.acquireRelease(
      Effect.sync(() => registered.add(own)),
      () => Effect.sync(() => registered.delete(own))
    )
  })

export interface Options {
  /**
   * How long each store may take. Default: 1 minute. Too low, and a slow store never finishes; too high, and a store that
   * hangs delays the report.
   */
  readonly limit?: Duration.Input | undefined
}

/** Waits no longer than the limit, even for a store that cannot be interrupted. */
const asked = Effect.fnUntraced(function*(erasable: Erasable, subject: string, limit: Duration.Input) {
  const fiber = yield* Effect.forkDetach(Effect.suspend(() => erasable.erase(subject)), { startImmediately: true })
  const ended = Effect.flatten(Fiber.await(fiber)).pipe(Deadline.within(limit))
  const exit = yield* Effect.exit(Effect.interruptible(ended))
  fiber.interruptUnsafe()
  return { name: erasable.name, exit }
}, Effect.uninterruptible)

/** What an operator may read: a tag or a message, never a value. */
const reasonOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  if (typeof error === "object" && error !== null && "_tag" in error) return String(error._tag)
  return error instanceof Error ? error.name : "a failure"
}

/**
 * Erases what is kept about a subject, in all stores at once.
 *
 * Fails with `ErasureIncomplete` if a store fails, dies or exceeds its limit. The others are done then.
 */
export const erase = (subject: string, options: Options = {}): Effect.Effect<Report, ErasureIncomplete> =>
  Effect.gen(function*() {
    const limit = OptionCheck.interval("limit", options.limit ?? "1 minute")
    const registered = yield* Registered
    const results = yield* Effect.forEach(
      [...registered],
      (erasable) => asked(erasable, subject, limit),
      { concurrency: "unbounded" }
    )
    const erased = results.flatMap(({ exit, name }) => Exit.isSuccess(exit) ? [{ name, count: exit.value }] : [])
    const failures = results.flatMap(({ exit, name }) => Exit.isFailure(exit) ? [{ name, cause: exit.cause }] : [])
    const [first] = failures
    if (first === undefined) return { erased }
    const failed = failures.map(({ cause, name }) => ({ name, reason: reasonOf(cause) }))
    return yield* new ErasureIncomplete({ failed, erased, cause: Cause.squash(first.cause) })
  })
