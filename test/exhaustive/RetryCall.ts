/**
 * Three calls that retry on one budget. Their attempts succeed and fail in every way. They are interrupted during attempts and
 * waits, for good or to continue.
 *
 * The model provides the fiber, the clock, the deadline and the randomness. Time passes when a wait is over.
 */
import { Deadline, Retry } from "@clawback/core"
import { Cause, Clock, Data, Duration, Effect, Exit, type Fiber, Random } from "effect"
import { RetryBudget } from "../../packages/core/src/internal/retry/budget.ts"
import { Call } from "../../packages/core/src/internal/retry/call.ts"
import type { Rules } from "../../packages/core/src/internal/retry/model.ts"
import { type Machine, must, type Operation } from "../support/enumerate.ts"

class Failure extends Data.TaggedError("Failure")<{ readonly retry: Retry.Advice }> {}

/** How an attempt fails, and what chance says to that. */
const failing = (draw: number, reach: Retry.Reach, isTransient = true, retryAfter = 0) => ({
  cause: Cause.fail(new Failure({ retry: { reach, isTransient, retryAfter: Duration.millis(retryAfter) } })),
  draw,
  reach,
  isTransient,
  retryAfter
})

const failures = {
  "is refused": failing(0, "unsent"),
  "is asked to wait": failing(0.9, "answered", true, 2),
  "is asked to wait too long": failing(0, "answered", true, 9),
  "gets no answer": failing(0.9, "unanswered"),
  "is rejected": failing(0, "answered", false),
  "is cut off": failing(0, "delivered")
}

type Failing = typeof failures[keyof typeof failures]

const rules: Rules = { attempts: 3, base: 1, max: 2, maxRetryAfter: 4, minimum: 1, resend: "idempotent" }

const deadline: Deadline.Deadline = { at: 4.5, budget: Duration.millis(4.5) }

/** The calls, by what they differ in. */
const kinds = [
  { isIdempotent: true, deadline: undefined },
  { isIdempotent: false, deadline: undefined },
  { isIdempotent: true, deadline }
] as const

class ModelClock {
  now = 0
  monotonicTimeNanosUnsafe(): bigint {
    return BigInt(this.now * 1e6)
  }
}

interface Caller {
  call: Call<never, Failure> | undefined
  state: "fresh" | "trying" | "waiting" | "away" | "over"
  attempts: number
  /** Whether a retry is taken that has not begun. */
  isPaid: boolean
  notBefore: number
}

interface World {
  readonly clock: ModelClock
  readonly budget: RetryBudget
  readonly ratio: number
  readonly reserve: number
  readonly callers: Array<Caller>
  /** What should be left in the budget. */
  tokens: number
  /** What was ever allowed, and what was taken of it and used. */
  allowed: number
  retries: number
}

const make = (ratio: number, reserve: number) => (): World => {
  const budget = new RetryBudget(ratio, reserve)
  return {
    clock: new ModelClock(),
    budget,
    ratio,
    reserve,
    callers: kinds.map(({ isIdempotent }) => ({
      call: new Call({ rules, budget, classify: undefined }, isIdempotent),
      state: "fresh",
      attempts: 0,
      isPaid: false,
      notBefore: 0
    })),
    tokens: reserve,
    allowed: reserve,
    retries: 0
  }
}

/** The fiber that a call runs on, as far as it looks at it. */
const fiberOf = (world: World, caller: number, draw: number): Fiber.Fiber<unknown, unknown> => {
  const known = new Map<unknown, unknown>([
    [Clock.Clock, world.clock],
    [Deadline.Current, kinds[caller]?.deadline],
    [Random.Random, { nextDoubleUnsafe: () => draw }]
  ])
  return { getRef: (reference: unknown) => known.get(reference) } as unknown as Fiber.Fiber<unknown, unknown>
}

const remaining = (world: World, caller: number): number => (kinds[caller]?.deadline?.at ?? Infinity) - world.clock.now

const end = (world: World, caller: Caller) => {
  caller.call?.settle()
  if (caller.isPaid) world.tokens = Math.min(world.reserve, world.tokens + 1)
  caller.isPaid = false
  caller.state = "over"
  // Nothing of it matters any more.
  caller.call = undefined
  caller.attempts = 0
  caller.notBefore = 0
}

/** Takes one retry from what should be left. */
const withdraw = (world: World, caller: Caller): boolean => {
  if (world.tokens < 1) return false
  world.tokens -= 1
  return caller.isPaid = true
}

const isEnded = (result: unknown, why: Retry.Why): boolean =>
  Exit.isExit(result) && Exit.isFailure(result) && Retry.ended(result.cause)?.why === why

