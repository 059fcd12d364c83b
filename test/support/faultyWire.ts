/** A wire in memory on which everything goes wrong that the simulation says. It counts what an operating system would. */
import { Deadline, TransportError, type Wire } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Cause, Clock, Deferred, Effect, Exit } from "effect"

export const origin = "http://provider.test"

export interface FaultyWire {
  readonly wire: Wire.Wire
  /** Begun, and neither closed nor given up. */
  readonly open: ReadonlySet<number>
  /** How often `close` was called, for each connection that was begun. */
  readonly closings: ReadonlyArray<number>
  /** Whether something was sent on a connection that was busy or not ready. */
  readonly isShared: boolean
  /** Whether a request arrived whose caller had no time left. */
  readonly isLate: boolean
  /** How old the oldest connection was on which something was sent, in milliseconds. */
  readonly oldest: number
  /** How often each request arrived, by its path. */
  readonly arrivals: ReadonlyMap<string, number>
  /** Since when the connections that wait for a request have done so. */
  readonly idleSince: ReadonlyMap<number, number>
}

/** Monotonic milliseconds, as deadlines have them. */
export const now: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

const lost = (phase: TransportError.ConnectionLost["phase"]) =>
  Effect.fail(new TransportError.ConnectionLost({ origin, phase, cause: "the connection ended" }))

/** A connection whose closing never ends is given up by its owner after `closeTimeout`, and counts for that long. */
export const faultyWire = (closeTimeout: number): FaultyWire => {
  const open = new Set<number>()
  const closings: Array<number> = []
  const arrivals = new Map<string, number>()
  const idleSince = new Map<number, number>()
  let isShared = false
  let isLate = false
  let oldest = 0

  const connect = Effect.sync((): Wire.Connection => {
    const id = closings.push(0) - 1
    open.add(id)
    const ending = Deferred.makeUnsafe<void>()
    const ended = Deferred.makeUnsafe<void>()
    let isUsable = false
    let isBusy = false
    /** The server has left, and nobody has noticed. */
    let isLeft = false
    let readyAt = 0
    const idle = Effect.map(now, (at) => idleSince.set(id, at))

    /** Whoever began it: nothing can be sent any more, and what is under way breaks. */
    const beginEnd = Effect.sync(() => {
      isUsable = false
      idleSince.delete(id)
      Deferred.doneUnsafe(ending, Exit.void)
    })
    const end = Effect.suspend(() => {
      open.delete(id)
      return Effect.andThen(beginEnd, Deferred.succeed(ended, undefined))
    })
    const breakable = (phase: "head" | "body") => <A, E>(effect: Effect.Effect<A, E>) =>
      Effect.raceFirst(effect, Effect.andThen(Deferred.await(ending), lost(phase)))

    const ready = Effect.gen(function*() {
      if (yield* Simulation.fault("connect never ends", 0.03)) return yield* Effect.never
      yield* (yield* Simulation.fault("connect is slow", 0.1)) ? Simulation.latency(50, 300) : Simulation.latency(1, 5)
      if (yield* Simulation.fault("connect is refused", 0.1)) {
        yield* end
        return yield* new TransportError.ConnectFailed({ origin, reason: "refused", cause: "refused" })
      }
      isUsable = !Deferred.isDoneUnsafe(ending)
      readyAt = yield* now
    })

    const exchange = (length: number): Wire.Exchange => {
      let left = length
      return {
        status: 200,
        headers: {
          ...(length % 2 === 0 && { "content-length": String(length * 1000) }),
          ...(length === 3 && { "keep-alive": "timeout=1" })
        },
        pull: Effect.gen(function*() {
          yield* Simulation.latency(0, 5)
          if (yield* Simulation.fault("body is cut", 0.05)) {
            yield* end
            return yield* lost("body")
          }
          if (yield* Simulation.fault("body stalls", 0.02)) return yield* Effect.never
          if (left-- > 0) return [new Uint8Array(1000)] as const
          isBusy = false
          isLeft = yield* Simulation.fault("server leaves unnoticed", 0.1)
          yield* idle
          if (yield* Simulation.fault("server hangs up when idle", 0.1)) {
            const isHalf = yield* Simulation.fault("server waits for us to hang up, too", 0.3)
            const hangUp = Effect.andThen(Simulation.latency(0, 10), beginEnd)
            yield* Effect.forkDetach(isHalf ? hangUp : Effect.andThen(hangUp, Effect.andThen(Effect.sleep(1), end)))
          }
          return yield* Cause.done()
        }).pipe(breakable("body")),
        abort: beginEnd
      }
    }

    const send = Effect.fnUntraced(function*({ path }: Wire.Request) {
      if (isBusy || !isUsable && !Deferred.isDoneUnsafe(ending)) isShared = true
      if (isLeft) {
        // As a socket whose end is seen only when it is to be written to.
        yield* beginEnd
        return yield* lost("request")
      }
      const at = yield* now
      const deadline = yield* Deadline.Current
      if (deadline !== undefined && deadline.at <= at) isLate = true
      oldest = Math.max(oldest, at - readyAt)
      arrivals.set(path, (arrivals.get(path) ?? 0) + 1)
      idleSince.delete(id)
      isBusy = true
      yield* Simulation.latency(1, 10)
      if (yield* Simulation.fault("head is lost", 0.05)) {
        yield* end
        return yield* lost("head")
      }
      if (yield* Simulation.fault("head never comes", 0.03)) return yield* Effect.never
      if (yield* Simulation.fault("head is late", 0.05)) yield* Simulation.latency(100, 500)
      return exchange(yield* Simulation.choose([0, 1, 2, 3, 100]))
    }, (sending) => sending.pipe(breakable("head"), Effect.onInterrupt(() => beginEnd), Simulation.phase("head")))

    const close = Effect.gen(function*() {
      closings[id] = (closings[id] ?? 0) + 1
      yield* beginEnd
      if (yield* Simulation.fault("close never ends", 0.02)) {
        yield* Effect.forkDetach(Effect.andThen(Effect.sleep(closeTimeout - 1), Effect.sync(() => open.delete(id))))
        return
      }
      const isSlow = yield* Simulation.fault("close is slow", 0.1)
      yield* Effect.forkDetach(Effect.andThen(Simulation.latency(0, isSlow ? 300 : 2), end))
    })

    return { ready, closed: Deferred.await(ended), isUsable: () => isUsable, send, close }
  })

  return {
    wire: { connect: () => connect },
    open,
    closings,
    arrivals,
    idleSince,
    get isShared() {
      return isShared
    },
    get isLate() {
      return isLate
    },
    get oldest() {
      return oldest
    }
  }
}
