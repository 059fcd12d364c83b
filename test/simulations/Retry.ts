/**
 * Retried calls and streams, of several policies that share two budgets, to a faulty server. Callers are interrupted at any step.
 *
 * Six callers make four calls each. Each attempt is judged when it begins: by the end of the one before, by the clock, and by
 * what is still held. A stream is read pull by pull. Its reader leaves pulls at any step and returns later, and the source
 * continues where it was left. Other fibers may close its scope. The names of the properties say what must hold.
 */
import { Deadline, Retry } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Cause, Channel, Clock, Data, Duration, Effect, Exit, Fiber, Option, Pull, Scope, Stream } from "effect"
import { inOwnedScope, saysClosed } from "../support/readings.ts"

const callers = 6
const calls = 4
const maxAttempts = 4
const minimum = 20
const totals = [100, 400, 2000] as const
const retryAfters = [0, 30, 150] as const
/** No more than this may be asked for. */
const maxRetryAfter = 100
/** No wait of ours is longer. */
const maxWait = 100

class Trouble extends Data.TaggedError("Trouble")<{ readonly retry: Retry.Advice }> {}

/** What the server may do to an attempt, and what that says about another. */
const troubles = [
  { fault: "refused", reach: "unsent", isTransient: true },
  { fault: "lost", reach: "unanswered", isTransient: true },
  { fault: "limited", reach: "answered", isTransient: true },
  { fault: "rejected", reach: "answered", isTransient: false }
] as const

/** A budget, and what was taken from it. */
class Account {
  retries = 0
  /** Attempts that went well, of streams up to their first output. */
  successes = 0
  /** Retries that may have begun, in a call that was interrupted in just that moment. */
  unsure = 0
  readonly budget: Retry.Budget
  readonly reserve: number
  readonly ratio: number
  /** How long its calls back off at first. */
  readonly base: number

  constructor(reserve: number, ratio: number, base: number) {
    this.reserve = reserve
    this.ratio = ratio
    this.base = base
    this.budget = Retry.budget({ reserve, ratio })
  }
}

/** One call, as its own attempts see it. */
interface Call {
  endsAt: number
  readonly isIdempotent: boolean
  readonly account: Account
  attempts: number
  held: number
  /** Of the stream's elements, the last that came to the reader. */
  read: number
  /** Whether an attempt has given an element, which a reader that leaves may not have seen. */
  isDelivered: boolean
  /** When the pull that waits was begun. */
  cameAt: number
  key: string | undefined
  last: Trouble | undefined
  isWaiting: boolean
  /** When everything that the last attempt held was given back. */
  freeAt: number
}

/** Whether an attempt may be opened now. */
const admit = (call: Call) =>
  Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    // A stream's deadline counts from its first pull.
    call.endsAt = now + Duration.toMillis(yield* Deadline.remaining)
    yield* Simulation.check(
      "no attempt begins that cannot end in time",
      call.endsAt - now >= minimum,
      () => `${call.endsAt - now} ms left`
    )
    yield* Simulation.check("backing off holds nothing", call.held === 0, () => `${call.held} held`)
    yield* Simulation.check("nothing is repeated once there was output", call.read === 0)
    if (call.last === undefined) return
    const { isTransient, reach, retryAfter } = call.last.retry
    yield* Simulation.check("only what is transient is tried again", isTransient)
    yield* Simulation.check(
      "what may have been processed is sent again only in an idempotent call",
      reach !== "unanswered" || call.isIdempotent
    )
    const asked = Duration.toMillis(retryAfter ?? Duration.zero)
    yield* Simulation.check(
      "what was asked for is waited for, once all is given back",
      now - call.freeAt >= asked && asked <= maxRetryAfter,
      () => `${now - call.freeAt} of ${asked}`
    )
    const longest = asked + Math.min(maxWait, call.account.base * 2 ** (call.attempts - 1))
    yield* Simulation.check(
      "no wait is longer than its limit, or begun anew by who comes back to it",
      now <= Math.max(call.freeAt + longest, call.cameAt),
      () => `${now - call.freeAt} of ${longest}, came back ${now - call.cameAt} ms ago`
    )
  })

