/** The attempts at one stream: each is opened in a scope of its own, until one of them gives an element. */
import type * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { DeadlineExceeded } from "../Deadline.ts"
import type { Declared } from "../Retry.ts"
import type { Call } from "./retryCall.ts"

type Pulled<A, E, R> = Pull.Pull<readonly [A, ...Array<A>], E, void, R>

interface Attempt<A, E, R> {
  readonly scope: Scope.Closeable
  pull: Pulled<A, E, R>
}

export class Attempts<EP, A, E extends EP | Declared, R> {
  private attempt: Attempt<A, E, R> | undefined
  /** The attempt that gave an element. */
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
    // Whoever comes back after a pull that was interrupted goes on with the attempt, or the wait for one, that it left.
    const left = this.attempt === undefined ? this.call.left(fiber) : 0
    if (left > 0) return Effect.andThen(Effect.sleep(left), this.next)
    const refused = this.attempt === undefined ? this.call.begin(fiber) : undefined
    if (refused !== undefined) return refused
    const attempt = this.attempt ??= this.open()
    return Effect.matchCauseEffect(attempt.pull, {
      onSuccess: (elements) => {
        this.call.succeeded()
        this.delivering = this.deliver(attempt)
        return Effect.succeed(elements)
      },
      onFailure: (cause) => {
        if (Pull.isDoneCause(cause)) {
          this.call.succeeded()
          return Effect.failCause(cause)
        }
        const failure = cause as Cause.Cause<E>
        return Effect.andThen(this.close(attempt, failure), this.call.failed(fiber, failure, this.next))
      }
    })
  })

  private readonly settled = Effect.onExitPrimitive(this.next, () => this.call.settle())

  private open(): Attempt<A, E, R> {
    const scope = Scope.forkUnsafe(this.outer)
    const attempt: Attempt<A, E, R> = {
      scope,
      pull: Effect.flatMap(
        Channel.toPullScoped(Stream.toChannel(this.stream), scope),
        (pull) => attempt.pull = pull
      )
    }
    return attempt
  }

  private close({ scope }: Attempt<A, E, R>, cause: Cause.Cause<E>) {
    this.attempt = undefined
    return Effect.uninterruptible(Scope.close(scope, Exit.failCause(cause)))
  }

  private deliver({ pull }: Attempt<A, E, R>): Pulled<A, E, R> {
    return Effect.catchCause(
      pull,
      (cause) => Pull.isDoneCause(cause) ? Effect.failCause(cause) : this.call.end(cause as Cause.Cause<E>, "delivered")
    )
  }
}
