/** A wire in memory. Its network and its servers do what a test tells them; it knows which connections exist. */
import { ConnectFailed, ConnectionLost, type InvalidRequest } from "@clawback/core/TransportError"
import type * as Wire from "@clawback/core/Wire"
import { assert } from "@effect/vitest"
import { Cause, Effect, Latch } from "effect"

export interface Answer {
  readonly status?: number
  readonly headers?: Wire.Headers
  /** How many bytes each chunk has, or what comes instead of one. After the last: the end. */
  readonly body?: ReadonlyArray<number | "silence" | "reset">
}

export interface Network {
  /** What establishing a connection takes. */
  readonly connecting: Effect.Effect<void, ConnectFailed>
  /** What comes of a request, and when. */
  readonly answering: (request: Wire.Request) => Effect.Effect<Answer, InvalidRequest | ConnectionLost>
  /** What really closing a connection takes. */
  readonly closing: Effect.Effect<void>
}

/** Nothing takes longer than a turn of the scheduler. */
const lively: Network = {
  connecting: Effect.yieldNow,
  answering: () => Effect.as(Effect.yieldNow, { body: [10] }),
  closing: Effect.yieldNow
}

export const refused = (origin = "http://a.test") =>
  new ConnectFailed({ origin, reason: "refused", cause: new Error("ECONNREFUSED") })

export class MemoryConnection implements Wire.Connection {
  state: "connecting" | "open" | "closing" | "closed" = "connecting"
  isBusy = false
  readonly origin: string
  private readonly network: Network
  private readonly broken = Latch.makeUnsafe()
  private readonly gone = Latch.makeUnsafe()

  constructor(origin: string, network: Network) {
    this.origin = origin
    this.network = network
  }

  readonly ready = Effect.suspend(() => this.network.connecting).pipe(
    Effect.tapError(() => this.close),
    Effect.andThen(Effect.suspend(() => {
      if (this.state !== "connecting") return Effect.never
      this.state = "open"
      return Effect.void
    }))
  )

  readonly closed = this.gone.await
  sent = 0
  received = 0
  readonly transferred = () => ({ sent: this.sent, received: this.received })
  readonly isUsable = () => this.state === "open"

  /** Either side may begin. Once begun, it goes on. */
  readonly close: Effect.Effect<void> = Effect.uninterruptible(Effect.suspend(() => {
    if (this.state === "closing" || this.state === "closed") return Effect.void
    this.state = "closing"
    this.broken.openUnsafe()
    const close = Effect.map(this.network.closing, () => {
      this.state = "closed"
      this.gone.openUnsafe()
    })
    return Effect.asVoid(Effect.forkDetach(close, { startImmediately: true }))
  }))

  private unlessBroken<A, E>(
    phase: "head" | "body",
    effect: Effect.Effect<A, E>
  ): Effect.Effect<A, E | ConnectionLost> {
    const lost = Effect.suspend(() =>
      Effect.fail(new ConnectionLost({ origin: this.origin, phase, cause: new Error("reset") }))
    )
    return Effect.raceFirst(effect, Effect.andThen(this.broken.await, lost))
  }

  readonly send = (request: Wire.Request) =>
    Effect.suspend(() => {
      assert.isFalse(this.isBusy, "a connection carries one exchange at a time")
      this.isBusy = true
      this.sent += 100
      return this.unlessBroken("head", this.network.answering(request)).pipe(
        Effect.map((answer) => this.exchange(answer)),
        Effect.onInterrupt(() => this.close)
      )
    })

  private exchange(answer: Answer): Wire.Exchange {
    const steps = [...answer.body ?? []]
    const pull = Effect.suspend((): Wire.Exchange["pull"] => {
      const step = steps[0]
      if (step === undefined) {
        this.isBusy = false
        return Effect.andThen(answer.headers?.["connection"] === "close" ? this.close : Effect.void, Cause.done())
      }
      if (step === "silence") return this.unlessBroken("body", Effect.never)
      if (step === "reset") return Effect.andThen(this.close, this.unlessBroken("body", Effect.never))
      return this.unlessBroken(
        "body",
        Effect.map(Effect.yieldNow, () => {
          steps.shift()
          this.received += step
          return [new Uint8Array(step)] as const
        })
      )
    })
    return { status: answer.status ?? 200, headers: answer.headers ?? {}, pull, abort: this.close }
  }
}

export class MemoryWire implements Wire.Wire {
  /** All that there ever were. */
  readonly connections: Array<MemoryConnection> = []
  /** The most that existed at one time. */
  peak = 0
  /** What new connections meet. A test may change it. */
  network: Network

  constructor(network: Partial<Network> = {}) {
    this.network = { ...lively, ...network }
  }

  get alive(): ReadonlyArray<MemoryConnection> {
    return this.connections.filter(({ state }) => state !== "closed")
  }

  readonly connect = (origin: URL) =>
    Effect.sync(() => {
      const connection = new MemoryConnection(origin.origin, this.network)
      this.connections.push(connection)
      this.peak = Math.max(this.peak, this.alive.length)
      return connection
    })
}
