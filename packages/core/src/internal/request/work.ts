/** What a request does while its session is open: its handler and its bodies, on fibers that last as long. */
import * as Channel from "effect/Channel"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Session from "../../Session.ts"
import type { SessionRevoked } from "../../SessionError.ts"
import type { Shutdown } from "../../Shutdown.ts"
import { whyEnded } from "../session/lifecycle.ts"
import { type End, openIn, Pump } from "../session/streamFiber.ts"
import { Admission } from "../shutdown/admission.ts"
import { WorkFiber } from "./workFiber.ts"

type Chunk = Uint8Array

/** The body of a response, which runs on a fiber of its own until it ends, or its request does. */
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

export class RequestWork {
  readonly admission: Admission
  private handler: WorkFiber<SessionRevoked> | undefined
  private readonly bodies = new Set<{ readonly stop: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void> }>()
  private isOver = false
  /** Whether a part of the request closes its scope, and those who wait for the end of all parts until then. */
  private isLeft = false
  private readonly waiting: Array<() => void> = []

  constructor(info: Session.Info, shutdown: Shutdown) {
    this.admission = new Admission(info, shutdown)
  }

  /** Runs the handler, whose children go on until the request is released. */
  handle<A, E, R>(session: Session.Session, work: Effect.Effect<A, E, R>): Effect.Effect<A, E | SessionRevoked, R> {
    return Effect.suspend((): Effect.Effect<A, E | SessionRevoked, R> => {
      // Its scope was closed before it began.
      if (this.isOver) return Effect.fail(whyEnded(session))
      this.handler = new WorkFiber(() => whyEnded(session))
      return this.handler.run(work)
    })
  }

  /** A body that is cut off when the request is released. */
  body<E>(session: Session.Session, stream: Stream.Stream<Chunk, E>): Stream.Stream<Chunk, E | SessionRevoked> {
    return Stream.fromChannel(Channel.fromTransform((_, scope) =>
      Effect.withFiber((fiber) => {
        const body = new Body(stream, fiber, this.handler?.part(fiber.context) ?? fiber.context, session)
        this.bodies.add(body)
        const leave = Scope.addFinalizerExit(scope, (exit) => {
          this.bodies.delete(body)
          // Nobody reads any more what the handler's children make for a body that was given up or cut off.
          return Exit.isSuccess(exit) ? Effect.void : this.endHandler()
        })
        const opened = Effect.andThen(leave, openIn(body, scope))
        return this.isOver ? Effect.andThen(body.stop(Exit.void), opened) : opened
      })
    ))
  }

  /**
   * Ends what the request still does, and gives its place back. Waits for that unless a part of the request calls this, or
   * closes the request's scope meanwhile: to be called on the fiber that releases it, at that moment.
   */
  release(exit: Exit.Exit<unknown, unknown>, hasSucceeded: boolean): Effect.Effect<void> {
    this.isOver = true
    this.leave()
    const ending = Array.from(this.bodies, (body) => body.stop(exit)).reduceRight(
      (all, stop) => Effect.ensuring(stop, all),
      this.endHandler()
    )
    return Effect.ensuring(this.unlessLeft(ending), this.admission.giveBack(hasSucceeded))
  }

  /** To be called on the fiber that closes the request's scope: what is a part of the request is not waited for by itself. */
  leave(): void {
    if (this.handler?.isCalledFromWithin !== true) return
    this.isLeft = true
    for (const go of this.waiting.splice(0)) go()
  }

  private unlessLeft(ending: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.flatMap(
      Effect.forkDetach(ending, { startImmediately: true }),
      (fiber) =>
        Effect.callback<void>((resume) => {
          if (this.isLeft) return resume(Effect.void)
          fiber.addObserver(resume)
          this.waiting.push(() => resume(Effect.void))
        })
    )
  }

  private endHandler(): Effect.Effect<void> {
    return this.handler?.end ?? Effect.void
  }
}
