/** Requests of a simulated server: what each does, and its real end. */
import { Deadline, Session, type SessionError, SessionLeaks, SessionRegistry, type Shutdown } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { type Cause, Data, Effect, Exit, type Fiber, Queue, Scope, Stream } from "effect"
import { HttpServerResponse } from "effect/http"
import { keepsSpan, type Records } from "./records.ts"

/** How long work that ignores interruption takes, in milliseconds. */
export const patience = 200

/** The time by which deadlines go. */
export const now = Effect.clockWith((clock) => Effect.succeed(Number(clock.monotonicTimeNanosUnsafe()) / 1e6))

/** What a handler, or a body, fails with by itself. */
export class Unlucky extends Data.TaggedError("Unlucky")<{}> {}

/** One request, as it truly went. */
export class Served {
  readonly number: number
  readonly tenant: string
  private readonly scope: Scope.Scope
  /** Who reads the answer. */
  client: Fiber.Fiber<unknown, unknown> | undefined
  session: Session.Session | undefined
  /** When the request has used up its time. */
  until = Infinity
  /** What its answer should be, if it is given one. */
  expected: ReadonlyArray<string> = []
  /** Whether its body has been made, or is not read to its end: what the body forked ends with it. */
  isRead = false
  /** Its fibers that live. */
  readonly live = new Set<string>()
  /** Whether it failed by itself. */
  hasFailed = false
  /** Whether a part of it closed its scope. */
  closesItself = false
  /** Whether its scope closes as it begins. Then a handler that runs all the same leaves a child behind. */
  isClosedEarly = false

  constructor(number: number, tenant: string, scope: Scope.Scope) {
    this.number = number
    this.tenant = tenant
    this.scope = scope
  }

  /** Whether anybody has cut it short: its time, its client, a revocation, or who closed its scope. */
  readonly isCut = Effect.gen({ self: this }, function*() {
    const isStruck = this.client !== undefined && (yield* Simulation.isStruck(this.client))
    const at = yield* now
    const isClosing = this.scope.state._tag === "Closed"
    return isStruck || isClosing || this.hasFailed || at >= this.until || this.session?.revoked !== undefined
  })
}

/** What requests hold, and whether it came back. */
export class Held {
  taken = 0
  returned = 0
  /** What nobody has any more who could give it back. */
  forgotten = 0
  readonly isWatched: boolean
  readonly records: Records

  constructor(isWatched: boolean, records: Records) {
    this.isWatched = isWatched
    this.records = records
  }

  private readonly take = Effect.sync(() => void this.taken++)
  private readonly put = Effect.fnUntraced({ self: this }, function*() {
    if (yield* Simulation.fault("a release takes its time", 0.1)) yield* Simulation.latency(1, 30)
    this.returned++
  })

  /** Holds something until the scope around closes. */
  readonly one = (kind: string) =>
    Effect.suspend(() => Session.acquire({ kind, name: "one" }, this.take, () => this.put()))

  /** Holds something for as long as a request lasts. */
  readonly first = Effect.suspend(() => this.one("held")).pipe(
    Effect.tap(({ session }) =>
      Simulation.check("no record keeps the span of its opener", !keepsSpan(session), session.kind)
    )
  )

  /** Holds something in a scope that nobody closes. Whoever gets it forgets it. */
  readonly forgetful = Effect.gen({ self: this }, function*() {
    if (!this.isWatched || !(yield* Simulation.fault("a scope is forgotten", 0.2))) return
    const scope = yield* Scope.make()
    yield* Effect.uninterruptible(Effect.gen({ self: this }, function*() {
      const exit = yield* Effect.exit(Effect.withSpan(Scope.provide(this.one("forgotten"), scope), "forgetting"))
      if (Exit.isSuccess(exit)) this.forgotten++
      yield* Simulation.check("no record keeps a scope that its owner has dropped", !this.records.keeps(scope))
      yield* Simulation.lose(scope)
    }))
  })
}

const encode = (n: number) => new TextEncoder().encode(String(n))

const ofBody = "child of the body"

/** A fiber of a request, which nobody ends before its request is over. */
const part = <A, E, R>(served: Served, name: string, work: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    served.live.add(name)
    return yield* work
  }).pipe(Effect.onExit(Effect.fnUntraced(function*(exit) {
    if (Exit.hasInterrupts(exit)) {
      yield* Simulation.check(
        "a request's children live until its last byte, unless it is cut short",
        (yield* served.isCut) || (served.isRead && name === ofBody),
        name
      )
      if (yield* Simulation.fault("a child ignores interruption", 0.1)) {
        yield* Effect.uninterruptible(Simulation.latency(1, 60))
      }
    }
    served.live.delete(name)
    const at = yield* now
    yield* Simulation.check(
      "a request's children end at its deadline, whether or not its client reads",
      // What was forked in the scope, its server ends.
      name === "scoped" || at <= served.until + patience,
      () => `${name} of request ${served.number}: ${at} instead of ${served.until}`
    )
  })))

