import { Effect } from "effect"
import { assert } from "vitest"

export interface Connection {
  readonly id: number
}

/** A server that counts its connections, and fails or hangs as a test wants. */
export class PoolServer {
  private readonly max: number
  opened = 0
  open = 0
  readonly closed: Array<number> = []
  /** Runs before a connection is open. */
  connecting: Effect.Effect<unknown, string> = Effect.void
  /** Runs before a connection is closed. */
  closing: Effect.Effect<unknown> = Effect.void

  constructor(max = Infinity) {
    this.max = max
  }

  readonly connect = Effect.acquireRelease(
    Effect.suspend(() => this.connecting).pipe(
      Effect.interruptible,
      Effect.map((): Connection => {
        assert.isBelow(this.open++, this.max, "connections beyond the limit")
        return { id: ++this.opened }
      })
    ),
    ({ id }) =>
      Effect.andThen(
        Effect.suspend(() => this.closing),
        Effect.sync(() => {
          assert.notInclude(this.closed, id, "a connection was closed twice")
          this.closed.push(id)
          this.open--
        })
      )
  )
}
