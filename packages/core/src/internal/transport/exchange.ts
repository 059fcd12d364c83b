/** One exchange: a request and its response, from when it wants a connection until it has given that back. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import { type Deadline, DeadlineExceeded } from "../../Deadline.ts"
import * as OptionCheck from "../../OptionCheck.ts"
import type * as Session from "../../Session.ts"
import { FirstTokenTimeout } from "../../Timeouts.ts"
import type * as Wire from "../../Wire.ts"
import * as Lifecycle from "../session/lifecycle.ts"
import type { SessionRecord } from "../session/record.ts"
import { atMost } from "../time/atMost.ts"
import { type Timer, type Timers, unset } from "../time/timers.ts"
import type { Address } from "./address.ts"
import { bodyOf, BodyProgress } from "./body.ts"
import type { Connections } from "./connections.ts"
import { ConnectionLost, type TransportError } from "./errors.ts"
import { keepAliveMillis } from "./keepAlive.ts"
import type { Request, Response } from "./model.ts"
import type { PooledConnection } from "./pool.ts"

/** The rest of a body is read, so that its connection can be kept, if no more than this is left of it, in bytes. */
const drainLimit = 64 * 1024
const drainTimeout = Duration.millis(250)

/** What all exchanges of a transport share. */
export interface Shared {
  readonly connections: Connections
  readonly timers: Timers
  readonly idleMillis: number
  readonly maxBodySize: number
}

/** Whether a connection was lost before the first byte was written to it. */
const wasNotSent = (cause: Cause.Cause<TransportError>): boolean =>
  cause.reasons.some((reason) =>
    Cause.isFailReason(reason) && reason.error instanceof ConnectionLost && reason.error.phase === "request"
  )

/** Another fiber may close the scope at any step. From then on the exchange has no connection. */
const isReleased = ({ state }: Session.Session): boolean => state !== "open"

export class Exchange implements Timer {
  at = Infinity
  slot = unset
  private readonly shared: Shared
  private readonly request: Request
  private readonly address: Address
  private readonly deadline: Deadline | undefined
  /** Undefined while a second connection is awaited, after the first one was lost before anything was sent. */
  private connection: PooledConnection | undefined = undefined
  private isSent = false
  private head: Wire.Exchange | undefined = undefined
  private body: BodyProgress | undefined = undefined
  /** Why we ended the exchange ourselves. */
  private failure: FirstTokenTimeout | undefined = undefined

  constructor(shared: Shared, request: Request, address: Address, deadline: Deadline | undefined) {
    this.shared = shared
    this.request = request
    this.address = address
    this.deadline = deadline
  }

  /** Takes a connection. Call this in the step in which it is made: a free connection is taken at once. */
  begin(restore: Session.Restore) {
    return Effect.mapEager(this.checkout(restore), (connection) => {
      this.connection = connection
      return this
    })
  }

  private checkout(restore: Session.Restore) {
    return this.shared.connections.checkout(this.address, this.request.timeouts ?? {}, this.deadline, restore)
  }

  /** The head did not come in time. Closing the connection fails the wait for the head. */
  fire(): void {
    if (this.connection === undefined) return
    this.failure = new FirstTokenTimeout({ limit: this.firstToken })
    this.shared.connections.discard(this.connection)
  }

  private get firstToken(): Duration.Duration {
    return OptionCheck.duration("timeouts.firstToken", this.request.timeouts?.firstToken ?? Infinity)
  }

  /** Sends the request. Call this in the step in which it is made. */
  send(session: Session.Session): Effect.Effect<Response, TransportError> {
    const { connection, deadline, request, shared: { timers } } = this
    if (connection === undefined || isReleased(session)) return Effect.fail(Lifecycle.whyEnded(session))
    const sentAt = timers.now
    if (deadline !== undefined && deadline.at <= sentAt) {
      return Effect.fail(new DeadlineExceeded({ budget: deadline.budget }))
    }
    this.isSent = true
    if (request.timeouts?.firstToken !== undefined) {
      this.at = sentAt + Duration.toMillis(this.firstToken)
      timers.set(this)
    }
    const { body, headers, method } = request
    return Effect.matchCauseEffect(connection.wire.send({ method, path: this.address.path, headers, body }), {
      onFailure: (cause) => this.onLost(cause, connection, session),
      onSuccess: (head) => this.onHead(head, sentAt, connection, session)
    })
  }

