/** Subscriptions to channels. Each has a connection of its own, which subscribes again whenever it was lost. */
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Redis from "effect/persistence/Redis"
import * as Queue from "effect/Queue"
import { within } from "./connection.ts"
import * as Errors from "./errors.ts"
import type { Metrics } from "./metrics.ts"
import { nameOf, type Settings } from "./model.ts"
import * as Reconnect from "./reconnect.ts"

/** Subscribes, or returns once that has taken too long and goes on in the background. */
export const make = (settings: Settings, metrics: Metrics): Redis.Redis["Service"]["subscribe"] => (channel) =>
  Effect.gen(function*() {
    const queue = yield* Queue.bounded<Redis.RedisMessage, Redis.RedisError>(settings.maxBuffered)
    yield* Effect.addFinalizer(() => Queue.shutdown(queue))
    const subscribed = yield* Deferred.make<void>()
    const onMessage = (message: string) => {
      if (Queue.offerUnsafe(queue, { channel, message }) || queue.state._tag !== "Open") return
      const detail =
        `${settings.maxBuffered} messages of the channel ${channel} wait to be read. Read faster, or raise ` +
        "`maxBuffered`."
      Queue.failCauseUnsafe(queue, Cause.fail(Errors.notSent("SUBSCRIBE", detail, false)))
    }
    yield* Effect.forkScoped(Reconnect.forever(settings, {
      use: (connection) =>
        Effect.suspend(() => {
          metrics.opened++
          return Effect.andThen(
            within(settings, connection, () => connection.subscribe(channel, onMessage)),
            Deferred.succeed(subscribed, undefined)
          )
        }),
      onLost: (_, wasOpen) => {
        if (wasOpen) metrics.lost++
      }
    }))
    yield* Effect.timeoutOrElse(Deferred.await(subscribed), {
      duration: settings.commandTimeout,
      orElse: () =>
        Effect.logWarning(
          `The channel ${channel} of ${nameOf(settings.address)} was not subscribed to within ${
            Duration.format(settings.commandTimeout)
          }. It will be, once Redis can be reached. Messages until then are lost.`
        )
    })
    return queue
  })
