/** A store of leases as a server is: it fails, hangs, loses answers, comes back empty, and works on though its caller has left. */
import { LeaseStore } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Clock, Deferred, Duration, Effect } from "effect"
import * as Machine from "../../packages/core/src/internal/lease/machine.ts"

/** The clock of one process. While the process is paused, nothing in it wakes up. Its wall clock may be set. */
export class ProcessClock implements Clock.Clock {
  private readonly base: Clock.Clock
  private offset = 0
  private pausedUntil = 0
  /** For how many milliseconds it was paused so far. */
  paused = 0

  constructor(base: Clock.Clock) {
    this.base = base
  }

  get now(): number {
    return Number(this.base.monotonicTimeNanosUnsafe()) / 1e6
  }

  jump(millis: number): void {
    this.offset += millis
  }

  pause(millis: number): void {
    this.paused += millis
    this.pausedUntil = Math.max(this.pausedUntil, this.now) + millis
  }

  currentTimeMillisUnsafe(): number {
    return this.base.currentTimeMillisUnsafe() + this.offset
  }

  currentTimeNanosUnsafe(): bigint {
    return this.base.currentTimeNanosUnsafe() + BigInt(this.offset) * 1_000_000n
  }

  monotonicTimeNanosUnsafe(): bigint {
    return this.base.monotonicTimeNanosUnsafe()
  }

  readonly currentTimeMillis = Effect.sync(() => this.currentTimeMillisUnsafe())
  readonly currentTimeNanos = Effect.sync(() => this.currentTimeNanosUnsafe())
  readonly monotonicTimeNanos = Effect.sync(() => this.monotonicTimeNanosUnsafe())

  /** Waits until the process runs again. */
  readonly resumed: Effect.Effect<void> = Effect.suspend(() =>
    this.now < this.pausedUntil
      ? Effect.andThen(this.base.sleep(Duration.millis(Math.ceil(this.pausedUntil - this.now))), this.resumed)
      : Effect.void
  )

  sleep(duration: Duration.Duration): Effect.Effect<void> {
    return Effect.andThen(this.base.sleep(duration), this.resumed)
  }
}

/** What the oracle knows of a grant. It is kept apart from the machine's own state. */
export interface Granted {
  readonly token: number
  readonly id: string
  /** Which caller has it. */
  readonly holder: string
  /** When the store lets it expire. */
  expiresAt: number
  /** Whether it was released, or the store has lost it. */
  isOver: boolean
  /** When its holder must have stopped, by what it was told. */
  validUntil: number
}

interface Limits {
  readonly ttl: number
  readonly margin: number
}

/** The data of the server, and what must be true of it. */
export class Server {
  readonly grants: Array<Granted> = []
  /** How the next steps go, whatever chance says. */
  readonly forced: Array<{ readonly operation: Operation; readonly way: Way }> = []
  private frozenUntil = 0
  private state: Machine.State = Machine.empty
  private startedAt = -1e9
  readonly base: Clock.Clock
  private readonly limits: Limits

  constructor(base: Clock.Clock, limits: Limits) {
    this.base = base
    this.limits = limits
  }

  get now(): number {
    return Number(this.base.monotonicTimeNanosUnsafe()) / 1e6
  }

  private get moment(): Machine.Now {
    return { millis: this.now, micros: this.base.currentTimeMillisUnsafe() * 1000, up: this.now - this.startedAt }
  }

  /** Grants that have not expired. */
  get live(): ReadonlyArray<Granted> {
    return this.grants.filter(({ expiresAt, isOver }) => !isOver && expiresAt > this.now)
  }

  /** Grants whose holders may use them, by what they were told. */
  get valid(): ReadonlyArray<Granted> {
    return this.grants.filter(({ isOver, validUntil }) => !isOver && validUntil > this.now)
  }

  get holders(): number {
    return Machine.holders(this.state, this.moment).length
  }

  restartEmpty(): void {
    this.state = Machine.empty
    this.startedAt = this.now
    for (const grant of this.grants) grant.expiresAt = -Infinity
  }

  freeze(millis: number): void {
    this.frozenUntil = this.now + millis
  }

  /** Waits until the server answers again. */
  readonly thawed: Effect.Effect<void> = Effect.suspend(() =>
    this.now < this.frozenUntil
      ? Effect.andThen(Effect.sleep(Math.ceil(this.frozenUntil - this.now)), this.thawed)
      : Effect.void
  )

  acquire(request: LeaseStore.Request): Effect.Effect<LeaseStore.Answer> {
    return Effect.suspend((): Effect.Effect<LeaseStore.Answer> => {
      const { live, now } = this
      const own = live.find(({ id }) => id === request.id)
      const [after, answer] = Machine.acquire(this.state, request, this.moment)
      this.state = after
      if (answer._tag === "Busy") {
        return Effect.as(Simulation.check("a store that is busy says when to ask again", answer.retryIn > 0), answer)
      }
      const { token } = answer
      const expiresAt = now + request.ttl
      if (own !== undefined && own.token === token) {
        own.expiresAt = expiresAt
        return Effect.succeed(answer)
      }
      const highest = Math.max(0, ...this.grants.map((grant) => grant.token))
      this.grants.push({
        token,
        id: request.id,
        holder: request.holder,
        expiresAt,
        isOver: false,
        validUntil: -Infinity
      })
      return Simulation.check("each token is higher than all before it", token > highest, `${token} after ${highest}`)
        .pipe(
          Effect.andThen(Simulation.check("a store grants no more than the limit", live.length < request.limit)),
          Effect.as(answer)
        )
    })
  }

