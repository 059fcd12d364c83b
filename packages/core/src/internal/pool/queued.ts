/** `Pool.use` where the caller has to wait. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import { Current, SessionRegistry } from "../session/current.ts"
import { defectsOf } from "../session/defects.ts"
import type { SessionRevoked } from "../session/errors.ts"
import { kernelOf } from "../session/kernel.ts"
import * as Lifecycle from "../session/lifecycle.ts"
import { SessionRecord } from "../session/record.ts"
import type { PoolError } from "./errors.ts"
import { ended } from "./lentWork.ts"
import { currentFiber, lend, momentOf, open, type Source } from "./loan.ts"
import { type Lent, Waiter } from "./waiter.ts"
import { arrive, join, leave, unused } from "./waiting.ts"

/**
 * Borrows where no item is idle. The work has a fiber from the start, which waits for the item: so the caller is suspended and
 * resumed once. All is done in the step in which the caller is suspended, with what happens if it is interrupted.
 */
export const queued = <A, E, B, E2, R2>(
  source: Source<A, E>,
  site: string | undefined,
  f: (item: A) => Effect.Effect<B, E2, R2>,
  options: ReturnType<typeof Lifecycle.optionsOf>
): Effect.Effect<B, E | E2 | PoolError, R2> =>
  Effect.callback((resume) => {
    const fiber = currentFiber()
    const kernel = kernelOf(fiber.getRef(SessionRegistry))
    const clock = fiber.getRef(Clock.Clock)
    const loan = open(source, site, fiber, kernel, clock)
    if (!(loan instanceof SessionRecord)) return resume(Exit.fail(loan))
    const { core } = source
    const now = momentOf(core, loan, clock)
    const idle = core.machine.take(now)
    const waiter = idle === undefined ? join(core, loan, kernel, fiber, now) : undefined
    if (waiter !== undefined && !(waiter instanceof Waiter)) return resume(Exit.fail(waiter))
    const isDeep = Lifecycle.isTurning(loan)
    let hasStarted = false
    const start = (entry: Lent<A>): Effect.Effect<B, E2 | SessionRevoked, R2> => {
      hasStarted = true
      if (waiter !== undefined) arrive(core, waiter, loan, entry)
      const { resource } = lend(core, entry, loan)
      if (loan.revoked !== undefined) return Effect.fail(loan.revoked)
      loan.addUser(currentFiber())
      return f(resource)
    }
    const lent = waiter === undefined ? Effect.succeed(idle as Lent<A>) : waiter.awaited
    const worker = Effect.runForkWith(Context.add(fiber.context as Context.Context<R2>, Current, loan))(
      Effect.flatMap(isDeep ? Effect.andThen(Effect.yieldNow, lent) : lent, start),
      options
    )
    worker.addObserver((exit) => {
      if (!hasStarted && waiter !== undefined) leave(core, waiter, loan, kernel)
      else if (!hasStarted && idle !== undefined) unused(core, idle, loan, kernel)
      const end = hasStarted ? ended(loan, kernel, exit) : Lifecycle.revokedOr(loan, exit)
      resume(isDeep ? Effect.andThen(Effect.yieldNow, end) : end)
    })
    return Effect.suspend(() => {
      if (worker.pollUnsafe() !== undefined) return Effect.void
      const interrupted = Effect.andThen(Fiber.interrupt(worker), defectsOf(worker))
      return isDeep ? Effect.andThen(Effect.yieldNow, Effect.tap(interrupted, Effect.yieldNow)) : interrupted
    })
  })
