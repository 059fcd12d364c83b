/** How a session comes to hold something. */
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { Current, SessionRegistry } from "./current.ts"
import type { SessionError } from "./errors.ts"
import { type Kernel, kernelOf } from "./kernel.ts"
import * as Lifecycle from "./lifecycle.ts"
import type { Acquisition, Info } from "./model.ts"
import { type Holding, SessionRecord } from "./record.ts"
import type { Unowned } from "./releaseContext.ts"

/** Opens a session, acquires what it holds, and continues with it. If nothing was acquired, the session is closed. */
export const opened = <A, E, R, B, E2, R2>(
  fiber: Fiber.Fiber<unknown, unknown>,
  info: Info,
  site: string | undefined,
  acquisition: Acquisition<A, E, R>,
  restore: Lifecycle.Mask,
  then: (record: SessionRecord, value: A, kernel: Kernel) => Effect.Effect<B, E2, R2>
): Effect.Effect<B, E | E2 | SessionError, R | R2> => {
  const kernel = kernelOf(fiber.getRef(SessionRegistry))
  const record = kernel.open(info, fiber, fiber.getRef(Current), site)
  if (!(record instanceof SessionRecord)) return Effect.fail(record)
  const acquire: Effect.Effect<A, E, R> = Effect.isEffect(acquisition)
    ? acquisition
    : Effect.suspend(() => acquisition(Lifecycle.restoring(record, restore)))
  return Effect.matchCauseEffectEager(acquire, {
    onFailure: (cause) => {
      kernel.close(record)
      return Effect.failCause(cause)
    },
    onSuccess: (value) => then(record, value, kernel)
  })
}

/** From here on the session holds something. The release gets this value, and the exit of its work. */
export const hold = <A, X, E, R>(
  record: SessionRecord,
  value: A,
  release: (value: A, exit: X) => Effect.Effect<unknown, E, R>,
  services: Context.Context<R> | Unowned
) => {
  record.hold({ value, release, services } as unknown as Holding)
}