/** Chunks that a fiber makes, one after another. */
const making = Effect.fnUntraced(function*(served: Served, held: Held) {
  const count = yield* Simulation.choose([1, 2, 4])
  served.expected = Array.from({ length: count }, (_, i) => String(i + 1))
  const queue = yield* Queue.unbounded<Uint8Array, Unlucky | Cause.Done>()
  const make = Effect.gen(function*() {
    for (let n = 1; n <= count; n++) {
      yield* Simulation.latency(0, 15)
      if (yield* Simulation.fault("a body fails", 0.03)) {
        served.hasFailed = true
        return yield* Queue.fail(queue, new Unlucky())
      }
      yield* Queue.offer(queue, encode(n))
      if (yield* Simulation.fault("a body stalls", 0.03)) return yield* Effect.never
    }
    served.isRead = true
    yield* Queue.end(queue)
  })
  const used = Session.use({ kind: "used", name: "one" }, Effect.void, () => Effect.void, () => make)
  const working = (yield* Simulation.choose([true, false]))
    ? used
    : Effect.andThen(Effect.scoped(held.one("held")), make)
  return { make: Effect.exit(working), body: Stream.fromQueue(queue) }
})

type Answer = Effect.Effect<
  HttpServerResponse.HttpServerResponse,
  Unlucky | SessionError.SessionError | Shutdown.ShuttingDown,
  Scope.Scope
>

const handlers = (served: Served, held: Held): Record<string, Answer> => ({
  text: Effect.as(Simulation.latency(0, 20), HttpServerResponse.text("text")),

  child: Effect.gen(function*() {
    const { body, make } = yield* making(served, held)
    yield* Effect.forkChild(part(served, "child", make))
    return HttpServerResponse.stream(body)
  }),

  scoped: Effect.gen(function*() {
    const { body, make } = yield* making(served, held)
    yield* Effect.forkScoped(part(served, "scoped", make))
    return HttpServerResponse.stream(body)
  }),

  inBody: Effect.succeed(HttpServerResponse.stream(Stream.unwrap(Effect.gen(function*() {
    const { body, make } = yield* making(served, held)
    yield* Effect.forkChild(part(served, ofBody, make))
    return body
  })))),

  session: Effect.gen(function*() {
    const { body, make } = yield* making(served, held)
    yield* Effect.forkChild(part(served, "child", make))
    return HttpServerResponse.stream(Session.scopedStream({ kind: "streamed", name: "body" })(body))
  }),

  detached: Effect.gen(function*() {
    // Reports something in the scope of the request, which may be closed by then.
    const report = Effect.andThen(
      Simulation.latency(0, 80),
      Effect.andThen(held.one("held"), Simulation.latency(0, 40))
    )
    yield* Effect.forkDetach(report)
    return HttpServerResponse.text("accepted")
  })
})

/** Closes the scope of a request from a part of it. */
const closing = (served: Served, scope: Scope.Scope) =>
  Effect.suspend(() => {
    if (scope.state._tag !== "Closed") served.closesItself = true
    return Scope.close(scope as Scope.Closeable, Exit.void)
  })

const kinds = ["text", "child", "scoped", "inBody", "session", "detached"] as const

/** What a server does for a request, under a span as any server has one. */
export const handler = (served: Served, held: Held): Answer =>
  Effect.gen(function*() {
    const session = yield* Session.Current
    served.session = session
    const remaining = yield* Deadline.Current
    served.until = remaining?.at ?? Infinity
    yield* held.first
    yield* held.forgetful
    if (yield* Simulation.fault("a handler fails", 0.05)) {
      served.hasFailed = true
      return yield* new Unlucky()
    }
    if (yield* Simulation.fault("a handler never answers", 0.05)) return yield* Effect.never
    if (yield* Simulation.fault("a request closes its own scope", 0.05)) {
      const close = closing(served, yield* Effect.scope)
      if (yield* Simulation.choose([true, false])) yield* close
      else yield* Effect.forkChild(part(served, "closer", Effect.andThen(Simulation.latency(0, 20), close)))
    }
    if (yield* Simulation.fault("a request closes its own scope as it ends", 0.1)) {
      const close = closing(served, yield* Effect.scope)
      yield* Effect.forkChild(part(served, "late closer", Effect.ensuring(Effect.never, close)))
    }
    if (yield* Simulation.fault("a child is left behind", served.isClosedEarly ? 1 : 0.2)) {
      yield* Effect.forkChild(part(served, "left behind", Effect.never))
    }
    const kind = yield* Simulation.choose(kinds)
    yield* Simulation.note(`request ${served.number}: ${kind}`)
    return yield* handlers(served, held)[kind] ?? Effect.never
  }).pipe(Effect.withSpan("handler"), Simulation.phase("handling"))

/** Takes back what is forgotten, as soon as that is noticed. */
export const reclaiming = Effect.gen(function*() {
  for (const leak of yield* SessionRegistry.leaks) {
    if (leak.reason === "owner gone") yield* SessionLeaks.reclaim(leak)
  }
})
