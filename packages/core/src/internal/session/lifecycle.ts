/** What is done with one session between opening and closing. Its record has the state. */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { CutOff } from "../time/cutOff.ts"
import * as Releasing from "./currentRelease.ts"
import { defectsOf } from "./defects.ts"
import { SessionRevoked } from "./errors.ts"
import type { LeakProbe, Restore, Session } from "./model.ts"
import * as Observer from "./observer.ts"
import type { SessionRecord } from "./record.ts"
import { release } from "./release.ts"

/** Waits until each of these sessions is closed, by whichever fiber. */
export const allClosed = (records: ReadonlyArray<SessionRecord>): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const open = records.filter(({ isOpen }) => isOpen)
    let left = open.length
    if (left === 0) return resume(Effect.void)
    const onClosed = () => {
      if (--left === 0) resume(Effect.void)
    }
    for (const record of open) record.addCloseListener(onClosed)
    return Effect.sync(() => {
      for (const record of open) record.removeCloseListener(onClosed)
    })
  })

/** Waits until a session is closed, by whichever fiber. */
export const closed = (record: SessionRecord): Effect.Effect<void> => allClosed([record])

/**
 * Releases what a session holds, and closes it. A second caller waits for the first, unless it is a part of that release.
 *
 * The release begins when this is called. Run the returned effect where interruption is not allowed.
 */
export const close = (
  record: SessionRecord,
  exit: Exit.Exit<unknown, unknown>,
  leave: (record: SessionRecord) => void
): Effect.Effect<void> => {
  if (!record.isOpen) return Effect.void
  if (record.state === "releasing") {
    return Effect.withFiber((fiber) => Releasing.of(fiber)?.isWithin(record) === true ? Effect.void : closed(record))
  }
  record.beginRelease()
  return release(record, exit, () => leave(record))
}

/** `close` as a finalizer: undefined if the session is closed already, so that the fiber takes no step for it. */
export const closeAtExit = (
  record: SessionRecord,
  exit: Exit.Exit<unknown, unknown>,
  leave: (record: SessionRecord) => void
): Effect.Effect<void> | undefined => {
  const closing = close(record, exit, leave)
  return closing === Effect.void ? undefined : closing
}

/** The reason if another fiber closed a session's scope while it was still used, without a revocation. */
export const scopeClosedReason = "its scope was closed"

/** Why a session that is used after its release can be used no longer. */
export const whyEnded = (session: Session): SessionRevoked => {
  const { id, kind, name } = session
  return session.revoked ?? new SessionRevoked({ id, kind, session: name, reason: scopeClosedReason })
}

/** Waits until a session is revoked. */
export const revoked = (record: SessionRecord): Effect.Effect<SessionRevoked> =>
  Effect.callback((resume) => {
    const onRevoked = () => record.revoked !== undefined && resume(Effect.succeed(record.revoked))
    if (record.isRevoked) return void onRevoked()
    record.addUser(onRevoked)
    return Effect.sync(() => record.removeUser(onRevoked))
  })

// Made apart from `watch`, so that they do not keep its `scope`.
const abandoning = (record: SessionRecord) => () => record.abandon()
const stopping = (stop: () => void) => () => Observer.tell(stop, undefined)

/** Notes when the scope that must release a session is lost. If the probe throws, the session is still released. */
export const watch = (record: SessionRecord, scope: object, probe: LeakProbe): void =>
  Observer.tell((record) => record.addCloseListener(stopping(probe.watch(scope, abandoning(record)))), record)

/** Interrupts the fibers that work in a revoked session, and calls its other users. */
export const interruptUsers = (record: SessionRecord): void => {
  for (const user of record.users.slice()) {
    if (typeof user === "function") user()
    else user.interruptUnsafe()
  }
}

const isRevocation = (reason: Cause.Reason<unknown>): boolean =>
  Cause.isFailReason(reason) && reason.error instanceof SessionRevoked

/**
 * The exit of work in a session: where that was revoked, its error replaces the interruptions that the revocation caused,
 * and the revocations of sessions inside, which end first.
 */
