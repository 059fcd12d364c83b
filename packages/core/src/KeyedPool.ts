/**
 * A `Pool` for each key, such as a server or a tenant, with the same guarantees and options.
 *
 * The pool of a key is made when a caller first borrows with that key. It is dropped when it has no items and no waiters, so
 * that nothing grows with the number of keys ever seen. While connecting fails, it is kept for some seconds for its backoff.
 *
 * Limits: `max` and `maxWaiters` are per key. There is no limit over all keys. Keys are compared as Effect's `Equal` does. They
 * are not shown in sessions, metrics and errors, since they may be secret, and many.
 *
 * ```ts
 * import { KeyedPool } from "@clawback/core"
 * import { Console, Effect } from "effect"
 *
 * class Tenants extends KeyedPool.Service<Tenants>()("app/Tenants", {
 *   acquire: (tenant: string) => Effect.as(Console.log(`connect for ${tenant}`), { tenant }),
 *   max: 5
 * }) {}
 *
 * const program = Tenants.use("acme", ({ tenant }) => Console.log(`query for ${tenant}`))
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Tenants.layer)))
 * ```
 *
 * @experimental
 */

import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Layer from "effect/Layer"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import * as Scope from "effect/Scope"
import { getAt, useAt } from "./internal/pool/borrow.ts"
import { drain as drainCore } from "./internal/pool/drain.ts"
import { environmentOf } from "./internal/pool/environment.ts"
import type { PoolError } from "./internal/pool/errors.ts"
import { invalidateIn } from "./internal/pool/invalidate.ts"
import { Keyed } from "./internal/pool/keyed.ts"
import { PoolMetrics, statsOf } from "./internal/pool/metrics.ts"
import type { Options as PoolOptions, Stats } from "./internal/pool/model.ts"
import { checked } from "./internal/pool/settings.ts"
import * as Site from "./internal/session/site.ts"

/** The options of `Pool.make`, but for the effect that opens an item of a key. There is no `min`. */
export interface Options<K, A, E, R, R2 = never, R3 = never>
  extends Omit<PoolOptions<A, E, R, R2, R3>, "acquire" | "min">
{
  /** Opens one item of a key. */
  readonly acquire: (key: K) => Effect.Effect<A, E, R>
}

const TypeId: unique symbol = Symbol.for("@clawback/core/KeyedPool")

/** Pools of items of type `A`, which are opened with errors of type `E`, by keys of type `K`. */
export interface KeyedPool<in out K, in out A, in out E = never> extends Pipeable {
  readonly [TypeId]: Keyed<K, A, E>
  readonly name: string
}

const drainAll = <K, A, E>(keyed: Keyed<K, A, E>): Effect.Effect<void> =>
  Effect.suspend(() => {
    keyed.shut()
    return Effect.forEach(keyed.cores, drainCore, { concurrency: "unbounded", discard: true })
  })

/** Makes pools that close with the surrounding scope. A wrong option is a defect that names it. */
export const make = <K, A, E, R, R2 = never, R3 = never>(
  options: Options<K, A, E, R, R2, R3>
): Effect.Effect<KeyedPool<K, A, E>, never, Exclude<R | R2 | R3, Scope.Scope> | Scope.Scope> =>
  Effect.uninterruptible(Effect.withFiber((fiber) => {
    const acquire = options.acquire as (key: K) => Effect.Effect<A, E>
    const settings = checked<A, E, R, R2, R3>({ ...options, acquire: Effect.die("no key"), min: 0 })
    const environment = environmentOf(fiber)
    const metrics = new PoolMetrics(settings.name, environment.context)
    const keyed = new Keyed(settings, acquire, environment, metrics)
    metrics.observe(keyed)
    const stopSampling = settings.limits.leakThreshold < Infinity ? Site.demand() : () => {}
    const close = Effect.ensuring(
      drainAll(keyed),
      Effect.sync(() => {
        metrics.stop()
        stopSampling()
      })
    )
    const scope = Context.get(fiber.context as Context.Context<Scope.Scope>, Scope.Scope)
    return Effect.as(Scope.addFinalizer(scope, close), {
      [TypeId]: keyed,
      name: settings.name,
      pipe() {
        return pipeArguments(this, arguments)
      }
    })
  }))

/** Borrows an item of a key until the surrounding scope closes. */
export const get: {
  <K>(key: K): <A, E>(self: KeyedPool<K, A, E>) => Effect.Effect<A, E | PoolError, Scope.Scope>
  <K, A, E>(self: KeyedPool<K, A, E>, key: K): Effect.Effect<A, E | PoolError, Scope.Scope>
} = dual(
  2,
  function asked<K, A, E>(self: KeyedPool<K, A, E>, key: K): Effect.Effect<A, E | PoolError, Scope.Scope> {
    return getAt(Site.sample(asked, Site.ofDual), self[TypeId].at(key))
  }
)