/** Begins an attempt. */
const begin = (call: Call, keys: Set<string>) =>
  Effect.gen(function*() {
    call.attempts++
    call.isWaiting = false
    if (call.attempts > 1) call.account.retries++
    const key = (yield* Retry.CurrentKey)?.value
    yield* Simulation.check("no more attempts are made than allowed", call.attempts <= maxAttempts)
    if (call.attempts === 1) {
      yield* Simulation.check("no two calls have the same key", key !== undefined && !keys.has(key))
      keys.add(key ?? "")
      call.key = key
    }
    yield* Simulation.check("all attempts of a call have the same key", key === call.key)
  })

/** Something that an attempt holds in its scope, also one that was left before it had begun. */
const hold = (call: Call, hasBegun: () => boolean = () => true) =>
  Effect.acquireRelease(
    Effect.sync(() => call.held++),
    () =>
      Effect.gen(function*() {
        if (yield* Simulation.fault("release is slow", 0.2)) yield* Simulation.latency(1, 40)
        call.held--
        if (hasBegun()) call.freeAt = yield* Clock.currentTimeMillis
      }).pipe(Simulation.phase("giving back"))
  )

/** What comes of an attempt. */
const answer = (call: Call) =>
  Effect.gen(function*() {
    for (const { fault, isTransient, reach } of troubles) {
      if (!(yield* Simulation.fault(fault, fault === "rejected" ? 0.03 : 0.2))) continue
      const asked = fault === "limited" ? yield* Simulation.choose(retryAfters) : 0
      call.last = new Trouble({ retry: { reach, isTransient, retryAfter: Duration.millis(asked) } })
      call.isWaiting = true
      return yield* call.last
    }
    call.account.successes++
  })

const attempt = (call: Call, keys: Set<string>) =>
  Effect.andThen(
    Effect.andThen(admit(call), begin(call, keys)),
    Effect.andThen(
      hold(call),
      Effect.andThen(Simulation.latency(0, 30), answer(call)).pipe(Simulation.phase("attempting"))
    )
  )

/**
 * The attempts at a stream. One is sent with its first pull, and once: a pull that was left is gone on with by the next, and
 * says the same where it was decided already.
 */
const source = (call: Call, keys: Set<string>) =>
  Stream.fromChannel(Channel.fromTransform((_, scope) =>
    Effect.gen(function*() {
      let given = 0
      let isBegun = false
      let dueAt: number | undefined
      let failure: Trouble | undefined
      const holding = Scope.provide(hold(call, () => isBegun), scope)
      yield* admit(call)
      // Some are held before the first pull.
      const isEarly = yield* Simulation.choose([true, false])
      if (isEarly) yield* holding
      const open = Effect.uninterruptible(Effect.gen(function*() {
        isBegun = true
        yield* begin(call, keys)
        if (!isEarly) yield* holding
      }))
      const decide = Effect.gen(function*() {
        if (given === 0) yield* answer(call)
        else if (yield* Simulation.fault("cut in the middle", 0.1)) {
          call.last = new Trouble({ retry: { reach: "unsent", isTransient: true } })
          call.isWaiting = true
          return yield* call.last
        }
        given++
        call.isDelivered = true
      })
      return Effect.gen(function*() {
        if (!isBegun) yield* open
        if (failure !== undefined) return yield* failure
        if (given === 3) return yield* Cause.done()
        const now = yield* Clock.currentTimeMillis
        dueAt ??= now + (yield* Simulation.choose([0, 10, 30]))
        if (dueAt > now) yield* Effect.sleep(dueAt - now)
        const decided = Effect.tapError(decide, (trouble) => Effect.sync(() => failure = trouble))
        yield* Effect.uninterruptible(decided)
        dueAt = undefined
        return [given] as const
      }).pipe(Simulation.phase("attempting"))
    })
  ))