export const revokedOr = <A, E>(record: SessionRecord, exit: Exit.Exit<A, E>): Exit.Exit<A, E | SessionRevoked> => {
  if (record.revoked === undefined || Exit.isSuccess(exit)) return exit
  const own = exit.cause.reasons.filter((reason) => !Cause.isInterruptReason(reason))
  const others = own.filter((reason) => !isRevocation(reason))
  if (others.length === 0) return Exit.fail(record.revoked)
  const cause = Cause.fromReasons(others)
  return Exit.failCause(others.length === own.length ? cause : Cause.combine(Cause.fail(record.revoked), cause))
}

/** Makes a revocation of the session interrupt a fiber. Returns a function that stops this. */
export const interruptWhenRevoked = (record: SessionRecord, fiber: Fiber.Fiber<unknown, unknown>): () => void => {
  record.addUser(fiber)
  // It may have been revoked while the fiber took its first steps.
  if (record.isRevoked) fiber.interruptUnsafe()
  return () => record.removeUser(fiber)
}

/** What `Effect.uninterruptibleMask` gives: interruption is as it was outside. */
export type Mask = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

const uninterruptible = { uninterruptible: true } as const

/** There are two of these, one for where interruption is allowed outside: the answer for the last one is kept. */
let knownMask: Mask | undefined
let isRestoring = false

/** So many nested sessions run, end and are interrupted on one stack; then the scheduler takes a turn. */
const depthOfStack = 32

/** Whether a session is so deep inside of others that its work begins and ends in a turn of its own. */
export const isTurning = ({ depth }: SessionRecord): boolean => depth % depthOfStack === depthOfStack - 1

/** Whether interruption is allowed outside. */
const isInterruptible = (restore: Mask): boolean => {
  if (restore !== knownMask) {
    knownMask = restore
    isRestoring = restore(Effect.void) !== Effect.void
  }
  return isRestoring
}

/** How to fork the work of a session: it can be interrupted where that is allowed outside. */
export const optionsOf = (restore: Mask): typeof uninterruptible | undefined =>
  isInterruptible(restore) ? undefined : uninterruptible

/**
 * Runs an effect that a revocation of the session interrupts, and that then fails with `SessionRevoked`. A cut-off
 * interrupts it as well, even where interruption is not allowed outside.
 *
 * A fiber cannot take back an interruption of itself, so the effect gets a fiber of its own, at once. Call this inside of
 * an effect, where interruption is not allowed; `restore` decides whether the effect can be interrupted.
 */
export const region = <A, E, R>(
  record: SessionRecord,
  context: Context.Context<R>,
  effect: Effect.Effect<A, E, R>,
  restore: Mask,
  end?: CutOff
): Effect.Effect<A, E | SessionRevoked> => {
  if (record.revoked !== undefined) return Effect.fail(record.revoked)
  const isDeep = isTurning(record)
  end?.prepare()
  const fiber = Effect.runForkWith(context)(
    isDeep ? Effect.andThen(Effect.yieldNow, effect) : effect,
    end !== undefined || isInterruptible(restore) ? undefined : uninterruptible
  )
  const exit = fiber.pollUnsafe()
  if (exit !== undefined) return revokedOr(record, exit)
  end?.start(fiber)
  const stopListening = interruptWhenRevoked(record, fiber)
  const turning = <A>(self: Effect.Effect<A>): Effect.Effect<A> =>
    isDeep ? Effect.andThen(Effect.yieldNow, Effect.tap(self, Effect.yieldNow)) : self
  const left = Effect.onExitPrimitive(restore(Fiber.await(fiber)), (awaited) => {
    if (Exit.isSuccess(awaited)) {
      stopListening()
      return undefined
    }
    end?.stop()
    // What the effect died of while it was interrupted is raised next to the interruption.
    const interrupted = Effect.andThen(turning(Fiber.interrupt(fiber)), defectsOf(fiber))
    return Effect.ensuring(interrupted, Effect.sync(stopListening))
  })
  return Effect.flatMap(isDeep ? Effect.tap(left, Effect.yieldNow) : left, (exit) => revokedOr(record, exit))
}

/** Makes parts of the session's acquisition interruptible, also by a revocation. */
export const restoring = (record: SessionRecord, restore: Mask): Restore => <A, E, R>(part: Effect.Effect<A, E, R>) =>
  Effect.contextWith((context: Context.Context<R>) => region(record, context, part, restore))
