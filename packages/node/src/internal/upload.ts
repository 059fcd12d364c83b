/** A request body that is read from a stream while the server accepts it and the exchange lasts. */
import * as TransportError from "@clawback/core/TransportError"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { Readable } from "node:stream"

interface Body {
  readonly stream: Stream.Stream<Uint8Array, unknown>
  readonly context: Context.Context<never>
}

export class Upload extends Readable {
  /** Why the stream failed, if it did. */
  failure: TransportError.RequestBodyFailed | undefined
  private fiber: Fiber.Fiber<unknown, unknown> | undefined
  /** Whether more may be pushed, and the callback for when it may. */
  private isWanted = false
  private onWanted: (() => void) | undefined

  private readonly origin: string
  /** The source, until it runs: the connection that refers to this body outlives the call. */
  private body: Body | undefined

  constructor(origin: string, stream: Stream.Stream<Uint8Array, unknown>, context: Context.Context<never>) {
    super()
    this.origin = origin
    this.body = { stream, context }
    // undici stops listening when it has finished with the body.
    this.on("error", () => {})
  }

  /** Ends the stream, and waits until its resources are released. */
  readonly stop: Effect.Effect<void> = Effect.suspend(() => {
    this.destroy()
    return this.fiber === undefined ? Effect.void : Fiber.interrupt(this.fiber)
  })

  /** undici destroys it as well, when its socket is closed. */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void) {
    this.body = undefined
    this.fiber?.interruptUnsafe()
    callback(error)
  }

  override _read() {
    this.isWanted = true
    const { body } = this
    this.body = undefined
    if (body !== undefined) return this.start(body)
    const onWanted = this.onWanted
    this.onWanted = undefined
    onWanted?.()
  }

  private start(body: Body) {
    const more = Effect.callback<void>((resume) => {
      if (this.isWanted) return resume(Effect.void)
      this.onWanted = () => resume(Effect.void)
    })
    const send = (chunk: Uint8Array) =>
      Effect.suspend(() => {
        if (chunk.byteLength === 0) return Effect.void
        this.isWanted = false
        return this.push(chunk) ? Effect.void : more
      })
    const fiber = Effect.runForkWith(body.context)(Stream.runForEach(body.stream, send))
    this.fiber = fiber
    fiber.addObserver((exit) => {
      this.fiber = undefined
      if (Exit.isSuccess(exit)) return void this.push(null)
      if (this.destroyed) return
      this.failure = new TransportError.RequestBodyFailed({ origin: this.origin, cause: Cause.squash(exit.cause) })
      this.destroy(this.failure)
    })
  }
}