  renew(renewal: LeaseStore.Renewal): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const grant = this.grants.find(({ id, token }) => id === renewal.id && token === renewal.token)
      const wasLive = grant !== undefined && this.live.includes(grant)
      const [after, isRenewed] = Machine.renew(this.state, renewal, this.moment)
      this.state = after
      if (isRenewed && grant !== undefined) grant.expiresAt = this.now + renewal.ttl
      return Effect.as(Simulation.check("a late renewal revives nothing", !isRenewed || wasLive), isRenewed)
    })
  }

  release(released: LeaseStore.Release): Effect.Effect<void> {
    return Effect.sync(() => {
      this.state = Machine.release(this.state, released, this.moment)
      for (const grant of this.grants) {
        if (grant.id === released.id && (released.token ?? grant.token) === grant.token) grant.isOver = true
      }
    })
  }

  /** The holder hears at this moment that the store does not know its grant, or with the next renewal if it has just given this one up. */
  toldRefused(id: string): void {
    for (const grant of this.grants) if (grant.id === id) grant.validUntil = Math.min(grant.validUntil, this.now + 30)
  }

  /** The holder was told at this moment that it has the grant. */
  told(id: string, token: number, askedAt: number): void {
    const grant = this.grants.find((one) => one.id === id && one.token === token)
    if (grant === undefined) return
    grant.validUntil = Math.max(grant.validUntil, askedAt + this.limits.ttl - this.limits.margin)
  }
}

type Operation = LeaseStore.LeaseStoreError["operation"]

const failed = (operation: Operation, isUnknown: boolean) =>
  new LeaseStore.LeaseStoreError({ store: "simulated", operation, problem: "a fault", isUnknown })

/** How a step goes on its way to the server and back. */
interface Way {
  readonly isMade: boolean
  /** What its caller gets instead of the answer: an error that says whether the step may have been made, or nothing ever. */
  readonly instead: "known" | "unknown" | "nothing" | undefined
  readonly latency: number
}

/** It is made, but its answer never comes. */
export const lost: Way = { isMade: true, instead: "nothing", latency: 4 }
/** It never arrives, and its caller hears so at once. */
export const refused: Way = { isMade: false, instead: "known", latency: 4 }

const wayOf = Effect.fnUntraced(function*({ forced }: Server, operation: Operation) {
  const [next] = forced
  if (next?.operation === operation) {
    forced.shift()
    return next.way
  }
  const latency = (yield* Simulation.fault("a step is slow", 0.1)) ? 40 : 4
  const way = (isMade: boolean, instead: Way["instead"]): Way => ({ isMade, instead, latency })
  if (yield* Simulation.fault("a step is refused", 0.05)) return way(false, "known")
  if (yield* Simulation.fault("a step gets lost", 0.05)) return way(false, "nothing")
  if (yield* Simulation.fault("an answer gets lost", 0.05)) return way(true, "nothing")
  if (yield* Simulation.fault("a step fails though it was made", 0.05)) return way(true, "unknown")
  return way(true, undefined)
})

/** What a client tells of its requests. */
export interface Client {
  readonly onBusy: (holder: string) => void
  readonly onGranted: (holder: string) => void
}

/** The store as a process has it. A step that was sent is made although its caller has left. */
export const storeOf = (server: Server, clock: ProcessClock, { onBusy, onGranted }: Client): LeaseStore.LeaseStore => {
  const step = <A>(
    operation: Operation,
    made: Effect.Effect<A>,
    onAnswer: (answer: A, askedAt: number) => void
  ): Effect.Effect<A, LeaseStore.LeaseStoreError> =>
    Effect.gen(function*() {
      const askedAt = clock.now
      const answer = yield* Deferred.make<A, LeaseStore.LeaseStoreError>()
      const { instead, isMade, latency } = yield* wayOf(server, operation)
      const travel = Effect.gen(function*() {
        yield* Simulation.latency(0, latency)
        yield* server.thawed
        const value = isMade ? yield* made : undefined
        yield* Simulation.latency(0, latency)
        if (instead === undefined) yield* Deferred.succeed(answer, value as A)
        else if (instead !== "nothing") yield* Deferred.fail(answer, failed(operation, instead === "unknown"))
      })
      yield* Effect.forkDetach(Effect.provideService(travel, Clock.Clock, server.base))
      const value = yield* Effect.ensuring(Deferred.await(answer), clock.resumed)
      onAnswer(value, askedAt)
      return value
    })
  return {
    name: "simulated",
    acquire: (request) =>
      step("acquire", server.acquire(request), (answer, askedAt) => {
        if (answer._tag === "Busy") return onBusy(request.holder)
        server.told(request.id, answer.token, askedAt)
        onGranted(request.holder)
      }),
    renew: (renewal) =>
      step("renew", server.renew(renewal), (isRenewed, askedAt) => {
        if (isRenewed) server.told(renewal.id, renewal.token, askedAt)
        else server.toldRefused(renewal.id)
      }),
    release: (released) => step("release", server.release(released), () => {}),
    holders: () => Effect.die(new Error("Nothing asks for this"))
  }
}
