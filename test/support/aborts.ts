/**
 * Calls that are cut at random moments of random phases, in every way, and what can be observed.
 *
 * A `Way` makes the calls, so that each way to call a provider gets the same test. The provider decides the phase of a call;
 * it counts only if the registry and the provider's report confirm it.
 */
import { Deadline, Session, SessionRegistry, type Transport } from "@clawback/core"
import type { FaultyProvider } from "@clawback/testing"
import { Cause, Data, Deferred, Effect, Exit, Fiber, Stream } from "effect"
import { now } from "./monotonic.ts"
import { tagOf } from "./origin.ts"

type Kind = "stream" | "whole"

/** A way to call a provider, from below a URL. */
export type Way =
  | {
    readonly name: string
    readonly kind: "stream"
    readonly call: (url: string) => Stream.Stream<unknown, unknown, Transport.Transport>
  }
  | {
    readonly name: string
    readonly kind: "whole"
    readonly call: (url: string) => Effect.Effect<unknown, unknown, Transport.Transport>
  }

/** As they stand in URLs. At "any", the cut falls wherever it falls. */
export const phases = [
  "waiting",
  "connecting",
  "tls",
  "headers",
  "first-byte",
  "streaming",
  "body",
  "backing-off",
  "any"
] as const
export type Phase = typeof phases[number]

export const cuts = ["interruption", "timeout", "consumer stop", "downstream failure", "revoke"] as const
type Cut = typeof cuts[number]

export const isPossible = (kind: Kind, phase: Phase): boolean => phase !== (kind === "stream" ? "body" : "streaming")

/** One call to be cut. */
export interface Plan {
  readonly way: Way
  readonly phase: Phase
  readonly cut: Cut
}

class DownstreamFailure extends Data.TaggedError("DownstreamFailure")<{}> {}

/** What is known of a call that is being cut. */
export class Call {
  readonly id: string
  readonly plan: Plan
  /** When it was seen in its phase. */
  enteredAt = Infinity
  cutAt = Infinity
  /** When its caller had it back. */
  endedAt = Infinity
  elements = 0
  exit: Exit.Exit<unknown, unknown> | undefined
  readonly entered = Deferred.makeUnsafe<void>()

  constructor(id: string, plan: Plan) {
    this.id = id
    this.plan = plan
    if (plan.phase === "any") this.enter()
  }

  enter() {
    if (this.enteredAt < Infinity) return
    this.enteredAt = now()
    Deferred.doneUnsafe(this.entered, Exit.void)
  }

  cutNow() {
    this.cutAt = Math.min(this.cutAt, now())
  }
}

/** Makes a call and cuts it as planned. `random` gives the moment; timeouts, which are set beforehand, leave it more time. */
export const run = (url: string, call: Call, random: () => number): Effect.Effect<
  void,
  never,
  Transport.Transport
> => {
  const { cut, phase, way } = call.plan
  const talk = way.kind === "stream"
    ? Stream.tap(way.call(url), () => Effect.sync(() => call.elements++))
    : Stream.fromEffect(way.call(url))
  const answer = way.kind === "stream" ? Stream.runDrain(talk) : Effect.asVoid(way.call(url))
  const moment = Effect.andThen(Deferred.await(call.entered), Effect.sleep(random() * 40))
  const stopped = Effect.andThen(moment, Effect.sync(() => call.cutNow()))
  const isReading = phase === "streaming"

  const end: Effect.Effect<unknown, unknown, Transport.Transport> = Effect.suspend(() => {
    switch (cut) {
      case "interruption":
        return Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(answer)
          yield* stopped
          yield* Fiber.interrupt(fiber)
          return yield* yield* Fiber.await(fiber)
        })
      case "timeout": {
        const millis = phase === "any" ? random() * 60 : 100 + random() * 300
        call.cutAt = now() + millis
        // Who waits for another attempt knows the deadline, and never waits beyond it.
        if (phase === "backing-off") return Effect.timeout(answer, millis)
        return way.kind === "stream"
          ? Stream.runDrain(Deadline.withinStream(millis)(talk))
          : Deadline.within(millis)(answer)
      }
      case "consumer stop":
        if (!isReading) return Effect.raceFirst(answer, stopped)
        return Effect.gen(function*() {
          let isEnough = false
          yield* Effect.forkChild(Effect.andThen(moment, Effect.sync(() => isEnough = true)))
          yield* Stream.runDrain(Stream.takeUntil(talk, () => {
            if (isEnough) call.cutNow()
            return isEnough
          }))
        })
      case "downstream failure": {
        const failed = Effect.andThen(stopped, Effect.fail(new DownstreamFailure()))
        if (!isReading) return Effect.all([answer, failed], { concurrency: 2 })
        return Effect.gen(function*() {
          let isBroken = false
          yield* Effect.forkChild(Effect.andThen(moment, Effect.sync(() => isBroken = true)))
          yield* Stream.runForEach(talk, () => {
            if (!isBroken) return Effect.void
            call.cutNow()
            return Effect.fail(new DownstreamFailure())
          })
        })
      }
      case "revoke": {
        const info = { kind: "user", name: call.id }
        const used = way.kind === "stream"
          ? Stream.runDrain(Session.scopedStream(info)(talk))
          : Session.scoped(info)(answer)
        return Effect.gen(function*() {
          const fiber = yield* Effect.forkChild(used)
          yield* stopped
          yield* SessionRegistry.revoke(info, { reason: "cut" })
          return yield* yield* Fiber.await(fiber)
        })
      }
    }
  })
  return Effect.map(Effect.exit(Effect.scoped(end)), (exit) => {
    call.endedAt = now()
    call.exit = exit
  })
}