/** Pulls once, unless the reader leaves: then undefined. The pull has ended when it goes. */
const pullOnce = <A, E>(pull: Pull.Pull<A, E>) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function*() {
      const fiber = yield* Simulation.fork(Simulation.phase("backing off")(pull), "pull")
      const leaves = yield* Simulation.fault("reader leaves", 0.2)
      const leaving = leaves ? Effect.andThen(Simulation.latency(0, 60), Fiber.interrupt(fiber)) : Effect.void
      const exit = yield* restore(Effect.andThen(leaving, Fiber.await(fiber))).pipe(
        Effect.onInterrupt(() => Fiber.interrupt(fiber))
      )
      if (Exit.isSuccess(exit) || !Exit.hasInterrupts(exit)) return exit
      const isLeft = leaves || (yield* Simulation.isStruck(fiber))
      yield* Simulation.check("a pull is interrupted for nobody but its reader", isLeft, () => String(exit.cause))
    })
  )

/** Reads a stream to its end, and comes back to the pulls that it left. */
const readIn = <E>(scope: Scope.Scope, stream: Stream.Stream<number, E>, call: Call) =>
  Effect.gen(function*() {
    const pull = yield* Scope.provide(Stream.toPull(stream), scope)
    while (true) {
      call.cameAt = yield* Clock.currentTimeMillis
      const exit = yield* pullOnce(pull)
      if (exit === undefined) {
        yield* Simulation.latency(0, 60)
        continue
      }
      if (Exit.isFailure(exit)) {
        return yield* Pull.isDoneCause(exit.cause) ? Effect.void : Effect.failCause(exit.cause as Cause.Cause<E>)
      }
      for (const n of exit.value) {
        yield* Simulation.check("no element comes twice", n > call.read, () => `${n} after ${call.read}`)
        call.read = n
      }
    }
  })

/** The same in a scope that may be closed under it. */
const read = <E>(stream: Stream.Stream<number, E>, call: Call) =>
  Effect.flatMap(inOwnedScope((scope) => readIn(scope, stream, call)), ({ exit, isClosed }) => {
    const error = Option.getOrUndefined(Exit.findErrorOption(exit))
    if (!saysClosed(error)) return exit
    return Effect.andThen(
      Simulation.check("a reader is told that its scope was closed where it was", isClosed),
      exit
    )
  })

/** As `Deadline.withinStream`, which pulls for its reader; here a reader that leaves interrupts the pull itself. */
const uncut = (millis: number) => <A, E, R>(self: Stream.Stream<A, E, R>) =>
  Stream.unwrap(Effect.map(Clock.monotonicTimeNanos, (now) =>
    Stream.provideService(self, Deadline.Current, {
      at: Number(now) / 1e6 + millis,
      budget: Duration.millis(millis)
    })))

const run = (
  call: Call,
  policy: Retry.Policy,
  keys: Set<string>,
  kind: "effect" | "stream" | "bare stream",
  budget: number
) => {
  const declared = call.isIdempotent ? Retry.idempotent() : (<A, E, R>(self: Effect.Effect<A, E, R>) => self)
  const stream = source(call, keys).pipe(Retry.applyStream(policy))
  const retried = kind === "stream"
    ? read(Deadline.withinStream(budget)(stream), call)
    : kind === "bare stream"
    ? Effect.scoped(Effect.flatMap(Effect.scope, (scope) => readIn(scope, uncut(budget)(stream), call)))
    : Effect.scoped(attempt(call, keys).pipe(Retry.apply(policy), Deadline.within(budget)))
  // Where chance has no say in the wait, it is known until when a retry that was taken cannot have begun.
  const left = Effect.map(Clock.currentTimeMillis, (now) => {
    const asked = Duration.toMillis(call.last?.retry.retryAfter ?? 0)
    if (call.isWaiting && now >= call.freeAt + asked) call.account.unsure++
  })
  return declared(retried).pipe(
    Simulation.phase("backing off"),
    Effect.onInterrupt(() => left),
    Effect.tapErrorTag(["DeadlineExceeded", "SessionRevoked"], () => left)
  )
}

