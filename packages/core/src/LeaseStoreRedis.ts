/**
 * Leases in Redis, for processes on many machines. Each step is one script, which the server runs as a whole, by its own clock.
 *
 * Guarantees: those of `LeaseStore`. A server that was restarted grants nothing new until it has been up for the `ttl` of the request:
 * it may have lost leases whose holders go on. Keys expire by themselves, a minute after their last lease.
 *
 * Limits: a failover to a replica may lose leases that were granted just before, so that a key has too many holders for a moment. A
 * server whose clock is set forward lets leases expire too early. Pass `lease.token` to what the lease protects.
 *
 * The server must not evict keys: set `maxmemory-policy` to `noeviction`. Otherwise, a warning is logged at the start.
 *
 * ```ts no-run
 * import { Lease } from "@clawback/core"
 * import * as LeaseStoreRedis from "@clawback/core/LeaseStoreRedis"
 * import * as NodeRedis from "@clawback/node/NodeRedis"
 * import { Config, Console, Effect, Layer } from "effect"
 *
 * const program = Lease.use({ key: "import", limit: 3, wait: "5 seconds" }, (lease) => Console.log(lease.token))
 *
 * await Effect.runPromise(Effect.provide(program, LeaseStoreRedis.layer().pipe(Layer.provide(NodeRedis.layerConfig({ url: Config.Redacted("REDIS_URL") })))))
 * ```
 *
 * Imported by its own path, `@clawback/core/LeaseStoreRedis`. It needs Effect's `Redis` service, and Redis 5 or later.
 *
 * Sources: expiry and identity are those of the pattern with `SET NX` that Redis documents. The wait after a restart is the "delayed
 * restart" of its page on distributed locks.
 *
 * @experimental
 */

import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Redis, type RedisError } from "effect/persistence/Redis"
import { LeaseStoreError } from "./internal/lease/errors.ts"
import type { Holder } from "./internal/lease/model.ts"
import { isUnsent } from "./internal/lease/reach.ts"
import * as Scripts from "./internal/lease/redisScripts.ts"
import { LeaseStore } from "./LeaseStore.ts"
import * as OptionCheck from "./OptionCheck.ts"

export interface Options {
  /** What the names of all keys begin with. Default: `"clawback:lease:"`. All who share a limit use the same prefix. */
  readonly prefix?: string | undefined
}

const failedTo = (operation: LeaseStoreError["operation"], key: string) => (cause: RedisError) =>
  new LeaseStoreError({
    store: "redis",
    operation,
    key,
    problem: "Redis did not answer as it should. Check that it can be reached: see the cause",
    isUnknown: !isUnsent(cause),
    cause
  })

const evicts = (memory: string): boolean =>
  !/^maxmemory:0\s*$/m.test(memory) && /^maxmemory_policy:(?!noeviction)/m.test(memory)

/** Looks once whether the server may evict leases. A server that does not allow to look is not judged. */
const warn = (redis: Redis["Service"]): Effect.Effect<void> =>
  redis.send("INFO", "memory").pipe(
    Effect.flatMap((memory) =>
      evicts(String(memory))
        ? Effect.logWarning(
          "This Redis evicts keys when its memory is full, and so may grant a lease that is still held. " +
            "Set `maxmemory-policy` to `noeviction`, or keep leases in a Redis of their own"
        )
        : Effect.void
    ),
    Effect.ignore
  )

const holdersOf = (found: ReadonlyArray<string>): ReadonlyArray<Holder> =>
  Array.from({ length: found.length / 4 }, (_, i) => {
    const [id = "", token, expiresIn, holder = ""] = found.slice(4 * i, 4 * i + 4)
    return { id, token: Number(token), expiresIn: Number(expiresIn), holder }
  })

const make = Effect.fnUntraced(function*({ prefix = "clawback:lease:" }: Options) {
  OptionCheck.text("prefix", prefix)
  const redis = yield* Redis
  const acquire = redis.eval(Scripts.acquire)
  const renew = redis.eval(Scripts.renew)
  const release = redis.eval(Scripts.release)
  const holders = redis.eval(Scripts.holders)
  yield* Effect.forkScoped(warn(redis))
  const store: LeaseStore = {
    name: "redis",
    acquire: ({ holder, id, key, limit, ttl }) =>
      acquire(prefix + key, id, limit, ttl, holder).pipe(
        Effect.map(([token, retryIn]) =>
          token < 0 ? { _tag: "Busy", retryIn } as const : { _tag: "Granted", token } as const
        ),
        Effect.mapError(failedTo("acquire", key))
      ),
    renew: ({ id, key, token, ttl }) =>
      renew(prefix + key, id, token, ttl).pipe(
        Effect.map(([isRenewed]) => isRenewed === 1),
        Effect.mapError(failedTo("renew", key))
      ),
    release: ({ id, key, token }) =>
      Effect.asVoid(Effect.mapError(release(prefix + key, id, token), failedTo("release", key))),
    holders: (key) => holders(prefix + key).pipe(Effect.map(holdersOf), Effect.mapError(failedTo("holders", key)))
  }
  return store
})

/** Keeps leases in Redis. It opens although Redis is away: each step fails then, by its own time limit. */
export const layer = (options: Options = {}): Layer.Layer<never, never, Redis> =>
  Layer.effect(LeaseStore, make(options))
