/**
 * Removes what a store of conversations has kept for long enough, and what belongs to a subject.
 *
 * The store itself forgets conversations that have expired. Retention is for what their expiry does not cover: a new rule for
 * conversations that are there already, and parts of long ones. Run it from time to time, in one process.
 *
 * ```ts
 * import { ConversationStore, Retention } from "@clawback/agent"
 * import { Console, Effect } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const policy = Retention.policy({ idle: "90 days", keepLast: 200 })
 *   const before = yield* Retention.preview(policy) // changes nothing
 *   yield* Console.log(before.examined, before.removed) // 0 0
 *   yield* Retention.apply(policy)
 * })
 *
 * await Effect.runPromise(Effect.provide(program, ConversationStore.layerMemory()))
 * ```
 *
 * Guarantees: a conversation that is used while it is judged is not removed. Entries are dropped only where a view stands for
 * them, so that each history stays whole: without a compaction, `keepLast` drops nothing. An interrupted run has done a part, and
 * the next one does the rest.
 *
 * Limits: ages are judged by this machine's clock and the store's, which should agree within seconds. `erase` removes what stores
 * hold, not what their logs and backups hold: encrypt with keys of subjects, and erase the key.
 *
 * @experimental
 */

import * as Erasure from "@clawback/core/Erasure"
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { ConversationStore } from "./ConversationStore.ts"
import type { StoreUnavailable } from "./internal/store/errors.ts"
import type { Head } from "./internal/store/model.ts"

export interface Options {
  /**
   * Removes conversations without activity for this long. Default: none. Too low, and users who come back find nothing; too high,
   * and the store keeps what nobody needs.
   */
  readonly idle?: Duration.Input | undefined
  /** Removes conversations that began this long ago, even if they are in use. Default: none. Too low and too high: as above. */
  readonly maxAge?: Duration.Input | undefined
  /**
   * How many of its newest entries a conversation keeps. Older ones are dropped where a view stands for them. Default: all. Too
   * low, and nothing is left to show to a user; too high, and logs of long conversations take space.
   */
  readonly keepLast?: number | undefined
  /**
   * How many conversations are listed at a time. Default: 100. Too low, and a run takes more requests; too high, and the store is
   * busy with one of them.
   */
  readonly pageSize?: number | undefined
}

export interface Policy {
  readonly idle: Duration.Duration | undefined
  readonly maxAge: Duration.Duration | undefined
  readonly keepLast: number
  readonly pageSize: number
}

/** What a run has done, or would do. */
export interface Report {
  readonly examined: number
  /** Conversations that were removed, and the bytes that they had. */
  readonly removed: number
  readonly removedBytes: number
  /** Conversations that were made shorter, and the entries that were dropped. A preview counts those that may be. */
  readonly trimmed: number
  readonly trimmedEntries: number
}

const fields: Readonly<Record<keyof Options, true>> = { idle: true, maxAge: true, keepLast: true, pageSize: true }

/** Checks the options. A wrong one is a `RangeError` that names it. */
export const policy = (options: Options): Policy => {
  OptionCheck.fields("options", options, fields)
  const { idle, keepLast, maxAge, pageSize = 100 } = options
  return {
    idle: idle === undefined ? undefined : OptionCheck.duration("idle", idle),
    maxAge: maxAge === undefined ? undefined : OptionCheck.duration("maxAge", maxAge),
    keepLast: keepLast === undefined ? Infinity : OptionCheck.count("keepLast", keepLast, 1),
    pageSize: OptionCheck.count("pageSize", pageSize, 1)
  }
}

const nothing: Report = { examined: 0, removed: 0, removedBytes: 0, trimmed: 0, trimmedEntries: 0 }

const sum = (one: Report, other: Report): Report => ({
  examined: one.examined + other.examined,
  removed: one.removed + other.removed,
  removedBytes: one.removedBytes + other.removedBytes,
  trimmed: one.trimmed + other.trimmed,
  trimmedEntries: one.trimmedEntries + other.trimmedEntries
})

