/** The connections of a transport: how they are opened, lent to exchanges, and closed. */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import { Attribute, SpanName } from "../../Conventions.ts"
import { type Deadline, DeadlineExceeded } from "../../Deadline.ts"
import * as Session from "../../Session.ts"
import * as Span from "../../Span.ts"
import * as Timeouts from "../../Timeouts.ts"
import type { Connection, Wire } from "../../Wire.ts"
import { atMost } from "../time/atMost.ts"
import type { Timers } from "../time/timers.ts"
import type { Address } from "./address.ts"
import { QueueFull, TransportClosed } from "./errors.ts"
import type { Grant } from "./machine.ts"
import { type CheckoutError, discard, Pool, PooledConnection, Waiter, wake } from "./pool.ts"

/** The connections of a transport, by origin. */
export interface Connections {
  /**
   * Takes a connection for one exchange. A free connection is taken in the step in which this is called, so run the
   * effect there. Only waiting and connecting run under `restore`.
   */
  readonly checkout: (
    address: Pick<Address, "origin">,
    timeouts: Pick<Timeouts.Timeouts, "queue" | "connect">,
    deadline: Deadline | undefined,
    restore: Session.Restore
  ) => Effect.Effect<PooledConnection, CheckoutError>
  /** Ends the use of a connection, and keeps it for another request for so many milliseconds. */
  readonly giveBack: (connection: PooledConnection, idleMillis: number) => void
  /** Ends the use of a connection, and closes it. */
  readonly discard: (connection: PooledConnection) => void
}

/** Connections that were opened together end at different moments: a lifetime is shorter by up to this share. */
const lifetimeSpread = 0.2