/** Whether a call that was cut ended in the way in which it was cut. */
export const endedAsCut = ({ exit, plan: { cut, phase } }: Call): boolean => {
  if (exit === undefined) return false
  if (cut === "consumer stop") return Exit.isSuccess(exit)
  if (Exit.isSuccess(exit)) return false
  if (cut === "interruption") return Cause.hasInterruptsOnly(exit.cause)
  const [reason, ...others] = exit.cause.reasons
  if (reason === undefined || others.length > 0 || !Cause.isFailReason(reason)) return false
  const tag = tagOf(reason.error)
  switch (cut) {
    case "timeout":
      return tag === (phase === "backing-off" ? "TimeoutError" : "DeadlineExceeded")
    case "downstream failure":
      return tag === "DownstreamFailure"
    case "revoke":
      return tag === "SessionRevoked"
  }
}

/** What one look shows: the exchanges of the registry and the requests of the provider, by call. */
export interface Seen {
  readonly exchanges: ReadonlyMap<string, SessionRegistry.Snapshot>
  readonly requests: ReadonlyMap<string, ReadonlyArray<FaultyProvider.Received>>
}

const idOf = (path: string) => path.split("/")[2] ?? ""

export const look = Effect.fnUntraced(function*(provider: FaultyProvider.FaultyProvider["Service"]) {
  const exchanges = yield* SessionRegistry.list({ kind: "exchange" })
  const requests = yield* provider.requests
  return {
    exchanges: new Map(exchanges.map((exchange) => [idOf(exchange.name), exchange])),
    requests: Map.groupBy(requests, ({ url }) => idOf(url))
  }
})

/** Whether a call is seen in its phase now. */
export const isIn = ({ elements, id, plan: { phase } }: Call, { exchanges, requests }: Seen): boolean => {
  const exchange = exchanges.get(id)
  const [request] = requests.get(id) ?? []
  switch (phase) {
    case "waiting":
    case "connecting":
    case "tls":
      return exchange?.state === "acquiring"
    case "headers":
      return request?.state === "answering" && request.headAt === undefined
    case "first-byte":
      return request?.headAt !== undefined
    case "streaming":
      return elements > 0
    case "body":
      return (request?.sent ?? 0) > 0
    case "backing-off":
      return request?.endedAt !== undefined && exchange === undefined
    case "any":
      return true
  }
}

/** Whether what the provider tells in the end agrees with a cut in that phase. */
export const isBorneOut = ({ id, plan: { phase } }: Call, { requests }: Seen): boolean => {
  const [request, ...others] = requests.get(id) ?? []
  switch (phase) {
    case "waiting":
    case "connecting":
    case "tls":
      return request === undefined
    case "headers":
      return request?.state === "aborted" && request.headAt === undefined && others.length === 0
    case "first-byte":
      return request?.state === "aborted" && request.headAt !== undefined && request.sent === 0 && others.length === 0
    case "streaming":
    case "body":
      return request?.state === "aborted" && request.sent > 0 && others.length === 0
    case "backing-off":
      return request?.endedAt !== undefined && others.length === 0
    case "any":
      return others.length === 0 && (request === undefined || request.state === "aborted")
  }
}
