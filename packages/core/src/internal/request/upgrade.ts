/** The default deadline of a request that asks for a WebSocket. It applies until the connection is one. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { HttpServerRequest } from "effect/http/HttpServerRequest"
import { DeadlineExceeded } from "../../Deadline.ts"

export const isUpgrade = ({ headers }: HttpServerRequest): boolean => headers["upgrade"]?.toLowerCase() === "websocket"

/** The same request, which reports that its connection has become a WebSocket. */
const watchUpgrade = (request: HttpServerRequest, onUpgrade: () => void): HttpServerRequest => {
  const upgradeWith: typeof request.upgradeWith = (options) =>
    Effect.tap(request.upgradeWith(options), () => Effect.sync(onUpgrade))
  const modify: typeof request.modify = (options) => watchUpgrade(request.modify(options), onUpgrade)
  return Object.create(request, {
    upgrade: { get: () => upgradeWith({}) },
    upgradeWith: { value: upgradeWith },
    modify: { value: modify }
  })
}

export const untilUpgraded = <A, E, R>(
  limit: Duration.Duration,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E | DeadlineExceeded, R | HttpServerRequest> =>
  Effect.suspend(() => {
    let isUpgraded = false
    const expired = Effect.flatMap(
      Effect.sleep(limit),
      () => isUpgraded ? Effect.never : Effect.fail(new DeadlineExceeded({ budget: limit }))
    )
    const watched = Effect.updateService(
      self,
      HttpServerRequest,
      (request) => watchUpgrade(request, () => isUpgraded = true)
    )
    return Effect.raceFirst(watched, expired)
  })
