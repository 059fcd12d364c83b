/**
 * The conversations of each subject, for erasure.
 *
 * A conversation and the index of its subject are different keys, which a cluster may keep at different servers. So no script
 * changes both. A conversation is added to the index before it has its subject. It leaves the index after it is gone, unless it
 * was added again meanwhile. An index may therefore name conversations that are not there, but never lacks one.
 */
import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Redis from "effect/persistence/Redis"
import type { Expiry } from "../model.ts"
import { orNone } from "./answers.ts"
import * as Scripts from "./subjectScripts.ts"

/** An index outlives the conversations in it, if each of them is added again within a half of its lifetime. */
const lifetimes = 2

/** How long a conversation that is not there stays in the index: one that is being begun is added first. */
const grace = 60_000

/** How many conversations are known to have been added a short time ago. */
const maxKnown = 10_000

const lifetimeOf = ({ absolute, idle }: Expiry): number | undefined => {
  const lifetime = Math.min(idle ?? Infinity, absolute ?? Infinity)
  return lifetime === Infinity ? undefined : lifetime
}

const unlimited = 600_000

type RedisService = Redis.Redis["Service"]

export class Subjects {
  private readonly redis: RedisService
  private readonly prefix: string
  /** Until when a conversation need not be added again, by the clock of this process. The oldest first. */
  private readonly known = new Map<string, number>()

  constructor(redis: RedisService, prefix: string) {
    this.redis = redis
    this.prefix = prefix
  }

  private key(subject: string): string {
    return `${this.prefix}of{${subject}}`
  }

  add(conversation: string, subject: string, expiry: Expiry) {
    const lifetime = lifetimeOf(expiry)
    return Effect.andThen(
      this.redis.eval(Scripts.index)(this.key(subject), [
        conversation,
        orNone(lifetime === undefined ? undefined : lifetime * lifetimes)
      ]),
      Effect.clockWith((clock) => Effect.sync(() => this.note(conversation, clock, lifetime ?? unlimited)))
    )
  }

  /** Adds it again, if it was a while ago. */
  renew(conversation: string, subject: string, expiry: Expiry) {
    return Effect.clockWith((clock) =>
      clock.currentTimeMillisUnsafe() < (this.known.get(conversation) ?? 0)
        ? Effect.void
        : Effect.asVoid(this.add(conversation, subject, expiry))
    )
  }

  private note(conversation: string, clock: Clock.Clock, lifetime: number): void {
    this.known.delete(conversation)
    this.known.set(conversation, clock.currentTimeMillisUnsafe() + lifetime / 2)
    const [oldest] = this.known.keys()
    if (this.known.size > maxKnown && oldest !== undefined) this.known.delete(oldest)
  }

  /** When it was added, as the index says it. */
  score(conversation: string, subject: string) {
    return this.redis.send<string | null>("ZSCORE", this.key(subject), conversation)
  }

  /** It was removed. */
  drop(conversation: string, subject: string, score: string) {
    return this.redis.eval(Scripts.unindex)(this.key(subject), [conversation, score, 0])
  }

  /** It is not there. */
  prune(conversation: string, subject: string, score: string) {
    return this.redis.eval(Scripts.unindex)(this.key(subject), [conversation, score, grace])
  }

  /** A page of conversations and scores, and where the next one begins. */
  page(subject: string, after: string, limit: number) {
    return Effect.map(
      this.redis.send<[string, Array<string>]>("ZSCAN", this.key(subject), after, "COUNT", String(limit)),
      ([next, found]) => ({
        next,
        members: Array.from(
          { length: found.length / 2 },
          (_, i) => [String(found[2 * i]), String(found[2 * i + 1])] as const
        )
      })
    )
  }
}
