/**
 * Runs a stream on a fiber of its own, one pull at a time, as its reader asks.
 *
 * A revocation or a limit can so interrupt the stream and not its reader, and what the stream forks, acquires and sets up
 * lives for as long as the stream, not for as long as one pull.
 *
 * Guarantees:
 * - The stream starts with its first pull. Once the scope that it is read in has closed, it neither starts nor goes on.
 * - An interrupted pull leaves the stream as it is: its work goes on, and the next pull gets what came of it.
 * - The reader gets the stream's end once all that the stream held was released.
 */
import type * as Cause from "effect/Cause"
import * as Channel from "effect/Channel"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { weakly } from "../interop.ts"
import { defectsOf, toldOf } from "./defects.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** What does not depend on what a stream gives. */
interface AnyPump {
  readonly around: AnyPump | undefined
  readonly token: object | undefined
  stop(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void>
  untold(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void>
}

type Elements<A> = readonly [A, ...Array<A>]
export type Pulled<A, E, R = never> = Pull.Pull<Elements<A>, E, void, R>
/** How a stream ends: it is done, or it fails. */
export type End<E> = Exit.Exit<never, E | Cause.Done>

interface Readable<A, E> extends AnyPump {
  next(resume: (pulled: Pulled<A, E>) => void, token: object): Effect.Effect<void> | void
}

/** The pump of each fiber that is one's. */
const pumps = new WeakMap<AnyFiber, AnyPump>()

const isWithin = (fiber: AnyFiber, pump: AnyPump): boolean => {
  let at = pumps.get(fiber)
  while (at !== undefined && at !== pump) at = at.around
  return at !== undefined
}

/** `E2` is what may end the stream before its time. */
export abstract class Pump<A, E, R, E2> implements Readable<A, E | E2> {
  /** What the stream holds is released when this closes, which the stream's own fiber does. */
  readonly scope: Scope.Closeable = Scope.makeUnsafe()
  /** The pump on whose fiber this one was made, which reads it. */
  readonly around: AnyPump | undefined
  private readonly stream: Stream.Stream<A, E, R>
  private fiber: Fiber.Fiber<never, E | Cause.Done> | undefined
  private isEnding = false
  private end: Pulled<never, E | E2> | undefined
  /** Whether the one that closes the scope was told of what the stream died of. */
  private isTold = false
  /** How the scope was closed that the stream is read in. */
  private closedBy: Exit.Exit<unknown, unknown> | undefined
  /** The reader that waits, if one does, and the pull by which it does. */
  private reader: ((pulled: Pulled<A, E | E2>) => void) | undefined
  private waiting: object | undefined
  /** The pull whose reader was interrupted last. Kept weakly, since its reader may be lost meanwhile. */
  private interrupted: (() => object | undefined) | undefined
  /** Wakes the stream, which waits to be asked. */
  private ask: ((go: Effect.Effect<void>) => void) | undefined
  /** What came when its reader was gone. */
  private kept: Elements<A> | undefined

  constructor(stream: Stream.Stream<A, E, R>, opener: AnyFiber) {
    this.stream = stream
    this.around = pumps.get(opener)
  }

  /** What the stream runs in. */
  protected abstract readonly context: Context.Context<R>
  /** What the end of the stream's fiber means, where that was told to end. */
  protected abstract outcome(end: End<E>): End<E | E2>
  /** What a reader gets once the scope that it reads in is closed. */
  protected abstract closed(): E2
  /** The reader asks for more. */
  protected onPull?(): void
  /** It has to wait. */
  protected onWait?(): void
  /** It gets elements. */
  protected onElements?(elements: Elements<A>): void
  /** It was interrupted while it waited. */
  protected onLeave?(): void
  protected onStart?(fiber: AnyFiber): void
  /** From here on it only gives back what it holds. */
  protected onEnding?(): void
  /** It has ended like this, and everything is released. */
  protected onEnd?(exit: Exit.Exit<unknown, unknown>): void
  /** How the reader is told of the end. */
  protected told(end: End<E | E2>): Pulled<never, E | E2> {
    return end
  }

  /** Serves the reader, which is one at a time: now, or as soon as there is something. `token` is what it pulls by. */
  next(resume: (pulled: Pulled<A, E | E2>) => void, token: object): Effect.Effect<void> | void {
    this.onPull?.()
    if (this.end !== undefined) return resume(this.end)
    const { kept } = this
    if (kept !== undefined && !this.isEnding) {
      this.kept = undefined
      this.onElements?.(kept)
      return resume(Effect.succeed(kept))
    }
    this.reader = resume
    this.waiting = token
    if (!this.isEnding) this.run()
    if (this.reader !== resume) return
    this.onWait?.()
    return this.left
  }

  private readonly left = Effect.sync(() => {
    if (this.reader === undefined) return
    this.reader = undefined
    this.interrupted = weakly(this.waiting)
    this.waiting = undefined
    this.onLeave?.()
  })

  /**
   * The pull that the stream works for: of its reader, or of the outermost of those that read it. A new object stands for a
   * pull that is lost already: it is lost at once, too.
   */
  get token(): object | undefined {
    if (this.around !== undefined) return this.around.token
    return this.waiting ?? (this.interrupted && (this.interrupted() ?? {}))
  }

  /**
   * Ends the stream, for good, and waits until what it held is released. What it dies of then is for the one that closes
   * the scope: the reader gets only that this was closed.
   */
  stop(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    if (this.end !== undefined) return Effect.void
    this.closedBy ??= exit
    this.isEnding = true
    this.onEnding?.()
    const { fiber } = this
    if (fiber === undefined) {
      this.finish(Exit.interrupt())
      return Effect.void
    }
    return Effect.withFiber((current) =>
      // The stream itself cannot wait for its own end.
      isWithin(current, this)
        ? Effect.sync(() => fiber.interruptUnsafe(current.id))
        : Effect.andThen(Fiber.interrupt(fiber), Effect.suspend(() => this.defects(fiber)))
    )
  }

  /**
   * What the stream died of, for the one that closes the scope, unless that closes for this. Its reader was told as well,
   * but may have been interrupted before it heard.
   */
  untold(exit: Exit.Exit<unknown, unknown>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const { fiber } = this
      return this.end === undefined || fiber === undefined || this.isTold || toldOf(exit, fiber)
        ? Effect.void
        : this.defects(fiber)
    })
  }

