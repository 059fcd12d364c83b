/**
 * Retries an effect or a stream if that can help and does no harm.
 *
 * A `Policy` is a value, applied to any effect (`apply`) or stream (`applyStream`). The policy does not
 * know which failures to retry. Each of our errors declares that in `retry`: how far the attempt got, and whether the
 * next one may succeed. For other errors, `classify` decides.
 *
 * | how far the attempt got | retried |
 * | --- | --- |
 * | `unsent`: nothing left this process | if transient |
 * | `unanswered`: sent, and perhaps processed and billed | if transient, and `resend` allows it: by default, only in a call that is `idempotent` |
 * | `answered`: the server replied with an error | if transient, and not before its `retryAfter` |
 * | `delivered`: output has reached the reader | never |
 *
 * Waits have full jitter: a random time between zero and a limit that doubles with each attempt. So callers that failed
 * together do not retry together. A `Retry-After` of the other side is waited for in full, before the jitter. All retries
 * draw on a `Budget`, which shrinks as calls fail, so that an outage does not multiply the load. A deadline in force bounds
 * everything: if a wait does not fit, the call ends at once with its last error.
 *
 * Each attempt has a scope of its own, closed before the wait: a call holds nothing while it waits. What the successful
 * attempt acquired is held until the surrounding scope closes.
 *
 * | option | unit | default | too low | too high |
 * | --- | --- | --- | --- | --- |
 * | `attempts` | attempts, the first included | 3 | a hiccup fails the call | a failing server gets more load, its callers wait longer |
 * | `base` | duration: limit of the first wait | 500 milliseconds | retries come before anything can have changed | a hiccup costs long waits |
 * | `max` | duration: limit of any wait | 8 seconds | an outage is met with a steady hammering | calls sleep after all is well again |
 * | `maxRetryAfter` | duration | 1 minute | calls fail although a longer wait would have helped | callers wait as long as the other side likes |
 * | `minimum` | duration: what an attempt needs | 0 | the deadline cuts off attempts that are billed | attempts that would have finished are skipped |
 * | `resend` | `"idempotent"`, `"always"`, `"never"` | `"idempotent"` | a lost connection fails the call | something may run, and be billed, twice |
 * | `budget` | `budget({ ratio, reserve })` | one of the policy's own | calls fail although one more attempt would have helped | an outage multiplies load |
 *
 * ```ts
 * import { Deadline, Retry, TransportError } from "@clawback/core"
 * import { Console, Effect, Stream } from "effect"
 *
 * const policy = Retry.jittered({ attempts: 4, base: "10 millis" })
 * const refused = new TransportError.ConnectFailed({ origin: "https://api.example.com", reason: "refused", cause: "" })
 *
 * // Fails twice, then works.
 * let calls = 0
 * const flaky = Effect.suspend(() => ++calls < 3 ? refused : Effect.succeed(`answered at attempt ${calls}`))
 *
 * // The first run fails before any element and is retried. The second fails after two elements and is not.
 * let streams = 0
 * const numbers = Stream.suspend(() =>
 *   ++streams === 1 ? Stream.fail(refused) : Stream.concat(Stream.make(1, 2), Stream.fail(refused))
 * )
 *
 * const program = Effect.gen(function*() {
 *   yield* Console.log(yield* flaky.pipe(Retry.apply(policy), Deadline.within("10 seconds")))
 *   yield* numbers.pipe(Retry.applyStream(policy), Stream.runForEach((n) => Console.log(n)))
 * }).pipe(Effect.catchCause((cause) => Console.log(Retry.ended(cause)))) // { attempts: 2, why: "delivered" }
 *
 * await Effect.runPromise(program)
 * ```
 *
 * Sources: full jitter, https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ · budgets, Finagle's
 * `RetryBudget` and gRPC's retry throttling (proposal A6) · `Retry-After`, RFC 9110 §10.2.3.
 *
 * @stable
 */

import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { dual } from "effect/Function"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { DeadlineExceeded } from "./Deadline.ts"
import type { Advice, Declared } from "./internal/retry/advice.ts"
import { RetryBudget } from "./internal/retry/budget.ts"
import { Call, EndedKey } from "./internal/retry/call.ts"
import * as Key from "./internal/retry/idempotencyKey.ts"
import type { Ended, IdempotencyKey, Policy, Resend } from "./internal/retry/model.ts"
import { Attempts } from "./internal/retry/stream.ts"
import * as OptionCheck from "./OptionCheck.ts"

export type { Advice, Declared, Reach } from "./internal/retry/advice.ts"
export type { Ended, IdempotencyKey, Policy, Resend, Why } from "./internal/retry/model.ts"

