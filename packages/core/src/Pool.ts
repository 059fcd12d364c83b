/**
 * A pool of items that are expensive to open: connections, sessions of a server, workers. Callers borrow an item, use it, and
 * return it.
 *
 * Guarantees:
 * - Items that are open, being opened and being closed together never exceed `max`.
 * - An item has one borrower at a time. An item that fails its check is not lent.
 * - Callers are served in order. Each gets an item or a typed error by its `acquireTimeout`, even if a connect or a close hangs.
 * - An interrupted caller leaves nothing behind. A connect that it has waited for goes on, and its item serves others.
 * - An item in use is closed only when it is returned, or when its loan is revoked.
 * - Each item is closed once. When the pool's scope has closed, all items are closed, or were reported as abandoned.
 *
 * Limits: JavaScript cannot take a value away, so do not use an item after its return. An effect that ignores its time limit is
 * abandoned; its item may stay open beyond `max`, and is counted in `stats`.
 *
 * A loan is a session of the kind `"borrow"`, from the request to the return: `SessionRegistry` lists callers that wait and
 * callers that hold. An item is a session of the kind `"resource"`.
 *
 * ```ts
 * import { Pool } from "@clawback/core"
 * import { Console, Effect } from "effect"
 *
 * const connect = Effect.acquireRelease(
 *   Effect.as(Console.log("connect"), { query: (sql: string) => Effect.succeed(`rows of ${sql}`) }),
 *   () => Console.log("disconnect")
 * )
 *
 * class Db extends Pool.Service<Db>()("app/Db", { acquire: connect, max: 20 }) {}
 *
 * const program = Db.use((connection) => connection.query("SELECT 1")).pipe(Effect.flatMap(Console.log))
 *
 * await Effect.runPromise(program.pipe(Effect.provide(Db.layer)))
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
import { Core } from "./internal/pool/core.ts"
import { drain as drainCore } from "./internal/pool/drain.ts"
import { environmentOf } from "./internal/pool/environment.ts"
import type { PoolError } from "./internal/pool/errors.ts"
import { invalidateIn } from "./internal/pool/invalidate.ts"
import { PoolMetrics, statsOf } from "./internal/pool/metrics.ts"
import type { Options, Stats } from "./internal/pool/model.ts"
import { checked } from "./internal/pool/settings.ts"
import * as Site from "./internal/session/site.ts"

export type { Reason } from "./internal/pool/entry.ts"
export { AcquireTimeout, PoolClosed, PoolConnectTimeout, type PoolError, PoolFull } from "./internal/pool/errors.ts"
export type { Options, Stats } from "./internal/pool/model.ts"

const TypeId: unique symbol = Symbol.for("@clawback/core/Pool")

/** A pool of items of type `A`, which are opened with errors of type `E`. */
export interface Pool<in out A, in out E = never> extends Pipeable {
  readonly [TypeId]: Core<A, E>
  readonly name: string
}

/**
 * Makes a pool that closes with the surrounding scope. It opens `min` items in the background, and does not wait for them.
 *
 * A wrong option is a defect that names it.
 */
export const make = <A, E, R, R2 = never, R3 = never>(
  options: Options<A, E, R, R2, R3>
): Effect.Effect<Pool<A, E>, never, Exclude<R | R2 | R3, Scope.Scope> | Scope.Scope> =>
  Effect.uninterruptible(Effect.withFiber((fiber) => {
    const settings = checked(options)
    const environment = environmentOf(fiber)
    const core = new Core(settings, environment, new PoolMetrics(settings.name, environment.context))
    core.metrics.observe(core)
    const stopSampling = settings.limits.leakThreshold < Infinity ? Site.demand() : () => {}
    const close = Effect.ensuring(
      drainCore(core),
      Effect.sync(() => {
        core.metrics.stop()
        stopSampling()
      })
    )
    const scope = Context.get(fiber.context as Context.Context<Scope.Scope>, Scope.Scope)
    return Effect.map(Scope.addFinalizer(scope, close), (): Pool<A, E> => {
      core.fire()
      return {
        [TypeId]: core,
        name: settings.name,
        pipe() {
          return pipeArguments(this, arguments)
        }
      }
    })
  }))

/** Borrows an item until the surrounding scope closes. */
export const get = <A, E>(self: Pool<A, E>): Effect.Effect<A, E | PoolError, Scope.Scope> =>
  getAt(Site.sample(get), self[TypeId])

type Use<A, B, E, R> = (item: A) => Effect.Effect<B, E, R>