  private defects(fiber: AnyFiber): Effect.Effect<void> {
    this.isTold = true
    return defectsOf(fiber)
  }

  /** Has the stream end, for the reason that `outcome` gives. */
  protected interruptUnsafe(): void {
    if (this.isEnding) return
    this.isEnding = true
    this.onEnding?.()
    if (this.fiber === undefined) this.finish(Exit.interrupt())
    else this.fiber.interruptUnsafe()
  }

  private run() {
    const { ask } = this
    if (this.fiber !== undefined) {
      this.ask = undefined
      return ask?.(Effect.void)
    }
    const fiber = Effect.runForkWith(this.context)(
      // From its first step on the fiber is known to those who end it.
      Effect.withFiber((fiber) => {
        this.begin(fiber as Fiber.Fiber<never, E | Cause.Done>)
        return this.body
      })
    )
    this.begin(fiber)
    fiber.addObserver((end) => this.finish(end))
  }

  private begin(fiber: Fiber.Fiber<never, E | Cause.Done>) {
    if (this.fiber !== undefined) return
    this.fiber = fiber
    pumps.set(fiber, this)
    this.onStart?.(fiber)
  }

  private get body(): Effect.Effect<never, E | Cause.Done, R> {
    const opened = Channel.toPullScoped(Stream.toChannel(this.stream), this.scope)
    const served = Effect.flatMap(opened, (pull) => {
      const given = Effect.map(pull, (elements) => this.give(elements))
      return Effect.forever(Effect.flatMap(this.asked, () => given), { disableYield: true })
    })
    return Effect.onExitPrimitive(served, (end) => {
      this.onEnding?.()
      return Scope.closeUnsafe(this.scope, this.exit(end))
    })
  }

  private readonly asked = Effect.callback<void>((resume) => {
    if (this.reader !== undefined) return resume(Effect.void)
    this.ask = resume
  })

  private give(elements: Elements<A>): void {
    const { reader } = this
    if (this.isEnding) return
    if (reader === undefined) {
      this.kept = elements
      return
    }
    // It may run code of the user's: what that throws ends the stream, and the reader must still be known then.
    this.onElements?.(elements)
    this.reader = undefined
    this.waiting = undefined
    reader(Effect.succeed(elements))
  }

  /** How the stream's own scope closes: as the one around it does, where that is why. */
  private exit(end: End<E>): Exit.Exit<unknown, unknown> {
    const outcome = this.outcome(end)
    if (Exit.isSuccess(outcome)) return outcome
    if (Pull.isDoneCause(outcome.cause)) return Exit.void
    return outcome === end && Exit.hasInterrupts(end) ? this.closedBy ?? end : outcome
  }

  private finish(end: End<E>): void {
    const outcome = this.outcome(end)
    const isClosed = this.closedBy !== undefined && outcome === end && Exit.hasInterrupts(end)
    this.end = isClosed ? Effect.fail(this.closed()) : this.told(outcome)
    this.kept = undefined
    this.onEnd?.(this.exit(end))
    const { reader } = this
    this.reader = undefined
    this.waiting = undefined
    reader?.(this.end)
  }
}

/**
 * A reader's pull. The pump does not keep it, nor may anything else that the pump reaches: once it is lost, the reader is.
 */
export const pullOf = <A, E>(pump: Readable<A, E>): Pulled<A, E> => {
  const pull: Pulled<A, E> = Effect.callback((resume) => pump.next(resume, pull))
  return pull
}

/** The pull of the outermost reader that waits for what a fiber does, where that is the fiber of a pump. */
export const tokenOf = (fiber: AnyFiber): object | undefined => pumps.get(fiber)?.token

/** Apart from what reads the pump, since a scope keeps it. */
const stopping = (pump: AnyPump) => (exit: Exit.Exit<unknown, unknown>) =>
  Effect.andThen(pump.stop(exit), pump.untold(exit))

/** A pump's pull, until a scope closes. */
export const openIn = <A, E>(pump: Readable<A, E>, scope: Scope.Scope): Effect.Effect<Pulled<A, E>> =>
  Effect.as(Scope.addFinalizerExit(scope, stopping(pump)), pullOf(pump))