/**
 * Limits retries. All policies and calls that share a budget share its limit: retries ≤ `reserve` + `ratio` × successes.
 */
export type Budget = RetryBudget

export interface BudgetOptions {
  /**
   * Retries that each success allows, from 0 to 1. Default: 0.2. Too low, and steady trouble uses the reserve up; too
   * high, and a server in trouble gets that much more load.
   */
  readonly ratio?: number | undefined
  /**
   * Retries allowed before any success, and the most that can be saved up. Default: 20. Too low, and calls fail that come
   * after a quiet time; too high, and an outage begins with that many useless retries.
   */
  readonly reserve?: number | undefined
}

/** A budget in this process's memory. Make one where the policy is made, not anew for each call: it has to remember. */
export const budget = (options: BudgetOptions = {}): Budget =>
  new RetryBudget(
    OptionCheck.ratio("ratio", options.ratio ?? 0.2),
    OptionCheck.count("reserve", options.reserve ?? 20, 0)
  )

/** A budget that is never used up: each call retries as often as its policy allows, whatever happens to other calls. */
export const unlimited: Budget = new RetryBudget(0, Infinity)

export interface Options<in E = unknown> {
  /** Attempts of a call in all. Default: 3. */
  readonly attempts?: number | undefined
  /** The limit of the first wait; it doubles with each attempt. Default: 500 milliseconds. */
  readonly base?: Duration.Input | undefined
  /** The longest backoff, apart from `Retry-After`. Default: 8 seconds. */
  readonly max?: Duration.Input | undefined
  /** The longest wait that the other side may ask for; for a longer one the call fails at once. Default: 1 minute. */
  readonly maxRetryAfter?: Duration.Input | undefined
  /** The time that an attempt needs: with less left until the deadline, none begins. Default: none. */
  readonly minimum?: Duration.Input | undefined
  /** Whether a request that may have been processed is sent again. Default: only in calls that are `idempotent`. */
  readonly resend?: Resend | undefined
  /** Default: one of the policy's own, as `budget()` makes it. */
  readonly budget?: Budget | undefined
  /** Gives advice for errors that declare none. Default: such errors are not retried. */
  readonly classify?: ((error: E) => Advice | undefined) | undefined
}

const millis = (name: string, value: Duration.Input): number => Duration.toMillis(OptionCheck.duration(name, value))

/** A policy with full jitter. Throws a `RangeError` that names an invalid option. */
export const jittered = <E = unknown>(options: Options<E> = {}): Policy<E> => ({
  rules: {
    attempts: OptionCheck.count("attempts", options.attempts ?? 3, 1),
    base: Duration.toMillis(OptionCheck.finite("base", options.base ?? 500)),
    max: millis("max", options.max ?? "8 seconds"),
    maxRetryAfter: millis("maxRetryAfter", options.maxRetryAfter ?? "1 minute"),
    minimum: Duration.toMillis(OptionCheck.finite("minimum", options.minimum ?? 0)),
    resend: OptionCheck.choice("resend", options.resend ?? "idempotent", ["idempotent", "always", "never"])
  },
  budget: options.budget ?? budget(),
  classify: options.classify
})

/**
 * The key of the call in force. A retried call that has none gets a random one before its first attempt. All attempts and
 * nested retries read the same key. A provider request appends a hash of its body to the key, unless `idempotent` set the
 * key. So different requests have different keys.
 */
export const CurrentKey: Context.Reference<IdempotencyKey | undefined> = Context.Reference<IdempotencyKey | undefined>(
  "@clawback/core/Retry/CurrentKey",
  { defaultValue: () => undefined }
)

const newKey: Effect.Effect<string> = Effect.withFiber((fiber) => Effect.succeed(Key.make(fiber.getRef(Random.Random))))

/**
 * Declares that the receiver works once even if the call is sent twice: by its nature, or because it honours the key. Give
 * the key that the operation was stored with, if it has one; otherwise a random one is made.
 */
export const idempotent: {
  (key?: string): <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  <A, E, R>(self: Effect.Effect<A, E, R>, key?: string): Effect.Effect<A, E, R>
} = dual(
  ([self]) => Effect.isEffect(self),
  <A, E, R>(self: Effect.Effect<A, E, R>, key?: string): Effect.Effect<A, E, R> =>
    Effect.flatMap(
      key === undefined ? newKey : Effect.succeed(key),
      (value) => Effect.provideService(self, CurrentKey, { value, isHonoured: true })
    )
)

