/** Every form of session, nested in each other, with users that end, fail, hang or ignore interruption. */
import { Deadline, Session, SessionError, SessionRegistry } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Cause, Channel, Context, Effect, Exit, Option, Pull, Scope, Stream } from "effect"
import { Around, type Book, Broken, Inside, type OutOfThings, type Reader, type Thing } from "./heldThings.ts"
import { forEachIn, inOwnedScope, readForking, saysClosed } from "./readings.ts"

export type Failure = OutOfThings | SessionError.SessionError

export const reason = "simulated"

/** Records that this runs inside a session of that name, which must be the current one. */
const inSession = (name: string) => <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const [current, around] = [yield* Session.Current, yield* Around]
    yield* Simulation.check("work goes on inside of its session", current?.name === name, () => `${current?.name}`)
    return yield* current === undefined ? effect : Effect.provideService(effect, Around, [...around, current.id])
  })

/** Begins nothing in a session that was revoked before. */
const beginning = Effect.flatMap(
  Session.Current,
  (at) => Simulation.check("no work begins in what was revoked", at?.revoked === undefined)
)

/** What an exit says, interruptions aside. */
const said = (exit: Exit.Exit<unknown, unknown>): ReadonlyArray<unknown> =>
  Exit.isSuccess(exit) ?
    [] :
    exit.cause.reasons.flatMap((reason) =>
      reason._tag === "Fail" ? [reason.error] : reason._tag === "Die" ? [reason.defect] : []
    )

const isRevocation = (one: unknown): one is SessionError.SessionRevoked => one instanceof SessionError.SessionRevoked

/** Holds something for some work, and compares what came of both. */
const telling = <A, E, R, E2, R2>(
  book: Book,
  work: (thing: Thing) => Effect.Effect<A, E, R>,
  hold: (work: (thing: Thing) => Effect.Effect<A, E, R>) => Effect.Effect<A, E2, R2>
) =>
  Effect.suspend(() => {
    let own: Exit.Exit<A, E> | undefined
    /** That of the session itself, if it came before the work had ended. */
    let revocation: SessionError.SessionRevoked | undefined
    /** Whether the work ended before that interrupted its fiber. */
    let isAhead = false
    const noting = (thing: Thing) =>
      Effect.flatMap(Session.Current, (current) =>
        // In the work's last step: a revocation may come in the next.
        Effect.onExitPrimitive(work(thing), (exit) => {
          own = exit
          revocation = current?.revoked
          isAhead = revocation === undefined || book.beingRevoked.has(revocation.id)
          return undefined
        }))
    return Effect.onExit(hold(noting), (exit) => {
      if (own === undefined || Exit.hasInterrupts(exit)) return Effect.void
      const [inside, outside] = [said(own), said(exit)]
      const revoked = Exit.isSuccess(exit)
        ? []
        : exit.cause.reasons.filter(Cause.isFailReason).map(({ error }) => error).filter(isRevocation)
      const isTold = inside.every((one) =>
        outside.includes(one) || (isRevocation(one) && outside.some(isRevocation))
      ) &&
        // A fiber may yield after its work's last step, and be interrupted there by a revocation that reaches it only now.
        (Exit.isFailure(own) || outside.every((one) => one instanceof Broken || (isAhead && isRevocation(one))))
      const isOwn = revocation === undefined || revoked.every((one) => one === revocation)
      return Effect.andThen(
        Simulation.check("a session tells what its work came to", isTold, () => `${own}, told as ${exit}`),
        Simulation.check("work hears of the revocation of its own session", isOwn, () => `${own}, told as ${exit}`)
      )
    })
  })

/** The session whose revocation interrupts this fiber. One that was acquired only tells of it, one that closed does not. */
const interrupting = Effect.map(Session.Current, (current) => {
  let at = current
  while (at?.kind === "acquired" || at?.isOpen === false) at = at.parent
  return at
})

/** What a stream does once it was revoked is its release. */
const isInRelease = Effect.map(Session.Current, (current) => {
  for (let at = current; at !== undefined; at = at.parent) {
    if (at.kind === "streamed" && at.revoked !== undefined) return true
  }
  return false
})

/** Tells another, in a session of its own. */
const farewell = Effect.gen(function*() {
  let isTold = false
  const exit = yield* Effect.exit(Session.use(
    { kind: "farewell", name: "farewell" },
    Effect.void,
    () => Simulation.check("what a release has opened is not taken from it", isTold),
    () =>
      Effect.map(Simulation.latency(0, 60), () => {
        isTold = true
      })
  ))
  yield* Simulation.check("a release opens what it needs", Exit.isSuccess(exit), () => String(exit))
})

/** Set where something is acquired, and so where it is released, and nowhere else. */
const IsAcquiring = Context.Reference<boolean>("test/IsAcquiring", { defaultValue: () => false })

