/** A wire in memory with the faults of the simulation. It counts connections as an operating system would. */
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
  /** What was done on a connection that must not be: each is a rule of the port that was broken. */
  readonly broken: Readonly<Record<Broken, boolean>>
  /** How old the oldest connection was on which something was sent, in milliseconds. */
  readonly oldest: number
  /** How often each request arrived, by its path. */
  readonly arrivals: ReadonlyMap<string, number>
  /** Since when the connections that wait for a request have done so. */
  readonly idleSince: ReadonlyMap<number, number>
}

type Broken =
  /** Something was sent on a connection that was busy or not ready. */
  | "shared"
  /** Something was sent behind bytes of the request before it. */
  | "behind"
  /** A body was pulled by two at the same time. */
  | "read twice"
  /** A request arrived whose caller had no time left. */
  | "late"
  /** A request was under way for a while whose owner had closed the scope that it was sent in. */
  | "orphaned"

export interface Answer {
  readonly status: number
  /** How many chunks the body has. */
  readonly chunks: number
  /** Whether the head says so. */
  readonly isSized: boolean
  /** Whether the body never comes. */
  readonly isSilent?: boolean
}

export interface Options {
  /** A connection whose closing never ends is given up by its owner after that time, and counts for that long. */
  readonly closeTimeout: number
  readonly answer: (path: string) => Effect.Effect<Answer>
  /** Bytes of a chunk. */
  readonly chunkSize: number
  /** How likely a server is to leave a connection that is kept, unnoticed. Default: 0.2. */
  readonly leaving?: number
  /** What happens when a request meets a connection that its server has left. */
  readonly onLeft?: (path: string) => Effect.Effect<unknown>
  /** What happens when a connection is ready. */
  readonly onReady?: Effect.Effect<unknown>
  /** When the owner of a request has closed the scope that it is sent in. */
  readonly closedAt?: (path: string) => number | undefined
}

/** The bytes that a connection brings, to any reader. */
interface Bytes {
  /** Which request they answer: every byte says so, and so does the head. */
  readonly serial: number
  left: number
}

/** Which answer these bytes are of. */
export const serialOf = (chunk: Uint8Array): number | undefined => chunk[0]

/** Monotonic milliseconds, as deadlines have them. */
export const now: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

const lost = (phase: TransportError.ConnectionLost["phase"]) =>
  Effect.fail(new TransportError.ConnectionLost({ origin, phase, cause: "the connection ended" }))

export const faultyWire = (
  {
    answer,
    chunkSize,
    closeTimeout,
    closedAt = () => undefined,
    leaving = 0.2,
    onLeft = () => Effect.void,
    onReady = Effect.void
  }: Options
): FaultyWire => {
  const open = new Set<number>()
  const closings: Array<number> = []
  const arrivals = new Map<string, number>()
  const idleSince = new Map<number, number>()
  const broken = { shared: false, behind: false, "read twice": false, late: false, orphaned: false }
  let oldest = 0
  let serials = 0

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
    /** Bytes of the last request are not sent yet. */
    let isUnsent = false
    let bytes: Bytes = { serial: -1, left: 0 }
    let isPulled = false
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
      yield* onReady
    })

    const exchange = ({ chunks, isSized, isSilent, status }: Answer): Wire.Exchange => {
      const { serial } = bytes
      return {
        status,
        headers: {
          "x-serial": String(serial),
          "x-length": String(chunks * chunkSize),
          ...(isSized && { "content-length": String(chunks * chunkSize) }),
          ...(chunks === 3 && { "keep-alive": "timeout=1" })
        },
        pull: Effect.gen(function*() {
          if (isPulled) broken["read twice"] = true
          isPulled = true
          yield* Simulation.latency(0, 5)
          if (yield* Simulation.fault("body is cut", 0.05)) {
            yield* end
            return yield* lost("body")
          }
          if (isSilent === true || (yield* Simulation.fault("body stalls", 0.02))) return yield* Effect.never
          // As a socket does: it knows no reader, and brings what comes next.
          if (bytes.left-- > 0) return [new Uint8Array(chunkSize).fill(bytes.serial)] as const
          isBusy = false
          isLeft = yield* Simulation.fault("server leaves unnoticed", leaving)
          yield* idle
          if (yield* Simulation.fault("server hangs up when idle", 0.1)) {
            const isHalf = yield* Simulation.fault("server waits for us to hang up, too", 0.3)
            const hangUp = Effect.andThen(Simulation.latency(0, 10), beginEnd)
            yield* Effect.forkDetach(isHalf ? hangUp : Effect.andThen(hangUp, Effect.andThen(Effect.sleep(1), end)))
          }
          return yield* Cause.done()
        }).pipe(breakable("body"), Effect.ensuring(Effect.sync(() => isPulled = false))),
        abort: beginEnd
      }
    }

    const send = Effect.fnUntraced(function*({ path }: Wire.Request) {
      if (isBusy || !isUsable && !Deferred.isDoneUnsafe(ending)) broken.shared = true
      if (isUnsent) broken.behind = true
      if (isLeft) {
        // As a socket whose end is seen only when it is to be written to.
        yield* onLeft(path)
        yield* beginEnd
        return yield* lost("request")
      }
      const at = yield* now
      const deadline = yield* Deadline.Current
      if (deadline !== undefined && deadline.at <= at) broken.late = true
      oldest = Math.max(oldest, at - readyAt)
      arrivals.set(path, (arrivals.get(path) ?? 0) + 1)
      idleSince.delete(id)
      isBusy = true
      const given = yield* answer(path)
      bytes = { serial: ++serials % 256, left: given.chunks }
      if (yield* Simulation.fault("answer comes before the request was sent", 0.1)) {
        isUnsent = true
        const sent = Effect.andThen(Simulation.latency(5, 200), Effect.sync(() => isUnsent = false))
        if (yield* Simulation.choose([true, false])) yield* Effect.forkDetach(sent)
      }
      yield* Simulation.latency(1, 10)
      if ((yield* now) > (closedAt(path) ?? Infinity)) broken.orphaned = true
      if (yield* Simulation.fault("head is lost", 0.05)) {
        yield* end
        return yield* lost("head")
      }
      if (yield* Simulation.fault("head never comes", 0.03)) return yield* Effect.never
      if (yield* Simulation.fault("head is late", 0.05)) yield* Simulation.latency(100, 500)
      return exchange(given)
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

    return { ready, closed: Deferred.await(ended), isUsable: () => isUsable && !isUnsent, send, close }
  })

  return {
    wire: { connect: () => connect },
    open,
    closings,
    arrivals,
    idleSince,
    broken,
    get oldest() {
      return oldest
    }
  }
}