/** What becomes of a conversation, by the clock of the store. */
interface Limits {
  readonly idleSince: number
  readonly bornBefore: number
  readonly keepLast: number
}

const limitsAt = ({ idle, keepLast, maxAge }: Policy, now: number): Limits => ({
  idleSince: idle === undefined ? -Infinity : now - Duration.toMillis(idle),
  bornBefore: maxAge === undefined ? -Infinity : now - Duration.toMillis(maxAge),
  keepLast
})

const isOver = ({ createdAt, touchedAt }: Head, { bornBefore, idleSince }: Limits): boolean =>
  touchedAt <= idleSince || createdAt <= bornBefore

/** How many entries are there beyond those that are kept. */
const surplus = ({ cursor, trimmed }: Head, { keepLast }: Limits): number => cursor.position - trimmed - keepLast

const removed = ({ bytes }: Head): Report => ({ ...nothing, removed: 1, removedBytes: bytes })

const trimmed = (entries: number): Report => entries > 0 ? { ...nothing, trimmed: 1, trimmedEntries: entries } : nothing

type Judge = (head: Head, limits: Limits, store: ConversationStore) => Effect.Effect<Report, StoreUnavailable>

const foreseen: Judge = (head, limits) =>
  Effect.succeed(isOver(head, limits) ? removed(head) : trimmed(surplus(head, limits)))

const done: Judge = (head, limits, store) => {
  const { conversation, createdAt, cursor: { incarnation, position } } = head
  if (isOver(head, limits)) {
    // One that is old is removed even if it is in use; one that is idle only if nobody has used it meanwhile.
    const only = createdAt <= limits.bornBefore ? { incarnation } : { incarnation, idleSince: limits.idleSince }
    return Effect.map(store.remove(conversation, only), (was) => was ? removed(head) : nothing)
  }
  return surplus(head, limits) > 0
    ? Effect.map(store.trim({ conversation, incarnation, upTo: position - limits.keepLast }), trimmed)
    : Effect.succeed(nothing)
}

/** All conversations of a store, a page at a time. */
const each = Effect.fnUntraced(function*(
  store: ConversationStore,
  options: { readonly subject?: string; readonly limit: number },
  f: (head: Head) => Effect.Effect<Report, StoreUnavailable>
) {
  let report = nothing
  let after: string | undefined
  do {
    const { heads, next } = yield* store.scan({ ...options, after })
    for (const head of heads) report = sum(report, sum({ ...nothing, examined: 1 }, yield* f(head)))
    after = next
  } while (after !== undefined)
  return report
})

const run = (policy: Policy, judge: Judge): Effect.Effect<Report, StoreUnavailable> =>
  Effect.gen(function*() {
    const store = yield* ConversationStore
    const limits = limitsAt(policy, yield* Clock.currentTimeMillis)
    return yield* each(store, { limit: policy.pageSize }, (head) => judge(head, limits, store))
  })

/** Removes and drops what the policy does not keep. */
export const apply = (policy: Policy): Effect.Effect<Report, StoreUnavailable> => run(policy, done)

/** Reports what `apply` would do, and changes nothing. */
export const preview = (policy: Policy): Effect.Effect<Report, StoreUnavailable> => run(policy, foreseen)

/**
 * Removes all conversations of a subject, and returns how many. The subject of a conversation is that of `Caller` at its first
 * append. Conversations that are open fail at their next change, and cannot come back.
 */
export const erase = (subject: string): Effect.Effect<number, StoreUnavailable> =>
  Effect.gen(function*() {
    const store = yield* ConversationStore
    const report = yield* each(store, { subject, limit: 100 }, (head) =>
      Effect.map(store.remove(head.conversation), (was) =>
        was ? removed(head) : nothing))
    return report.removed
  })

/** Has `Erasure.erase` remove the conversations of the current store, until the surrounding scope closes. */
export const register: Effect.Effect<void, never, Scope.Scope> = Effect.gen(function*() {
  const store = yield* ConversationStore
  yield* Erasure.register({
    name: `conversations in ${store.name}`,
    erase: (subject) => Effect.provideService(erase(subject), ConversationStore, store)
  })
})