  private onLost(
    cause: Cause.Cause<TransportError>,
    connection: PooledConnection,
    session: Session.Session
  ): Effect.Effect<Response, TransportError> {
    this.shared.timers.clear(this)
    if (connection.isReused && wasNotSent(cause)) return this.sendAgain(connection, session)
    // If we ended the exchange ourselves, we closed its connection, which explains any other error.
    return Effect.failCause(
      Cause.map(cause, (error) =>
        this.failure ??
          (session.revoked !== undefined || isReleased(session) ? Lifecycle.whyEnded(session) : error))
    )
  }

  private onHead(
    head: Wire.Exchange,
    sentAt: number,
    connection: PooledConnection,
    session: Session.Session
  ): Effect.Effect<Response, TransportError> {
    this.shared.timers.clear(this)
    // The head came while its connection was being closed: too late, or after the scope was closed.
    if (this.failure !== undefined || isReleased(session)) {
      return Effect.andThen(head.abort, Effect.fail(this.failure ?? Lifecycle.whyEnded(session)))
    }
    const { headers, status } = head
    const { maxBodySize = this.shared.maxBodySize, method } = this.request
    const body = new BodyProgress(method, status, headers["content-length"], maxBodySize)
    this.head = head
    this.body = body
    return Effect.succeed({
      status,
      headers,
      sentAt,
      body: bodyOf(head.pull, body, session),
      onWanted: (offer) => connection.pool.offers.add(offer)
    })
  }

  /** A kept connection may have been closed by its server before anything was sent. The request then gets another one. */
  private sendAgain(lost: PooledConnection, session: Session.Session): Effect.Effect<Response, TransportError> {
    const { connections, idleMillis } = this.shared
    return Effect.uninterruptibleMask((restore) => {
      this.connection = undefined
      this.isSent = false
      connections.discard(lost)
      const ended = Effect.andThen(
        Lifecycle.closed(session as SessionRecord),
        Effect.suspend(() => Effect.fail(Lifecycle.whyEnded(session)))
      )
      const unlessRevoked = Lifecycle.restoring(session as SessionRecord, restore)
      return Effect.flatMap(this.checkout((part) => unlessRevoked(Effect.raceFirst(part, ended))), (another) => {
        // The release has run already, so it does not give this connection back.
        if (isReleased(session)) {
          connections.giveBack(another, idleMillis)
          return Effect.fail(Lifecycle.whyEnded(session))
        }
        this.connection = another
        return restore(Effect.suspend(() => this.send(session)))
      })
    })
  }

  /** Ends the use of the connection. Keeps it open where that is possible without reading much. */
  end(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    const { body, connection, head, shared: { connections, timers } } = this
    timers.clear(this)
    if (connection === undefined) return Effect.void
    if (!this.isSent || body?.isEnded === true) return this.giveBack(connection)
    const discard = (): Effect.Effect<void> => {
      connections.discard(connection)
      return Effect.void
    }
    if (head === undefined || body === undefined) return discard()
    const abort = Effect.ensuring(head.abort, Effect.suspend(discard))
    // A reader that waits would go on waiting, since the drain takes its place.
    if (Exit.hasInterrupts(exit) || body.isReading || body.left > drainLimit) return abort
    const drain = Pull.catchDone(Effect.forever(head.pull, { disableYield: true }), () => Effect.void)
    return Effect.flatMap(atMost(drain, drainTimeout), (isDrained) => isDrained ? this.giveBack(connection) : abort)
  }

  private giveBack(connection: PooledConnection): Effect.Effect<void> {
    const announced = this.head === undefined ? Infinity : keepAliveMillis(this.head.headers["keep-alive"])
    this.shared.connections.giveBack(connection, Math.min(this.shared.idleMillis, announced))
    return Effect.void
  }
}