/** The same for a stream. A random key is made anew each time that the stream is run. */
export const idempotentStream: {
  (key?: string): <A, E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A, E, R>
  <A, E, R>(self: Stream.Stream<A, E, R>, key?: string): Stream.Stream<A, E, R>
} = dual(
  ([self]) => Stream.isStream(self),
  <A, E, R>(self: Stream.Stream<A, E, R>, key?: string): Stream.Stream<A, E, R> =>
    Stream.unwrap(
      Effect.map(
        key === undefined ? newKey : Effect.succeed(key),
        (value) => Stream.provideService(self, CurrentKey, { value, isHonoured: true })
      )
    )
)

/** How a retried call came to fail with this cause: its outermost one, if several are nested. */
export const ended = (cause: Cause.Cause<unknown>): Ended | undefined => Context.get(Cause.annotations(cause), EndedKey)

/** An attempt in a scope of its own: closed if it fails, and handed to the surrounding one if it holds anything. */
const inScope = <A, E, R>(self: Effect.Effect<A, E, R>, outer: Scope.Scope): Effect.Effect<A, E, R> =>
  Effect.uninterruptibleMask((restore) => {
    const scope = Scope.forkUnsafe(outer)
    return Effect.onExit(
      restore(Effect.provideService(self, Scope.Scope, scope)),
      (exit) => Exit.isFailure(exit) || scope.state._tag === "Empty" ? Scope.close(scope, exit) : Effect.void
    )
  })

/**
 * Retries an effect if that can help. Fails with the last error; with `DeadlineExceeded` only if there was no time for
 * even a first attempt.
 */
export const apply: {
  <EP>(
    policy: Policy<EP>
  ): <A, E extends EP | Declared, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E | DeadlineExceeded, R>
  <EP, A, E extends EP | Declared, R>(
    self: Effect.Effect<A, E, R>,
    policy: Policy<EP>
  ): Effect.Effect<A, E | DeadlineExceeded, R>
} = dual(
  2,
  <EP, A, E extends EP | Declared, R>(
    self: Effect.Effect<A, E, R>,
    policy: Policy<EP>
  ): Effect.Effect<A, E | DeadlineExceeded, R> =>
    Effect.withFiber((fiber) => {
      const given = fiber.getRef(CurrentKey)
      const call = new Call<EP, E>(policy, given?.isHonoured === true)
      const outer = Context.getOption(fiber.context, Scope.Scope)
      const attempt = outer._tag === "None" ? self : inScope(self, outer.value)
      const next: Effect.Effect<A, E | DeadlineExceeded, R> = Effect.suspend(() => {
        const refused = call.admit(fiber, next)
        if (refused !== undefined) return refused
        call.begin()
        return Effect.matchCauseEffect(attempt, {
          onSuccess: (value) => {
            call.succeeded()
            return Effect.succeed(value)
          },
          onFailure: (cause) => {
            call.failed(fiber, cause)
            return next
          }
        })
      })
      const settled = Effect.onExitPrimitive(next, () => call.settle())
      if (given !== undefined) return settled
      const key = { value: Key.make(fiber.getRef(Random.Random)), isHonoured: false }
      return Effect.provideService(settled, CurrentKey, key)
    })
)

/**
 * Retries a stream that failed before its first element. Once an element has reached the reader, a failure ends the
 * stream, since output cannot be revoked.
 *
 * An interrupted pull does not end the stream. The next pull continues the same attempt, or the rest of the wait. If the
 * pull was interrupted while the attempt opened, that attempt is closed, does not count, and is opened again.
 */
export const applyStream: {
  <EP>(
    policy: Policy<EP>
  ): <A, E extends EP | Declared, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A, E | DeadlineExceeded, R>
  <EP, A, E extends EP | Declared, R>(
    self: Stream.Stream<A, E, R>,
    policy: Policy<EP>
  ): Stream.Stream<A, E | DeadlineExceeded, R>
} = dual(
  2,
  <EP, A, E extends EP | Declared, R>(
    self: Stream.Stream<A, E, R>,
    policy: Policy<EP>
  ): Stream.Stream<A, E | DeadlineExceeded, R> =>
    Stream.fromChannel(Channel.fromTransform((_, scope) =>
      Effect.withFiber((fiber) => {
        const given = fiber.getRef(CurrentKey)
        const key = { value: Key.make(fiber.getRef(Random.Random)), isHonoured: false }
        const named = given === undefined ? Stream.provideService(self, CurrentKey, key) : self
        return Effect.succeed(new Attempts(named, new Call<EP, E>(policy, given?.isHonoured === true), scope).pull)
      })
    ))
)