export const make = Effect.fnUntraced(function*(wire: Wire, timers: Timers, options: {
  readonly max: number
  readonly maxWaiting: number
  readonly maxLifetime: Duration.Duration
  readonly closeTimeout: Duration.Duration
}): Effect.fn.Return<Connections, never, Scope.Scope> {
  const context = yield* Effect.context<never>()
  const runFork = Effect.runForkWith(context)
  const random = yield* Random.Random
  const holders = yield* Scope.fork(yield* Effect.scope, "parallel")
  const maxLifetime = Duration.toMillis(options.maxLifetime)
  const pools = new Map<string, Pool>()
  /** The callers that wait for a connection that is being opened. */
  const opening = new Map<Deferred.Deferred<PooledConnection, CheckoutError>, string>()
  let isClosed = false
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      isClosed = true
      for (const [origin, pool] of pools) {
        for (const waiter of pool.drain()) Deferred.doneUnsafe(waiter.woken, Exit.fail(new TransportClosed({ origin })))
      }
      for (const [ready, origin] of opening) Deferred.doneUnsafe(ready, Exit.fail(new TransportClosed({ origin })))
    })
  )

  const poolOf = (origin: string): Pool => {
    const known = pools.get(origin)
    if (known !== undefined) return known
    const pool = new Pool(options.max, options.maxWaiting, origin, context)
    pools.set(origin, pool)
    return pool
  }

  const giveBack = (entry: PooledConnection, idleMillis: number) => {
    const { pool } = entry
    const now = timers.now
    entry.isReused = true
    entry.count()
    entry.idleMillis = idleMillis
    entry.at = entry.expiresAt
    if (!entry.isUsable(now) || (idleMillis <= 0 && pool.waiting === 0)) return discard(entry)
    const woken = pool.give(entry, now)
    if (woken !== undefined) return wake(woken)
    entry.at = Math.min(now + idleMillis, entry.expiresAt)
    timers.set(entry)
  }

  const gone = (origin: string, pool: Pool, entry: PooledConnection | undefined) => {
    if (entry !== undefined) timers.clear(entry)
    wake(pool.gone(entry, timers.now))
    if (!pool.isEmpty || pools.get(origin) !== pool) return
    pools.delete(origin)
    pool.metrics.stop()
  }

  /**
   * One fiber holds one connection, from its first packet to its last: the pool counts it out when that fiber ends. It
   * runs in the transport's context, and nothing in here knows the call that asked for it, since it outlives that.
   */
  const open = (
    url: URL,
    pool: Pool,
    limit: Duration.Duration,
    ready: Deferred.Deferred<PooledConnection, CheckoutError>
  ) => {
    const { origin } = url
    let entry: PooledConnection | undefined
    const { metrics } = pool
    const startedAt = timers.now
    let phase: "connecting" | "open" | "closing" = "connecting"
    metrics.enter(phase)

    const held = (connection: Connection) =>
      connection.ready.pipe(
        Effect.timeoutOrElse({
          duration: limit,
          orElse: () => {
            const exit = Exit.fail(new Timeouts.ConnectTimeout({ origin, limit }))
            // A connection that does not open may not close either. Its caller does not wait for that.
            Deferred.doneUnsafe(ready, exit)
            return exit
          }
        }),
        Effect.andThen(Effect.withFiber((fiber) => {
          metrics.leave("connecting")
          phase = "open"
          metrics.connected(timers.now - startedAt)
          const lifetime = maxLifetime * (1 - lifetimeSpread * random.nextDoubleUnsafe())
          Deferred.doneUnsafe(
            ready,
            Exit.succeed(entry = new PooledConnection(connection, fiber, pool, timers.now + lifetime))
          )
          return connection.closed
        }))
      )
    // Not as work in a session: the connection is held, even while it is idle.
    const fiber = runFork(Effect.scoped(Effect.flatMap(
      Session.acquire({ kind: "connection", name: origin }, Effect.suspend(() => wire.connect(url)), (connection) => {
        if (phase === "connecting") metrics.leave(phase)
        metrics.enter(phase = "closing")
        return atMost(Effect.andThen(connection.close, connection.closed), options.closeTimeout)
      }),
      ({ awaitRevoked, value }) => Effect.raceFirst(held(value), Effect.flatMap(awaitRevoked, Effect.fail))
    )))
    fiber.addObserver((exit) => {
      if (phase !== "open") metrics.leave(phase)
      entry?.count()
      gone(origin, pool, entry)
      Deferred.doneUnsafe(
        ready,
        Exit.isSuccess(exit) || Exit.hasInterrupts(exit)
          ? Exit.fail(new TransportClosed({ origin }))
          : Exit.failCause(exit.cause)
      )
    })
    Fiber.runIn(fiber, holders)
    return fiber
  }

  const connect = (url: URL, pool: Pool, limit: Duration.Duration, restore: Session.Restore) =>
    Effect.suspend(() => {
      const { origin } = url
      // A caller that was admitted just before the transport closed may arrive here afterwards.
      if (isClosed) {
        gone(origin, pool, undefined)
        return Effect.fail(new TransportClosed({ origin }))
      }
      const ready = Deferred.makeUnsafe<PooledConnection, CheckoutError>()
      const fiber = open(url, pool, limit, ready)
      opening.set(ready, origin)
      const awaited = Span.around(SpanName.connect, {
        attributes: {
          [Attribute.serverAddress]: url.hostname,
          [Attribute.serverPort]: Number(url.port) || (url.protocol === "https:" ? 443 : 80)
        }
      })(restore(Deferred.await(ready)))
      return Effect.onExitPrimitive(awaited, (exit) => {
        opening.delete(ready)
        // If the caller leaves, the connection that is being opened for it is closed.
        if (Exit.isFailure(exit)) fiber.interruptUnsafe()
        return undefined
      })
    })

  const checkout: Connections["checkout"] = (address, timeouts, deadline, restore) => {
    const { origin } = address
    if (isClosed) return Effect.fail(new TransportClosed({ origin }))
    const pool = poolOf(origin)

    const fulfil = (grant: Grant<PooledConnection>) => {
      if (grant._tag === "Open") {
        const limit = Duration.fromInputUnsafe(timeouts.connect ?? Timeouts.defaults.connect)
        return connect(new URL(origin), pool, limit, restore)
      }
      const entry = grant.connection
      timers.clear(entry)
      if (entry.isUsable(timers.now)) return Effect.succeed(entry)
      // A connection that broke while idle counts until it is closed. Closing has a time limit only if we do it.
      discard(entry)
      return checkout(address, timeouts, deadline, restore)
    }

    let grant = pool.take()
    if (grant === undefined) {
      pool.offers.ask(pool.waiting)
      // An offer may have made a connection free in this step.
      grant = pool.take()
    }
    if (grant !== undefined) return fulfil(grant)

    const now = timers.now
    const limit = Duration.fromInputUnsafe(timeouts.queue ?? Timeouts.defaults.queue)
    const until = Math.min(now + Duration.toMillis(limit), deadline?.at ?? Infinity)
    const waiter = new Waiter(until, pool, () => {
      pool.metrics.timedOut()
      return deadline !== undefined && deadline.at <= until
        ? new DeadlineExceeded({ budget: deadline.budget })
        : new Timeouts.QueueTimeout({ origin, limit, connections: pool.connections, waiting: pool.waiting })
    })
    if (!pool.enqueue(waiter)) {
      return Effect.fail(new QueueFull({ origin, connections: pool.connections, waiting: pool.waiting }))
    }
    timers.set(waiter)
    return Effect.flatMap(
      Effect.onExitPrimitive(Span.around(SpanName.wait)(restore(Deferred.await(waiter.woken))), (exit) => {
        timers.clear(waiter)
        if (Exit.isSuccess(exit)) pool.metrics.waited(timers.now - now)
        if (Exit.isSuccess(exit) || pool.leave(waiter) || waiter.grant === undefined) return undefined
        if (waiter.grant._tag === "Open") gone(origin, pool, undefined)
        else giveBack(waiter.grant.connection, waiter.grant.connection.idleMillis)
        return undefined
      }),
      fulfil
    )
  }

  return { checkout, giveBack, discard }
})