/** Lets a call go on when its time has come: with another attempt, or to its end. */
const goOn = (i: number) => (world: World) => {
  const caller = world.callers[i]
  if (caller?.call === undefined) return
  const { call } = caller
  const isRetry = caller.state !== "fresh"
  world.clock.now = Math.max(world.clock.now, caller.notBefore)
  const refused = call.admit(fiberOf(world, i, 0), Effect.never)
  if (isRetry && !caller.isPaid && !withdraw(world, caller)) {
    must("who comes back pays again for what was given back", isEnded(refused, "budget"))
    return end(world, caller)
  }
  if (remaining(world, i) < rules.minimum) {
    const isRefused = isRetry ? isEnded(refused, "deadline") : refused !== undefined
    must("no attempt begins without the time for it", isRefused)
    return end(world, caller)
  }
  must("a call goes on when its wait is over", refused === undefined)
  call.begin()
  caller.attempts++
  caller.state = "trying"
  caller.isPaid = false
  if (isRetry) world.retries++
}

const succeed = (i: number) => (world: World) => {
  const caller = world.callers[i]
  if (caller?.call === undefined) return
  caller.call.succeeded()
  world.tokens = Math.min(world.reserve, world.tokens + world.ratio)
  world.allowed += world.ratio
  end(world, caller)
}

/** Why a failed attempt should be the last, but for the budget. */
const whyLast = (world: World, i: number, { isTransient, reach, retryAfter }: Failing): Retry.Why | undefined => {
  if (reach === "delivered") return "delivered"
  if (!isTransient) return "permanent"
  if (reach === "unanswered" && kinds[i]?.isIdempotent !== true) return "unanswered"
  if (world.callers[i]?.attempts === rules.attempts) return "attempts"
  if (retryAfter > rules.maxRetryAfter) return "retryAfter"
  return remaining(world, i) - retryAfter < rules.minimum ? "deadline" : undefined
}

const fail = (i: number, failure: Failing) => (world: World) => {
  const caller = world.callers[i]
  if (caller?.call === undefined) return
  const { call } = caller
  const fiber = fiberOf(world, i, failure.draw)
  call.failed(fiber, failure.cause)
  const why = whyLast(world, i, failure) ?? (withdraw(world, caller) ? undefined : "budget")
  const refused = call.admit(fiber, Effect.never)
  if (why !== undefined) {
    must("a call ends when, and why, it should", isEnded(refused, why))
    return end(world, caller)
  }
  must("a call that can be tried again waits for that", !Exit.isExit(refused))
  caller.state = "waiting"
  caller.notBefore = call["notBefore"]
  const wait = caller.notBefore - world.clock.now
  must("nobody comes back sooner than was asked for", wait >= failure.retryAfter)
  must("a wait is no longer than the policy says", wait <= failure.retryAfter + Math.ceil(failure.draw * rules.max))
  must("a wait leaves the time that an attempt needs", remaining(world, i) - wait >= rules.minimum)
}

/** Interrupted while it waits, it gives back what it has taken; the reader of a stream may come back. */
const leave = (i: number) => (world: World) => {
  const caller = world.callers[i]
  if (caller?.call === undefined) return
  caller.call.settle()
  world.tokens = Math.min(world.reserve, world.tokens + 1)
  caller.isPaid = false
  caller.state = "away"
}

const interrupt = (i: number) => (world: World) => {
  const caller = world.callers[i]
  if (caller?.call === undefined) return
  caller.call.failed(fiberOf(world, i, 0), interrupted)
  end(world, caller)
}

const interrupted = Cause.interrupt(1)

const of = (i: number, { state }: Caller): ReadonlyArray<Operation<World>> => {
  switch (state) {
    case "fresh":
      return [{ name: `${i} begins`, run: goOn(i) }]
    case "trying":
      return [
        { name: `${i} succeeds`, run: succeed(i) },
        { name: `${i} is interrupted`, run: interrupt(i) },
        ...Object.entries(failures).map(([name, failure]) => ({ name: `${i} ${name}`, run: fail(i, failure) }))
      ]
    case "waiting":
      return [{ name: `${i} has waited`, run: goOn(i) }, { name: `${i} leaves`, run: leave(i) }]
    case "away":
      return [{ name: `${i} comes back`, run: goOn(i) }]
    case "over":
      return []
  }
}

export default {
  name: "RetryCall",
  worlds: {
    "no reserve": make(0.5, 0),
    "a reserve of one, and nothing for successes": make(0, 1),
    "a reserve of two, and a half for each success": make(0.5, 2)
  },
  operations: ({ callers }) => callers.flatMap((caller, i) => of(i, caller)),
  laws: {
    "retries never exceed the reserve and what successes allow": ({ allowed, callers, retries }) =>
      retries + callers.filter(({ isPaid }) => isPaid).length <= allowed,
    "the budget holds what was not taken": ({ budget, tokens }) => budget.left === Math.floor(tokens),
    "the budget never holds more than its reserve": ({ budget, reserve }) => budget.left >= 0 && budget.left <= reserve,
    "no call makes more attempts than its policy allows": ({ callers }) =>
      callers.every(({ attempts }) => attempts <= rules.attempts)
  },
  atoms: [interrupted, deadline, rules, ...Object.values(failures).map(({ cause }) => cause)]
} satisfies Machine<World>
