/** How a pool opens one item: as a session of its own, which holds the scope of the item. */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import type { SessionError } from "../session/errors.ts"
import { hold, opened } from "../session/open.ts"
import type { Entry } from "./entry.ts"
import { PoolConnectTimeout } from "./errors.ts"
import { Item, type Lender } from "./item.ts"
import type { Settings } from "./settings.ts"

export type ConnectError = PoolConnectTimeout | SessionError

/** Why a connect failed. There is no exit of one that took too long. */
export const whyFailed = <E>(
  { connectTimeout, name }: Pick<Settings<never, E>, "connectTimeout" | "name">,
  exit: Exit.Failure<unknown, E> | undefined
): Cause.Cause<E | PoolConnectTimeout> => {
  if (exit === undefined) {
    return Cause.fail(new PoolConnectTimeout({ pool: name, limit: Duration.millis(connectTimeout) }))
  }
  // A caller must not be taken for interrupted because of it.
  return Cause.hasInterruptsOnly(exit.cause)
    ? Cause.die(new Error(`The acquire effect of the pool ${name} was interrupted from inside`))
    : exit.cause
}

const release = (scope: Scope.Closeable, exit: Exit.Exit<unknown, unknown>) => Scope.close(scope, exit)

/**
 * Can be interrupted while the item is acquired. What was acquired until then is released. Once acquired, the item is held by
 * its session, in the same step.
 *
 * Run it where interruption is not allowed. Otherwise an interruption that comes with its last step loses the item.
 */
export const connect = <A, E>(
  { acquire, name }: Settings<A, E>,
  context: Context.Context<never>,
  lender: Lender,
  entry: Entry<Item<A>>
): Effect.Effect<Item<A>, E | SessionError> =>
  Effect.withFiber((fiber) => {
    const scope = Scope.makeUnsafe()
    return opened(
      fiber,
      { kind: "resource", name },
      undefined,
      (interruptible) =>
        Effect.onExitPrimitive(
          interruptible(Scope.provide(acquire, scope)),
          (exit) => Exit.isFailure(exit) ? Scope.close(scope, exit) : undefined
        ),
      Effect.interruptible,
      (record, value) => {
        hold(record, scope, release, context)
        return Effect.succeed(new Item(value, record, lender, entry))
      }
    )
  })
