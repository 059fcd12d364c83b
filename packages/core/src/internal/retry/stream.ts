/** The attempts of one stream. Each is opened in a scope of its own, until one of them emits an element. */
import * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { DeadlineExceeded } from "../../Deadline.ts"
import type { Declared } from "./advice.ts"
import type { Call } from "./call.ts"

type Pulled<A, E, R> = Pull.Pull<readonly [A, ...Array<A>], E, void, R>

interface Attempt<A, E, R> {
  readonly scope: Scope.Closeable
  pull: Pulled<A, E, R>
  /** Only an opened attempt can be continued after an interrupted pull. */
  isOpened: boolean
  /** Whether it has failed, and what follows is decided. */
  isJudged: boolean
}

export class Attempts<EP, A, E extends EP | Declared, R> {
  private attempt: Attempt<A, E, R> | undefined
  /** The attempt that emitted an element. */
  private delivering: Pulled<A, E, R> | undefined
  private readonly stream: Stream.Stream<A, E, R>
  private readonly call: Call<EP, E>
  private readonly outer: Scope.Scope

  constructor(stream: Stream.Stream<A, E, R>, call: Call<EP, E>, outer: Scope.Scope) {
    this.stream = stream
    this.call = call
    this.outer = outer
  }

  readonly pull: Pulled<A, E | DeadlineExceeded, R> = Effect.suspend(() => this.delivering ?? this.settled)

  private readonly next: Pulled<A, E | DeadlineExceeded, R> = Effect.withFiber((fiber) => {
    // After an interrupted pull, the next one continues the same attempt, or the wait for one.
    const refused = this.attempt?.isOpened === true ? undefined : this.call.admit(fiber, this.next)
    if (refused !== undefined) return refused
    const attempt = this.attempt ??= this.open()
    // Deciding and closing are one step, which cannot be interrupted.
    const judged = Effect.onExitPrimitive(attempt.pull, (exit) => this.judge(fiber, attempt, exit))
    return Effect.catchCause(judged, (cause) => attempt.isJudged ? this.next : Effect.failCause(cause))
  })

  private readonly settled = Effect.onExitPrimitive(this.next, () => this.call.settle())

  private open(): Attempt<A, E, R> {
    const scope = Scope.forkUnsafe(this.outer)
    const attempt: Attempt<A, E, R> = {
      scope,
      pull: Effect.flatMap(
        Channel.toPullScoped(Stream.toChannel(this.stream), scope),
        (pull) => {
          this.begin(attempt)
          return attempt.pull = pull
        }
      ),
      isOpened: false,
      isJudged: false
    }
    return attempt
  }

  private begin(attempt: Attempt<A, E, R>): void {
    if (!attempt.isOpened) this.call.begin()
    attempt.isOpened = true
  }

  private judge(
    fiber: Fiber.Fiber<unknown, unknown>,
    attempt: Attempt<A, E, R>,
    exit: Exit.Exit<readonly [A, ...Array<A>], E | Cause.Done>
  ): Effect.Effect<void> | undefined {
    if (Exit.isSuccess(exit) || Pull.isDoneCause(exit.cause)) {
      this.call.succeeded()
      this.delivering = Exit.isSuccess(exit) ? this.deliver(attempt) : exit
      return undefined
    }
    // An interruption concerns the pull, not the attempt.
    const own = (exit.cause as Cause.Cause<E>).reasons.filter((reason) => !Cause.isInterruptReason(reason))
    const close = Effect.suspend(() => {
      this.attempt = undefined
      return Scope.close(attempt.scope, exit)
    })
    if (own.length === 0) return attempt.isOpened ? undefined : close
    this.begin(attempt)
    return Effect.map(Effect.exit(close), (closed) => {
      attempt.isJudged = true
      const cause = Cause.fromReasons(own)
      this.call.failed(fiber, Exit.isSuccess(closed) ? cause : Cause.combine(cause, closed.cause))
    })
  }

  private deliver({ pull }: Attempt<A, E, R>): Pulled<A, E, R> {
    return Effect.catchCause(
      pull,
      (cause) => Pull.isDoneCause(cause) ? Effect.failCause(cause) : this.call.end(cause as Cause.Cause<E>, "delivered")
    )
  }
}
