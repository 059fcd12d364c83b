/**
 * The body of a client's response, which need not be read.
 *
 * Programs for an `HttpClient` drop responses, for example in a retry or a redirect. Their connections must be returned
 * anyway, or calls that retry would wait for each other's connections forever. So the body of an error is read at once, up
 * to `limit`. A larger one is closed when another call has to wait for a connection. The body of a success is never
 * dropped: when another call has to wait, it is read ahead, up to `limit`. A body with a reader is left alone.
 *
 * The abort signal, the transport and the scope reference this object. So it must reference neither the program's response
 * nor the fiber of the call: once both are lost, the garbage collector finds that, and Effect's client aborts.
 */
import type * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Pull from "effect/Pull"
import * as Scope from "effect/Scope"
import type { Chunks } from "../../Wire.ts"
import { lengthOf } from "./body.ts"
import { UnreadBodyClosed } from "./errors.ts"
import type { Lifetime } from "./lifetime.ts"
import type { BodyError as ReadError, Response } from "./model.ts"

const limit = 64 * 1024
/** How long a body that may be small is waited for when another call needs its connection. */
const patience = Duration.millis(250)

type BodyError = ReadError | UnreadBodyClosed

export class UnreadBody {
  private readonly source: Response
  private readonly length: number
  private readonly lifetime: Lifetime
  private readonly context: Context.Context<never>
  private isBegun = false
  /** What was read ahead, and the end of the body if it was reached. */
  private chunks: Array<Uint8Array> = []
  private size = 0
  private end: Exit.Exit<never, BodyError | Cause.Done> | undefined
  /** Reads ahead; undefined if it does not. */
  private fiber: Fiber.Fiber<unknown> | undefined
  private takeBack: (() => void) | undefined

  /** Closing and reading ahead run in `context`, which is not that of a call. */
  constructor(method: string, source: Response, lifetime: Lifetime, context: Context.Context<never>) {
    this.source = source
    this.length = lengthOf(method, source.status, source.headers["content-length"])
    this.lifetime = lifetime
    this.context = context
  }

  private get isError() {
    return this.source.status >= 400
  }

  /** Ends the exchange when the signal aborts. Begins to read the body of an error ahead. */
  follow(signal: AbortSignal): Effect.Effect<void> {
    const stopFollowing = Effect.suspend(() => {
      signal.removeEventListener("abort", this.abort)
      this.takeBack?.()
      // The transport drains or aborts the rest.
      return this.fiber === undefined ? Effect.void : Fiber.interrupt(this.fiber)
    })
    return Effect.map(Scope.addFinalizer(this.lifetime.scope, stopFollowing), () => {
      // Another fiber may have closed it since the head came.
      if (this.lifetime.isOver) return
      if (signal.aborted) return this.abort()
      signal.addEventListener("abort", this.abort, { once: true })
      if (this.isError && !this.isLarge) this.readAhead()
      if (this.end === undefined && (this.isError || !this.isLarge)) this.takeBack = this.source.onWanted?.(this.offer)
    })
  }

  private readonly abort = () => this.closeWith(Exit.interrupt())

  private closeWith(exit: Exit.Exit<unknown, unknown>) {
    Effect.runForkWith(this.context)(this.lifetime.close(exit))
  }

  /** Whether there is more of it than is read ahead. */
  private get isLarge() {
    return this.size > limit || (this.length > limit && this.length < Infinity)
  }

  private readAhead() {
    const step = Effect.matchCause(this.source.body, {
      onFailure: (cause) => {
        this.end ??= Exit.failCause(cause)
      },
      onSuccess: (chunks) => {
        for (const chunk of chunks) {
          this.chunks.push(chunk)
          this.size += chunk.byteLength
        }
      }
    })
    const isWanted = () => !this.isBegun && this.end === undefined && !this.isLarge
    const fiber = Effect.runForkWith(this.context)(
      Effect.whileLoop({ while: isWanted, body: () => step, step: () => {} })
    )
    this.fiber = fiber
    fiber.addObserver(() => {
      this.fiber = undefined
      if (this.end !== undefined) this.closeWith(Exit.void)
    })
  }

  /** Another call waits for a connection. */
  private readonly offer = (): boolean => {
    if (this.isBegun || this.end !== undefined) return false
    if (!this.isError) {
      this.readAhead()
      return this.end !== undefined
    }
    const { fiber } = this
    // As much as allowed was read ahead already.
    if (fiber === undefined) return this.drop()
    Effect.runForkWith(this.context)(Effect.timeoutOption(Fiber.await(fiber), patience)).addObserver(() => {
      if (!this.isBegun && this.end === undefined && !this.lifetime.isOver) this.drop()
    })
    return false
  }

  private drop(): boolean {
    this.end = Exit.fail(new UnreadBodyClosed({ status: this.source.status }))
    this.chunks = []
    this.abort()
    return true
  }

  private get next(): Pull.Pull<Chunks, BodyError> {
    const [first, ...others] = this.chunks
    if (first === undefined) return this.end ?? this.source.body
    this.chunks = []
    return Effect.succeed([first, ...others])
  }

  /** The body for its reader. What was read ahead comes first. */
  readonly pull: Pull.Pull<Chunks, BodyError> = Effect.suspend(() => {
    if (!this.isBegun) {
      this.isBegun = true
      this.takeBack?.()
    }
    const { fiber } = this
    return fiber === undefined ? this.next : Effect.andThen(Fiber.await(fiber), Effect.suspend(() => this.next))
  })
}