/** Borrows an item of a key while `f` runs, and returns it when `f` ends, however it ends. */
export const use: {
  <K, A, B, E2, R2>(
    key: K,
    f: (item: A) => Effect.Effect<B, E2, R2>
  ): <E>(self: KeyedPool<K, A, E>) => Effect.Effect<B, E | E2 | PoolError, R2>
  <K, A, E, B, E2, R2>(
    self: KeyedPool<K, A, E>,
    key: K,
    f: (item: A) => Effect.Effect<B, E2, R2>
  ): Effect.Effect<B, E | E2 | PoolError, R2>
} = dual(
  3,
  function asked<K, A, E, B, E2, R2>(
    self: KeyedPool<K, A, E>,
    key: K,
    f: (item: A) => Effect.Effect<B, E2, R2>
  ): Effect.Effect<B, E | E2 | PoolError, R2> {
    return useAt(Site.sample(asked, Site.ofDual), self[TypeId].at(key), f)
  }
)

/** Closes an item instead of lending it again, as `Pool.invalidate` does. */
export const invalidate: {
  <A>(item: A): <K, E>(self: KeyedPool<K, A, E>) => Effect.Effect<void>
  <K, A, E>(self: KeyedPool<K, A, E>, item: A): Effect.Effect<void>
} = dual(
  2,
  <K, A, E>(self: KeyedPool<K, A, E>, item: A): Effect.Effect<void> =>
    Effect.suspend(() => invalidateIn(self[TypeId].cores, item))
)

/** Replaces all items of a key, as `Pool.refresh` does. */
export const refresh: {
  <K>(key: K): <A, E>(self: KeyedPool<K, A, E>) => Effect.Effect<void>
  <K, A, E>(self: KeyedPool<K, A, E>, key: K): Effect.Effect<void>
} = dual(2, <K, A, E>(self: KeyedPool<K, A, E>, key: K): Effect.Effect<void> =>
  Effect.sync(() => {
    const core = self[TypeId].find(key)
    core?.perform(core.machine.refresh(core.now))
  }))

/** Closes the pools of all keys, as `Pool.drain` does. */
export const drain = <K, A, E>(self: KeyedPool<K, A, E>): Effect.Effect<void> =>
  Effect.uninterruptible(drainAll(self[TypeId]))

/** The keys that have items or waiters at this moment. */
export const keys = <K, A, E>(self: KeyedPool<K, A, E>): Effect.Effect<ReadonlyArray<K>> =>
  Effect.sync(() => self[TypeId].keys)

/** What the pools of all keys have at this moment, in sum. */
export const stats = <K, A, E>(self: KeyedPool<K, A, E>): Effect.Effect<Stats> =>
  Effect.sync(() => statsOf(self[TypeId]))

/** What `Service` makes: the key of the service, its layer, and the functions of this module on it. */
export interface ServiceClass<in out Self, in out Id extends string, in out K, in out A, in out E, out R>
  extends Context.Key<Self, KeyedPool<K, A, E>>
{
  new(_: never): Context.ServiceClass.Shape<Id, KeyedPool<K, A, E>>
  readonly key: Id
  /** Provides the pools. They close with the layer. */
  readonly layer: Layer.Layer<Self, never, R>
  readonly get: (key: K) => Effect.Effect<A, E | PoolError, Self | Scope.Scope>
  readonly use: <B, E2, R2>(
    key: K,
    f: (item: A) => Effect.Effect<B, E2, R2>
  ) => Effect.Effect<B, E | E2 | PoolError, R2 | Self>
  readonly invalidate: (item: A) => Effect.Effect<void, never, Self>
  readonly refresh: (key: K) => Effect.Effect<void, never, Self>
  readonly drain: Effect.Effect<void, never, Self>
  readonly keys: Effect.Effect<ReadonlyArray<K>, never, Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/** Pools as a service, with its layer. Their name is the service's key, unless the options give one. */
export const Service = <Self>() =>
<const Id extends string, K, A, E, R, R2 = never, R3 = never>(
  id: Id,
  options: Options<K, A, E, R, R2, R3>
): ServiceClass<Self, Id, K, A, E, Exclude<R | R2 | R3, Scope.Scope>> => {
  type Class = ServiceClass<Self, Id, K, A, E, Exclude<R | R2 | R3, Scope.Scope>>
  const tag = Context.Service<Self, KeyedPool<K, A, E>>()(id)
  const within = <B, E2, R4>(f: (pool: KeyedPool<K, A, E>) => Effect.Effect<B, E2, R4>) =>
    Effect.withFiber((fiber): Effect.Effect<B, E2, R4 | Self> =>
      f(Context.get(fiber.context as Context.Context<Self>, tag))
    )
  const use: Class["use"] = (key, f) => {
    const site = Site.sample(use)
    return within((pool) => useAt(site, pool[TypeId].at(key), f))
  }
  const ask: Class["get"] = (key) => {
    const site = Site.sample(ask)
    return within((pool) => getAt(site, pool[TypeId].at(key)))
  }
  const members: Pick<Class, "layer" | "get" | "use" | "invalidate" | "refresh" | "drain" | "keys" | "stats"> = {
    layer: Layer.effect(tag, make({ ...options, name: options.name ?? id })),
    get: ask,
    use,
    invalidate: (item) => within((pool) => invalidate(pool, item)),
    refresh: (key) => within((pool) => refresh(pool, key)),
    drain: within(drain),
    keys: within(keys),
    stats: within(stats)
  }
  return Object.assign(tag, members) as unknown as Class
}
