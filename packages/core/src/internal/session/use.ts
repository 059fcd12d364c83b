/** A session that lasts as long as its work. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { Current } from "./current.ts"
import type { SessionError, SessionRevoked } from "./errors.ts"
import * as Lifecycle from "./lifecycle.ts"
import type { Acquisition, Info } from "./model.ts"
import { hold, opened } from "./open.ts"

/** `Session.use`, asked for at `site`. */
export const useAt = <A, E, R, B, E2, R2, E3 = never, R3 = never>(
  site: string | undefined,
  info: Info,
  acquire: Acquisition<A, E, R>,
  release: (value: A, exit: Exit.Exit<B, E2 | SessionRevoked>) => Effect.Effect<unknown, E3, R3>,
  f: (value: A) => Effect.Effect<B, E2, R2>
): Effect.Effect<B, E | E2 | SessionError, R | R2 | R3> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.withFiber((fiber) =>
      opened(fiber, info, site, acquire, restore, (record, value, kernel) => {
        const context = fiber.context as Context.Context<R2 | R3>
        hold(record, value, release, context)
        return Effect.onExitPrimitive(
          Lifecycle.region(record, Context.add(context, Current, record), Effect.suspend(() => f(value)), restore),
          (exit) => Lifecycle.closeAtExit(record, exit, kernel.close),
          true
        )
      })
    )
  )

/** `Session.scoped`, asked for at `site`. */
export const scopedAt = <A, E, R>(
  site: string | undefined,
  info: Info,
  self: Effect.Effect<A, E, R>
): Effect.Effect<A, E | SessionError, Exclude<R, Scope.Scope>> =>
  useAt(site, info, Scope.make(), Scope.close, (scope) => Scope.provide(self, scope))
