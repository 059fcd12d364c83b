import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import type * as Effect from "effect/Effect"

/** What a shutdown runs in one of its phases. */
export class Finalizer {
  readonly name: string
  readonly run: Effect.Effect<unknown, unknown>
  /** In milliseconds. The phase's own limit applies as well. */
  readonly limit: number
  readonly site: string | undefined
  /** In monotonic milliseconds. */
  readonly registeredAt: number
  /** Completed once the finalizer has ended, or is waited for no longer. */
  readonly settled = Deferred.makeUnsafe<void>()

  constructor(
    name: string,
    run: Effect.Effect<unknown, unknown>,
    limit: number,
    site: string | undefined,
    registeredAt: number
  ) {
    this.name = name
    this.run = run
    this.limit = limit
    this.site = site
    this.registeredAt = registeredAt
  }
}

/** The finalizer that runs on this fiber. */
export const Finalizing = Context.Reference<Finalizer | undefined>("@clawback/core/Shutdown/Finalizing", {
  defaultValue: () => undefined
})