const caller = Effect.fnUntraced(function*(accounts: readonly [Account, Account], keys: Set<string>) {
  for (let i = 0; i < calls; i++) {
    const account = yield* Simulation.choose(accounts)
    const total = yield* Simulation.choose(totals)
    const kind = yield* Simulation.choose(["effect", "stream", "bare stream"] as const)
    const policy = Retry.jittered({
      attempts: maxAttempts,
      base: account.base,
      max: maxWait,
      maxRetryAfter,
      minimum,
      budget: account.budget
    })
    const call: Call = {
      endsAt: (yield* Clock.currentTimeMillis) + total,
      isIdempotent: yield* Simulation.choose([true, false]),
      account,
      attempts: 0,
      held: 0,
      isWaiting: false,
      read: 0,
      isDelivered: false,
      cameAt: 0,
      key: undefined,
      last: undefined,
      freeAt: 0
    }
    const exit = yield* Effect.exit(run(call, policy, keys, kind, total))
    yield* Simulation.check("a call that has ended holds nothing", call.held === 0, () => `${call.held} held`)
    if (Exit.isSuccess(exit)) continue
    const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
    if (error === undefined) {
      yield* Simulation.check("a caller gets a typed error", false, String(exit.cause))
      continue
    }
    const ended = Retry.ended(exit.cause)
    yield* Simulation.note(`${error._tag} ${ended?.why ?? ""}`)
    if (error._tag === "DeadlineExceeded") {
      const now = yield* Clock.currentTimeMillis
      yield* Simulation.check("time runs out at the deadline", now >= call.endsAt || call.attempts === 0)
      continue
    }
    if (error._tag === "SessionRevoked") continue
    yield* Simulation.check("the last error is the one that comes", error === call.last)
    yield* Simulation.check("it is known how many attempts there were", ended?.attempts === call.attempts)
    yield* Simulation.check(
      "a call ends for the reason that is given",
      ended?.why === "delivered" ?
        call.isDelivered :
        ended?.why === "attempts" ?
        call.attempts === maxAttempts :
        ended?.why === "permanent" ?
        !error.retry.isTransient :
        ended?.why === "unanswered" ?
        error.retry.reach === "unanswered" && !call.isIdempotent :
        ended?.why === "retryAfter" ?
        Duration.toMillis(error.retry.retryAfter ?? 0) > maxRetryAfter :
        ended !== undefined,
      () => `${ended?.why}`
    )
  }
})

const program = Effect.gen(function*() {
  // One that successes fill again, and one that they do not, of which the count must be right to the last retry.
  const accounts = [new Account(5, 0.5, 20), new Account(8, 0, 0)] as const
  const keys = new Set<string>()
  const fibers = yield* Effect.forEach(
    Array.from({ length: callers }),
    () => Simulation.fork(caller(accounts, keys), "caller")
  )
  const [, counted] = accounts
  yield* Simulation.always(
    "there are no more retries than the budget has",
    () => accounts.every(({ ratio, reserve, retries, successes }) => retries <= reserve + ratio * successes),
    () => accounts.map(({ retries, successes }) => `${retries} retries, ${successes} successes`).join()
  )
  for (const fiber of fibers) {
    const exit = yield* Fiber.await(fiber)
    yield* Simulation.check(
      "only who was interrupted ends so",
      Exit.isSuccess(exit) || (Exit.hasInterrupts(exit) && (yield* Simulation.isStruck(fiber))),
      () => String(exit)
    )
  }
  yield* Simulation.check(
    "a retry that was not made is given back",
    counted.budget.left <= counted.reserve - counted.retries &&
      counted.budget.left >= counted.reserve - counted.retries - counted.unsure,
    () => `${counted.budget.left} left after ${counted.retries} retries, ${counted.unsure} unsure`
  )
})

export default {
  name: "Retry",
  program,
  phases: ["attempting", "backing off", "giving back"],
  faults: [
    ...troubles.map(({ fault }) => fault),
    "release is slow",
    "cut in the middle",
    "reader leaves",
    "the scope has an owner elsewhere",
    "a scope closes under its reader"
  ]
} satisfies Simulation.Scenario
