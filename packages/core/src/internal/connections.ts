import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Session from "../Session.ts"
import type { SessionError } from "../SessionError.ts"
import * as Timeouts from "../Timeouts.ts"
import { type ConnectFailed, QueueFull, TransportClosed } from "../TransportError.ts"
import type { Connection, Wire } from "../Wire.ts"
import { atMost } from "./atMost.ts"
import { ConnectionPool, type Grant, type Wake } from "./connectionPool.ts"

/** A connection as the pool knows it. The fiber holds it: interrupting that closes it. */
export interface Entry {
  readonly connection: Connection
  readonly fiber: Fiber.Fiber<unknown, unknown>
  readonly pool: Pool
}

type CheckoutError =
  | QueueFull
  | Timeouts.QueueTimeout
  | ConnectFailed
  | Timeouts.ConnectTimeout
  | TransportClosed
  | SessionError

/** The connections of a transport, by origin. */
export interface Connections {
  /** A connection that nobody else uses. Only waiting and connecting run under `restore`. */
  readonly checkout: (
    url: URL,
    timeouts: Pick<Timeouts.Timeouts, "queue" | "connect">,
    restore: Session.Restore
  ) => Effect.Effect<Entry, CheckoutError>
  /** Ends the use of a connection that another request may follow on. */
  readonly giveBack: (entry: Entry) => void
  /** Ends the use of a connection that is good for nothing more. */
  readonly discard: (entry: Entry) => void
}

interface Waiter {
  readonly woken: Deferred.Deferred<Grant<Entry>, TransportClosed>
  grant: Grant<Entry> | undefined
}

type Pool = ConnectionPool<Entry, Waiter>

const wake = (woken: Wake<Entry, Waiter> | undefined) => {
  if (woken === undefined) return
  woken.waiter.grant = woken.grant
  Deferred.doneUnsafe(woken.waiter.woken, Exit.succeed(woken.grant))
}

const discard = (entry: Entry) => entry.fiber.interruptUnsafe()

const giveBack = (entry: Entry) => {
  if (entry.connection.isUsable()) wake(entry.pool.give(entry))
  else discard(entry)
}

export const make = Effect.fnUntraced(function*(wire: Wire, options: {
  readonly max: number
  readonly maxWaiting: number
  readonly closeTimeout: Duration.Duration
}): Effect.fn.Return<Connections, never, Scope.Scope> {
  const runFork = Effect.runForkWith(yield* Effect.context<never>())
  const holders = yield* Scope.fork(yield* Effect.scope, "parallel")
  const pools = new Map<string, Pool>()
  let isClosed = false
  yield* Effect.addFinalizer(() =>
    Effect.sync(() => {
      isClosed = true
      for (const [origin, pool] of pools) {
        for (const waiter of pool.drain()) Deferred.doneUnsafe(waiter.woken, Exit.fail(new TransportClosed({ origin })))
      }
    })
  )

  const poolOf = (origin: string): Pool => {
    let pool = pools.get(origin)
    if (pool === undefined) pools.set(origin, pool = new ConnectionPool(options.max, options.maxWaiting))
    return pool
  }

  const gone = (origin: string, pool: Pool, entry: Entry | undefined) => {
    wake(pool.gone(entry))
    if (pool.isEmpty && pools.get(origin) === pool) pools.delete(origin)
  }

  /**
   * One fiber holds one connection, from its first packet to its last: the pool counts it out when that fiber ends. It
   * runs in the transport's context, since it outlives the call that asked for it.
   */
  const connect = (url: URL, pool: Pool, limit: Duration.Duration, restore: Session.Restore) =>
    Effect.suspend(() => {
      const { origin } = url
      // Who was let in just before the transport closed may come here after that.
      if (isClosed) {
        gone(origin, pool, undefined)
        return Effect.fail(new TransportClosed({ origin }))
      }
      const ready = Deferred.makeUnsafe<Entry, CheckoutError>()
      let entry: Entry | undefined

      const fiber = runFork(Session.use(
        { kind: "connection", name: origin },
        wire.connect(url),
        (connection) => atMost(Effect.andThen(connection.close, connection.closed), options.closeTimeout),
        (connection) =>
          connection.ready.pipe(
            Effect.timeoutOrElse({
              duration: limit,
              orElse: () => Effect.fail(new Timeouts.ConnectTimeout({ origin, limit }))
            }),
            Effect.andThen(Effect.withFiber((fiber) => {
              Deferred.doneUnsafe(ready, Exit.succeed(entry = { connection, fiber, pool }))
              return connection.closed
            }))
          )
      ))
      fiber.addObserver((exit) => {
        gone(origin, pool, entry)
        Deferred.doneUnsafe(
          ready,
          Exit.isSuccess(exit) || Exit.hasInterrupts(exit)
            ? Exit.fail(new TransportClosed({ origin }))
            : Exit.failCause(exit.cause)
        )
      })
      Fiber.runIn(fiber, holders)
      return Effect.onError(restore(Deferred.await(ready)), () => Effect.sync(() => fiber.interruptUnsafe()))
    })

  const checkout: Connections["checkout"] = (url, timeouts, restore) =>
    Effect.suspend(() => {
      const { origin } = url
      if (isClosed) return Effect.fail(new TransportClosed({ origin }))
      const pool = poolOf(origin)

      const fulfil = (grant: Grant<Entry>) => {
        if (grant._tag === "Open") {
          const limit = Duration.fromInputUnsafe(timeouts.connect ?? Timeouts.defaults.connect)
          return connect(url, pool, limit, restore)
        }
        if (grant.connection.connection.isUsable()) return Effect.succeed(grant.connection)
        // One that died while idle counts until it is closed, which has a time limit only when we close it.
        discard(grant.connection)
        return checkout(url, timeouts, restore)
      }

      const grant = pool.take()
      if (grant !== undefined) return fulfil(grant)

      const waiter: Waiter = { woken: Deferred.makeUnsafe(), grant: undefined }
      if (!pool.enqueue(waiter)) {
        return Effect.fail(new QueueFull({ origin, connections: pool.connections, waiting: pool.waiting }))
      }
      const limit = Duration.fromInputUnsafe(timeouts.queue ?? Timeouts.defaults.queue)
      const timedOut = Effect.suspend(() =>
        Effect.fail(
          new Timeouts.QueueTimeout({ origin, limit, connections: pool.connections, waiting: pool.waiting - 1 })
        )
      )
      return restore(
        Effect.timeoutOrElse(Deferred.await(waiter.woken), { duration: limit, orElse: () => timedOut })
      ).pipe(
        Effect.onError(() =>
          Effect.sync(() => {
            if (pool.leave(waiter) || waiter.grant === undefined) return
            if (waiter.grant._tag === "Open") gone(origin, pool, undefined)
            else giveBack(waiter.grant.connection)
          })
        ),
        Effect.flatMap(fulfil)
      )
    })

  return { checkout, giveBack, discard }
})