/** How long work takes. */
const lasting = Effect.map(
  Simulation.fault("user never ends by himself", 0.06),
  (isLasting): Effect.Effect<void> => isLasting ? Effect.never : Simulation.latency(0, 60)
)

export const holding = (book: Book, tenant: string | undefined) => {
  const take = book.take(tenant)

  /** Is told when he must let go, and does: until then it is his. */
  const listening = Effect.fnUntraced(function*(thing: Thing) {
    yield* Effect.onExit(yield* lasting, () => {
      const isKept = thing.state === "held" || book.isSeized
      return Simulation.check("who listens keeps what he uses until he lets go", isKept, () => `thing ${thing.id}`)
    })
  })

  /** Revokes what he works in, and with it himself. */
  const revokingHimself = Effect.gen(function*() {
    const own = yield* interrupting
    if (own === undefined) return
    const { id, kind } = own
    const filter = yield* Simulation.choose<SessionRegistry.Filter>([{ id }, { within: id }, { kind, tenant }])
    yield* SessionRegistry.revoke(filter, { reason, deadline: yield* Simulation.choose([20, 200]) })
    yield* Simulation.check("work does not go on in a session that was revoked", false, () => JSON.stringify(filter))
  })

  /** Wants to open one thing more when he is told to stop. */
  const takingMore = Effect.gen(function*() {
    const around = yield* interrupting
    if (around?.revoked === undefined || (yield* isInRelease)) return
    const exit = yield* Effect.exit(Session.scoped({ kind: "late", name: "late" })(Effect.void))
    yield* Simulation.check(
      "nothing is opened inside of what was revoked",
      Option.exists(Exit.findErrorOption(exit), ({ _tag }) => _tag === "SessionRevoked"),
      () => String(exit)
    )
  })

  const working = Effect.fnUntraced(function*(thing: Thing) {
    if (yield* Simulation.fault("user does not listen", 0.1)) {
      return yield* Effect.uninterruptible(Simulation.latency(0, 60))
    }
    if (yield* Simulation.fault("user revokes what he works in", 0.03)) return yield* revokingHimself
    const wantsMore = yield* Simulation.fault("user takes more when told to stop", 0.1)
    yield* wantsMore ? Effect.onInterrupt(listening(thing), () => takingMore) : listening(thing)
  }, Simulation.phase("using"))

  /** A handle's user has to ask whether he may go on. */
  const minding = ({ awaitRevoked, value }: Session.Handle<Thing>) => Effect.raceFirst(awaitRevoked, working(value))

  const used = (depth: number): Effect.Effect<void, Failure> => {
    const name = book.name("used")
    return telling(
      book,
      (thing) =>
        inSession(name)(Effect.gen(function*() {
          yield* beginning
          yield* Effect.provideService(Effect.andThen(working(thing), within(depth)), Inside, thing)
        })),
      (work) => Session.use({ kind: "used", name }, take, book.put, work)
    )
  }

  /** Where interruption is not allowed, nobody interrupts, and nobody waits for long either. */
  const sheltered = Effect.uninterruptible(telling(
    book,
    () =>
      Effect.onExit(
        Simulation.latency(0, 60),
        (exit) => Simulation.check("who may not be interrupted is not", Exit.isSuccess(exit))
      ),
    (work) => Session.use({ kind: "used", name: "sheltered" }, book.grab(tenant), book.put, work)
  ))

  /** Has more to do to give something back than that. */
  const parting = Effect.suspend(() => {
    const name = book.name("used")
    return telling(
      book,
      (thing) => inSession(name)(Effect.andThen(beginning, working(thing))),
      (work) => Session.use({ kind: "used", name }, take, (thing) => Effect.andThen(farewell, book.put(thing)), work)
    )
  })

  const grouped = (depth: number): Effect.Effect<void, Failure> => {
    const [name, inner] = [book.name("grouped"), book.name("acquired")]
    return Session.scoped({ kind: "grouped", name })(
      inSession(name)(Effect.gen(function*() {
        const handle = yield* Session.acquire({ kind: "acquired", name: inner }, take, book.put)
        yield* minding(handle)
        if (!handle.session.isOpen) return
        yield* inSession(inner)(depth > 0 ? within(depth) : minding(handle)).pipe(
          Effect.provideService(Inside, handle.value),
          Effect.provideService(Session.Current, handle.session)
        )
      }))
    )
  }

  /** Numbers in a session of their own, with something held for as long as they are read. */
  const numbers = (
    name: string,
    scope: Scope.Scope,
    opened: (session: Session.Session | undefined) => void = () => {}
  ) =>
    Stream.unwrap(
      inSession(name)(Effect.gen(function*() {
        const session = yield* Session.Current
        book.enter(session, scope)
        opened(session)
        yield* beginning
        const handle = yield* Session.acquire({ kind: "acquired", name: "streams" }, take, book.put)
        return Stream.mapEffect(Stream.make(1, 2, 3), (n) => Effect.as(minding(handle), n))
      }))
    ).pipe(Session.scopedStream({ kind: "streamed", name }))

  const streamed = (depth: number): Effect.Effect<void, Failure> =>
    Effect.gen(function*() {
      const name = book.name("streamed")
      let last = 0
      let session: Session.Session | undefined
      const read = (scope: Scope.Scope) => numbers(name, scope, (opened) => session = opened).pipe(Stream.take(2))
      const { exit, isClosed } = yield* inOwnedScope((scope) =>
        forEachIn(scope, read(scope), (n) =>
          Effect.andThen(
            Simulation.check("a stream gives each element once, in order", n === ++last, () => `${n} as no. ${last}`),
            within(depth)
          ))
      )
      const id = session?.id ?? 0
      yield* Simulation.check(
        "a stream whose scope has closed holds nothing",
        [...book.held].every(({ around, isStuck }) => isStuck || !around.includes(id)),
        () => name
      )
      const error = Option.getOrUndefined(Exit.findErrorOption(exit))
      yield* Simulation.check(
        "a reader is told that its scope was closed where it was",
        isClosed || !(saysClosed(error) && error?._tag === "SessionRevoked" && error.session === name)
      )
      return yield* exit
    })

  /** Whose elements come from what it forks. */
  const forked = Effect.flatMap(readForking(Session.scopedStream({ kind: "streamed", name: "forked" })), (exit) => exit)
    .pipe(
      Simulation.phase("reading what is forked")
    )

  /** Reads once, without ever closing anything, and is lost. Inside of nothing, since that would end before it. */
  const dropped = Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const reader: Reader = { name: book.name("dropped"), isGone: false }
      book.dropped.add(reader)
      const isLimited = yield* Simulation.choose([true, false])
      const scope = yield* Scope.make()
      const stream = numbers(reader.name, scope)
      const limited = isLimited ? Deadline.withinStream("1 hour")(stream) : stream
      const pull = yield* Channel.toPullScoped(Stream.toChannel(limited), scope)
      const exit = yield* Effect.exit(restore(pull))
      reader.isGone = true
      yield* Simulation.lose(pull, "a reader is collected")
      if (Exit.isFailure(exit)) return yield* Effect.failCause(exit.cause)
    })
  ).pipe(
    (pulled) => Pull.catchDone(pulled, () => Effect.void),
    Effect.catchTag("DeadlineExceeded", Effect.die),
    Effect.provideService(Session.Current, undefined),
    Effect.provideService(Inside, undefined),
    Effect.provideService(Around, [])
  )

  /** By a handle whose user minds revocations, or finds out when it is too late. */
  const handled = Effect.gen(function*() {
    yield* Effect.scoped(Effect.gen(function*() {
      const handle = yield* Session.acquire({ kind: "handled", name: "by hand" }, take, book.put).pipe(
        Effect.provideService(IsAcquiring, true)
      )
      if (yield* Simulation.fault("handle's user does not ask", 0.2)) {
        while (handle.session.isOpen) yield* Effect.sleep("50 millis")
      } else yield* minding(handle)
      if (yield* Simulation.choose([true, false])) yield* handle.close
    }))
    yield* Simulation.check("a release leaves the context of whoever ran it", !(yield* IsAcquiring))
  })

  /** Outlives the session inside of which it was opened, but not those around that; what works on in there, neither. */
  const outliving = Effect.scoped(Effect.gen(function*() {
    const outer = yield* Effect.scope
    const [name, outlives] = [book.name("short"), book.name("outlives")]
    const [short, handle] = yield* Session.scoped({ kind: "grouped", name })(
      inSession(name)(Effect.all([
        Session.Current,
        Scope.provide(Session.acquire({ kind: "acquired", name: outlives }, take, book.put), outer)
      ]))
    )
    const [current, expected] = yield* Simulation.choose([[short, name], [handle.session, outlives]] as const)
    yield* inSession(expected)(Effect.andThen(minding(handle), handled)).pipe(
      Effect.provideService(Session.Current, current)
    )
  }))

  const within = (depth: number): Effect.Effect<void, Failure> => {
    if (depth === 0) return Effect.void
    const inner = piece(depth - 1)
    const both = Effect.all([inner, inner], { concurrency: 2, discard: true })
    return Effect.flatMap(Simulation.choose([inner, inner, both]), (chosen) => chosen)
  }

  const piece = (depth: number): Effect.Effect<void, Failure> =>
    Effect.flatMap(
      Simulation.choose([
        used(depth),
        grouped(depth),
        streamed(depth),
        sheltered,
        parting,
        handled,
        outliving,
        forked,
        dropped
      ]),
      (chosen) => chosen
    )

  return piece
}