/** Borrows an item while `f` runs, and returns it when `f` ends, however it ends. */
export const use: {
  <A, B, E2, R2>(
    f: (item: A) => Effect.Effect<B, E2, R2>
  ): <E>(self: Pool<A, E>) => Effect.Effect<B, E | E2 | PoolError, R2>
  <A, E, B, E2, R2>(
    self: Pool<A, E>,
    f: (item: A) => Effect.Effect<B, E2, R2>
  ): Effect.Effect<B, E | E2 | PoolError, R2>
} = function use<A, E, B, E2, R2>(self: Pool<A, E> | Use<A, B, E2, R2>, f?: Use<A, B, E2, R2>): any {
  // Not by `dual`: a sampled stack costs less if the caller is right above.
  if (arguments.length > 1) return useAt(Site.sample(use), (self as Pool<A, E>)[TypeId], f as Use<A, B, E2, R2>)
  return function piped(pool: Pool<A, E>) {
    return useAt(Site.sample(piped, Site.ofPipe), pool[TypeId], self as Use<A, B, E2, R2>)
  }
}

/**
 * Closes an item instead of lending it again: at once if it is idle, otherwise when it is returned. Does nothing if the item is
 * not of this pool, or was invalidated before.
 */
export const invalidate: {
  <A>(item: A): <E>(self: Pool<A, E>) => Effect.Effect<void>
  <A, E>(self: Pool<A, E>, item: A): Effect.Effect<void>
} = dual(
  2,
  <A, E>({ [TypeId]: core }: Pool<A, E>, item: A): Effect.Effect<void> => invalidateIn([core], item)
)

/**
 * Replaces all items, such as after a password was changed: idle ones are closed at once, and borrowed ones when they are
 * returned. What is borrowed from now on was opened after this. A pause after failed connects ends.
 */
export const refresh = <A, E>({ [TypeId]: core }: Pool<A, E>): Effect.Effect<void> =>
  Effect.sync(() => core.perform(core.machine.refresh(core.now)))

/**
 * Closes the pool, as its scope does: it lends nothing more, waits up to `drainTimeout` for its borrowers, and revokes those
 * that are left. Returns when all items are closed or abandoned. A call inside of a `use` does not wait for that loan.
 */
export const drain = <A, E>({ [TypeId]: core }: Pool<A, E>): Effect.Effect<void> =>
  Effect.uninterruptible(drainCore(core))

/** What the pool has at this moment. */
export const stats = <A, E>({ [TypeId]: core }: Pool<A, E>): Effect.Effect<Stats> => Effect.sync(() => statsOf(core))

/** What `Service` makes: the key of a pool, its layer, and the pool's functions on it. */
export interface ServiceClass<in out Self, in out Id extends string, in out A, in out E, out R>
  extends Context.Key<Self, Pool<A, E>>
{
  new(_: never): Context.ServiceClass.Shape<Id, Pool<A, E>>
  readonly key: Id
  /** Provides the pool. It closes with the layer. */
  readonly layer: Layer.Layer<Self, never, R>
  readonly get: Effect.Effect<A, E | PoolError, Self | Scope.Scope>
  readonly use: <B, E2, R2>(f: (item: A) => Effect.Effect<B, E2, R2>) => Effect.Effect<B, E | E2 | PoolError, R2 | Self>
  readonly invalidate: (item: A) => Effect.Effect<void, never, Self>
  readonly refresh: Effect.Effect<void, never, Self>
  readonly drain: Effect.Effect<void, never, Self>
  readonly stats: Effect.Effect<Stats, never, Self>
}

/** A pool as a service, with its layer. The name of the pool is the service's key, unless the options give one. */
export const Service = <Self>() =>
<const Id extends string, A, E, R, R2 = never, R3 = never>(
  id: Id,
  options: Options<A, E, R, R2, R3>
): ServiceClass<Self, Id, A, E, Exclude<R | R2 | R3, Scope.Scope>> => {
  type Class = ServiceClass<Self, Id, A, E, Exclude<R | R2 | R3, Scope.Scope>>
  const tag = Context.Service<Self, Pool<A, E>>()(id)
  const withPool = <B, E2, R4>(f: (pool: Pool<A, E>) => Effect.Effect<B, E2, R4>): Effect.Effect<B, E2, R4 | Self> =>
    Effect.withFiber((fiber) => f(Context.get(fiber.context as Context.Context<Self>, tag)))
  const use: Class["use"] = (f) => {
    const site = Site.sample(use)
    return withPool((pool) => useAt(site, pool[TypeId], f))
  }
  const ask = (): Class["get"] => {
    const site = Site.sample(ask)
    return withPool((pool) => getAt(site, pool[TypeId]))
  }
  const members: Pick<Class, "layer" | "use" | "invalidate" | "refresh" | "drain" | "stats"> = {
    layer: Layer.effect(tag, make({ ...options, name: options.name ?? id })),
    use,
    invalidate: (item) => withPool((pool) => invalidate(pool, item)),
    refresh: withPool(refresh),
    drain: withPool(drain),
    stats: withPool(stats)
  }
  // Read where an item is asked for, so that a leak report can show that place.
  return Object.defineProperty(Object.assign(tag, members), "get", { get: ask }) as unknown as Class
}
