/** Each of the five limits of a call, reached alone while the other four are far away, and the time at which it fired. */
import { Deadline, Timeouts, Transport } from "@clawback/core"
import { NodeTransport } from "@clawback/node"
import { Behavior, FaultyProvider } from "@clawback/testing"
import { Cause, Effect, Exit, Stream } from "effect"
import { setTimeout as sleep } from "node:timers/promises"
import { now } from "./monotonic.ts"

/** A limit, and the situation in which it alone can pass. */
export interface Case {
  readonly name: string
  readonly tag: string
  /** Makes the call, and tells when the limit's clock begins. */
  readonly meet: (limit: number, begins: () => void) => Effect.Effect<Met>
}

interface Met {
  readonly exit: Exit.Exit<unknown, unknown>
  readonly endedAt: number
}

/** How an effect ended, and when, without what is closed around it. */
const ended = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<Met, never, R> =>
  Effect.map(Effect.exit(self), (exit) => ({ exit, endedAt: now() }))

type Provider = FaultyProvider.FaultyProvider["Service"]

const far = 30_000

/** A streamed call under all five limits; pings are no output. */
const call = (
  url: string,
  behavior: Behavior.Behavior,
  limits: Timeouts.Timeouts & { readonly total?: number },
  onElement: () => void = () => {}
) => {
  const all = { queue: far, connect: far, firstToken: far, idle: far, ...limits }
  const text = new TextDecoder()
  return Stream.unwrap(Effect.gen(function*() {
    const { execute } = yield* Transport.Transport
    const response = yield* execute({ method: "GET", url, headers: FaultyProvider.header(behavior), timeouts: all })
    return Transport.stream(response).pipe(
      Timeouts.applyStream<Uint8Array>({
        timeouts: all,
        startedAt: response.sentAt,
        isOutput: (bytes) => text.decode(bytes).includes("data:")
      }),
      Stream.tap((bytes) => Effect.sync(() => text.decode(bytes).includes("data:") && onElement()))
    )
  })).pipe(Deadline.withinStream(limits.total ?? far), Stream.runDrain)
}

const ping = { comment: "ping" }
const every = "25 millis"
const pings = Behavior.sse([ping], { every, endless: true })
const pingsAfterOutput = Behavior.sse(["Hello", ...Array.from({ length: 400 }, () => ping)], { every })
const talking = Behavior.sse(["well"], { every, endless: true })
const answer = Behavior.json({ ok: true })

const over = (connections = 4) => NodeTransport.layer({ connections, tls: { ca: FaultyProvider.ca } })

export const cases = (
  { deaf, mute, open }: { readonly open: Provider; readonly deaf: Provider; readonly mute: Provider }
): ReadonlyArray<Case> => {
  /** On a connection that is there already, so that the clock of the call is the one that is looked at. */
  const onKept =
    (behavior: Behavior.Behavior, limits: (limit: number) => Parameters<typeof call>[2]): Case["meet"] =>
    (limit, begins) =>
      Effect.gen(function*() {
        yield* Effect.exit(call(open.url, answer, {}))
        begins()
        return yield* ended(call(open.url, behavior, limits(limit)))
      }).pipe(Effect.provide(over()))

  const toNobody = (provider: Provider): Case["meet"] => (limit, begins) =>
    Effect.suspend(() => {
      begins()
      return ended(call(provider.url, answer, { connect: limit }))
    }).pipe(Effect.provide(over()))

  return [
    {
      name: "queue: the only connection is in use",
      tag: "QueueTimeout",
      meet: (limit, begins) =>
        Effect.gen(function*() {
          const { execute } = yield* Transport.Transport
          const id = `holder ${now()}`
          const holds = execute({ method: "GET", url: open.url, headers: FaultyProvider.header(Behavior.stall, id) })
          yield* Effect.forkChild(Effect.exit(Effect.scoped(Effect.andThen(holds, Effect.never))))
          yield* Effect.orDie(open.untilRequest((request) => request.id === id, "20 seconds"))
          begins()
          return yield* ended(call(open.url, answer, { queue: limit }))
        }).pipe(Effect.provide(over(1)))
    },
    { name: "connect: nobody accepts", tag: "ConnectTimeout", meet: toNobody(deaf) },
    { name: "connect: TLS without a hello", tag: "ConnectTimeout", meet: toNobody(mute) },
    {
      name: "firstToken: no head",
      tag: "FirstTokenTimeout",
      meet: onKept(Behavior.stall, (firstToken) => ({ firstToken }))
    },
    {
      name: "firstToken: a head, and pings",
      tag: "FirstTokenTimeout",
      meet: onKept(pings, (firstToken) => ({ firstToken }))
    },
    {
      name: "idle: pings after some output",
      tag: "IdleTimeout",
      meet: (idle, begins) => ended(call(open.url, pingsAfterOutput, { idle }, begins)).pipe(Effect.provide(over()))
    },
    {
      name: "total: an answer that goes on",
      tag: "DeadlineExceeded",
      meet: onKept(talking, (total) => ({ total }))
    },
    {
      name: "total: no answer",
      tag: "DeadlineExceeded",
      meet: onKept(Behavior.stall, (total) => ({ total }))
    }
  ]
}

const tagOf = (exit: Exit.Exit<unknown, unknown>): string => {
  if (Exit.isSuccess(exit)) return "none"
  const [reason, ...others] = exit.cause.reasons
  if (reason === undefined || others.length > 0 || !Cause.isFailReason(reason)) return String(exit.cause)
  const { error } = reason
  return typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : String(error)
}

/** By how much a bare timer of Node's was late. */
const lateness = async (millis: number) => {
  const dueAt = now() + millis
  await sleep(millis)
  return now() - dueAt
}

/** Two bare timers, due with the limit and just after it: how late the later of the two was. */
const bare = async (limit: number) => Math.max(...await Promise.all([lateness(limit), lateness(limit + 15)]))

export interface Measured {
  readonly tag: string
  /** Milliseconds from when the limit's clock began. */
  readonly after: number
  /** How late a bare timer of Node's was that was set as the limit's clock began. */
  readonly bareLate: number
}

/** Meets a limit once. */
export const measure = ({ meet }: Case, limit: number): Effect.Effect<Measured> =>
  Effect.gen(function*() {
    let beganAt = NaN
    let control = Promise.resolve(NaN)
    const begins = () => {
      beganAt = now()
      control = bare(limit)
    }
    const { endedAt, exit } = yield* meet(limit, begins)
    const bareLate = yield* Effect.promise(() => control)
    return { tag: tagOf(exit), after: endedAt - beganAt, bareLate }
  })
