/**
 * Interrupts a batch of requests once every request in it is interrupted. Effect's own resolver lets the batch run on.
 *
 * Effect removes an interrupted request from its batch only until the batch begins (Effect 4.1.0, `internal/request.ts`).
 * After that, this module counts the interrupts.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Request from "effect/Request"
import * as RequestResolver from "effect/RequestResolver"
import { Waiting } from "./waiting.ts"

interface Batch {
  readonly abandoned: Deferred.Deferred<void>
  readonly ended: Deferred.Deferred<void>
}

export const make = <A extends Request.Any>(
  self: RequestResolver.RequestResolver<A>
) => {
  const waiting = new Waiting<A, Batch>()

  const resolver = RequestResolver.makeWith<A>({
    batchKey: self.batchKey,
    preCheck: self.preCheck,
    delay: self.delay,
    collectWhile: self.collectWhile,
    runAll: (entries, key) =>
      Effect.uninterruptibleMask((restore) => {
        const batch: Batch = { abandoned: Deferred.makeUnsafe(), ended: Deferred.makeUnsafe() }
        if (!waiting.begin(entries.map(({ request }) => request), batch)) return Effect.interrupt
        return restore(Effect.raceFirst(
          self.runAll(entries, key),
          Effect.andThen(Deferred.await(batch.abandoned), Effect.interrupt)
        )).pipe(Effect.ensuring(Deferred.succeed(batch.ended, undefined)))
      })
  })

  /** Abandons a request. If it was the last one of its batch, waits until the batch has ended. */
  const abandon = (request: A): Effect.Effect<void> =>
    Effect.suspend(() => {
      const batch = waiting.abandon(request)
      return batch === undefined
        ? Effect.void
        : Effect.andThen(Deferred.succeed(batch.abandoned, undefined), Deferred.await(batch.ended))
    })

  return {
    resolver,
    request: (request: A): Effect.Effect<Request.Success<A>, Request.Error<A>, Request.Services<A>> =>
      Effect.onInterrupt(Effect.request(request, resolver), () => abandon(request))
  }
}
