/**
 * The parts of an open request, its handler and the bodies of its responses, and how they end with the request.
 *
 * How a request becomes a session: `inSession` of RequestScope.ts.
 */
import * as Channel from "effect/Channel"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Session from "../../Session.ts"
import type { SessionRevoked } from "../../SessionError.ts"
import { whyEnded } from "../session/lifecycle.ts"
import { type End, openIn, Pump } from "../session/streamFiber.ts"
import { Admission } from "../shutdown/admission.ts"
import { HostFiber } from "./hostFiber.ts"

type Chunk = Uint8Array

/** The body of a response. Its fiber ends with the body, or with the request. */
class Body<E> extends Pump<Chunk, E, never, SessionRevoked> {
  readonly context: Context.Context<never>
  private readonly session: Session.Session

  constructor(
    stream: Stream.Stream<Chunk, E>,
    opener: Fiber.Fiber<unknown, unknown>,
    context: Context.Context<never>,
    session: Session.Session
  ) {
    super(stream, opener)
    this.context = context
    this.session = session
  }

  protected override outcome(end: End<E>) {
    return end
  }

  protected override closed() {
    return whyEnded(this.session)
  }
}

export class RequestParts extends Admission {
  private handler: HostFiber<SessionRevoked> | undefined
  private readonly bodies = new Set<{ readonly stop: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void> }>()
  private isReleased = false
  /** How the body of the response ended, if it was a stream and has ended. */
  bodyExit: Exit.Exit<unknown, unknown> | undefined
  /** Whether a part of the request closes its scope. */
  private isClosedFromWithin = false
  /** Callbacks of fibers that wait for the end of all parts, unless a part closes the scope. */
  private readonly waiting: Array<() => void> = []

  /** Runs the handler. Its children live until the request is released. */
  handle<A, E, R>(session: Session.Session, work: Effect.Effect<A, E, R>): Effect.Effect<A, E | SessionRevoked, R> {
    return Effect.suspend((): Effect.Effect<A, E | SessionRevoked, R> => {
      // Its scope was closed before it began.
      if (this.isReleased) return Effect.fail(whyEnded(session))
      this.handler = new HostFiber(() => whyEnded(session))
      return this.handler.run(work)
    })
  }

  /** A body that is cut off when the request is released. */
  body<E>(session: Session.Session, stream: Stream.Stream<Chunk, E>): Stream.Stream<Chunk, E | SessionRevoked> {
    return Stream.fromChannel(Channel.fromTransform((_, scope) =>
      Effect.withFiber((fiber) => {
        const body = new Body(stream, fiber, this.handler?.hosted(fiber.context) ?? fiber.context, session)
        this.bodies.add(body)
        const leave = Scope.addFinalizerExit(scope, (exit) => {
          this.bodies.delete(body)
          this.bodyExit = exit
          // After a failure, the handler's children produce the body for no reader.
          return Exit.isSuccess(exit) ? Effect.void : this.endHandler()
        })
        const opened = Effect.andThen(leave, openIn(body, scope))
        return this.isReleased ? Effect.andThen(body.stop(Exit.void), opened) : opened
      })
    ))
  }

  /**
   * Ends what the request still does, and leaves the work in flight. Waits for the end, unless a part of the request calls
   * this or closes the request's scope meanwhile. Call it on the fiber that releases the request, in that step.
   */
  release(exit: Exit.Exit<unknown, unknown>, hasSucceeded: boolean): Effect.Effect<void> {
    this.isReleased = true
    this.noticeClosing()
    const ending = Array.from(this.bodies, (body) => body.stop(exit)).reduceRight(
      (all, stop) => Effect.ensuring(stop, all),
      this.endHandler()
    )
    return Effect.ensuring(this.unlessClosedFromWithin(ending), Effect.sync(() => this.leave(hasSucceeded)))
  }

  /** Call it on the fiber that closes the request's scope. A part of the request that does so is not waited for. */
  noticeClosing(): void {
    if (this.handler?.isCalledFromWithin !== true) return
    this.isClosedFromWithin = true
    for (const resume of this.waiting.splice(0)) resume()
  }

  private unlessClosedFromWithin(ending: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.flatMap(
      Effect.forkDetach(ending, { startImmediately: true }),
      (fiber) =>
        Effect.callback<void>((resume) => {
          if (this.isClosedFromWithin) return resume(Effect.void)
          fiber.addObserver(resume)
          this.waiting.push(() => resume(Effect.void))
        })
    )
  }

  private endHandler(): Effect.Effect<void> {
    return this.handler?.end ?? Effect.void
  }
}
