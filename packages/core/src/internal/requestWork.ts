/** What a request does while its session is open: its handler and its bodies, on fibers that last as long. */
import * as Channel from "effect/Channel"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Session from "../Session.ts"
import type { SessionRevoked } from "../SessionError.ts"
import type { Shutdown } from "../Shutdown.ts"
import { Admission } from "./admission.ts"
import { whyEnded } from "./hold.ts"
import { type End, openIn, Pump } from "./pump.ts"
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

  constructor(info: Session.Info, shutdown: Shutdown) {
    this.admission = new Admission(info, shutdown)
  }

  /** Runs the handler, whose children go on until the request is released. */
  handle<A, E, R>(session: Session.Session, work: Effect.Effect<A, E, R>): Effect.Effect<A, E | SessionRevoked, R> {
    return Effect.suspend(() => {
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
   * Ends what the request still does, and gives its place back. Waits for that unless the fiber that calls this is a part
   * of the request: to be called on the fiber that releases it, at that moment.
   */
  release(exit: Exit.Exit<unknown, unknown>, hasSucceeded: boolean): Effect.Effect<void> {
    this.isOver = true
    const isPart = this.handler?.isCalledFromWithin === true
    const stopped = Array.from(this.bodies, (body) => {
      const stop = body.stop(exit)
      return isPart ? Effect.asVoid(Effect.forkDetach(stop, { startImmediately: true })) : stop
    })
    return [...stopped, this.endHandler(), this.admission.giveBack(hasSucceeded)].reduce((all, next) =>
      Effect.ensuring(all, next)
    )
  }

  private endHandler(): Effect.Effect<void> {
    return this.handler?.end() ?? Effect.void
  }
}
