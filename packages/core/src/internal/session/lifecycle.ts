/** What is done with one session between opening and closing. The registry's ledger says what has happened so far. */
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { LeakProbe } from "../../LeakProbe.ts"
import type { Restore, Session } from "../../Session.ts"
import { SessionRevoked } from "../../SessionError.ts"
import * as Releasing from "./currentRelease.ts"
import { defectsOf } from "./defects.ts"
import type { Entry } from "./ledger.ts"
import * as Observer from "./observer.ts"
import { release } from "./release.ts"

const remove = <A>(listeners: Array<A>, listener: A): void => {
  const at = listeners.indexOf(listener)
  if (at >= 0) listeners.splice(at, 1)
}

/** Waits until each of these sessions is closed, by whoever closes it. */
export const allClosed = (entries: ReadonlyArray<Entry>): Effect.Effect<void> =>
  Effect.callback((resume) => {
    const open = entries.filter(({ isOpen }) => isOpen)
    let left = open.length
    if (left === 0) return resume(Effect.void)
    const onClosed = () => {
      if (--left === 0) resume(Effect.void)
    }
    for (const entry of open) {
      const listeners = entry.onClosed ??= []
      listeners.push(onClosed)
    }
    return Effect.sync(() => {
      for (const { onClosed: listeners } of open) if (listeners !== undefined) remove(listeners, onClosed)
    })
  })

/** Waits until a session is closed, by whoever closes it. */
export const closed = (entry: Entry): Effect.Effect<void> => allClosed([entry])

/**
 * Gives back what a session holds, and closes it. Whoever comes second waits for the first, unless he is a part of that.
 *
 * It begins as it is called: whoever calls runs what it answers with, where interruption is not allowed.
 */
export const close = (
  entry: Entry,
  exit: Exit.Exit<unknown, unknown>,
  leave: (entry: Entry) => void
): Effect.Effect<void> => {
  if (!entry.isOpen) return Effect.void
  if (entry.state === "releasing") {
    return Effect.withFiber((fiber) => Releasing.of(fiber)?.isWithin(entry) === true ? Effect.void : closed(entry))
  }
  entry.state = "releasing"
  return release(entry, exit, () => leave(entry))
}

/** The reason where nobody revoked a session, but its scope was closed by another fiber while it was still used. */
export const scopeClosedReason = "its scope was closed"

/** Why a session that is used after its release can be used no longer. */
export const whyEnded = (session: Session): SessionRevoked => {
  const { id, kind, name } = session
  return session.revoked ?? new SessionRevoked({ id, kind, session: name, reason: scopeClosedReason })
}

/** Waits until a session is revoked. */
export const revoked = (entry: Entry): Effect.Effect<SessionRevoked> =>
  Effect.callback((resume) => {
    const onRevoked = () => entry.revoked !== undefined && resume(Effect.succeed(entry.revoked))
    if (entry.isRevoked) return void onRevoked()
    const listeners = entry.onRevoked ??= []
    listeners.push(onRevoked)
    return Effect.sync(() => remove(listeners, onRevoked))
  })

// Made apart from `watch`: what they are made in is kept by them, and may not have the scope.
const abandoning = (entry: Entry) => () => {
  entry.isAbandoned = entry.isOpen
}
const stopping = (stop: () => void) => () => Observer.tell(stop, undefined)

/** Notes when the scope that must release a session is lost. A probe that throws does not keep it from being released. */
export const watch = (entry: Entry, scope: object, probe: LeakProbe): void =>
  Observer.tell((entry) => {
    const listeners = entry.onClosed ??= []
    listeners.push(stopping(probe.watch(scope, abandoning(entry))))
  }, entry)

/** Has those let go of a session who must, since it is revoked. */
export const tell = (entry: Entry): void => {
  for (const one of entry.onRevoked?.slice() ?? []) {
    if (typeof one === "function") one()
    else one.interruptUnsafe()
  }
}

const tellsOfRevocation = (reason: Cause.Reason<unknown>): boolean =>
  Cause.isFailReason(reason) && reason.error instanceof SessionRevoked

/**
 * What a revoked session's work came to: the interruptions that the revocation caused are told as what they were, and so
 * are the revocations of sessions inside, which end first.
 */
export const revokedOr = <A, E>(entry: Entry, exit: Exit.Exit<A, E>): Exit.Exit<A, E | SessionRevoked> => {
  if (entry.revoked === undefined || Exit.isSuccess(exit)) return exit
  const own = exit.cause.reasons.filter((reason) => !Cause.isInterruptReason(reason))
  const others = own.filter((reason) => !tellsOfRevocation(reason))
  if (others.length === 0) return Exit.fail(entry.revoked)
  const cause = Cause.fromReasons(others)
  return Exit.failCause(others.length === own.length ? cause : Cause.combine(Cause.fail(entry.revoked), cause))
}

/** Has a revocation of the session interrupt a fiber, until what this answers with is called. */
export const interruptWhenRevoked = (entry: Entry, fiber: Fiber.Fiber<unknown, unknown>): () => void => {
  const listeners = entry.onRevoked ??= []
  listeners.push(fiber)
  // It may have come while the fiber took its first steps.
  if (entry.isRevoked) fiber.interruptUnsafe()
  return () => remove(listeners, fiber)
}

/** What `Effect.uninterruptibleMask` gives: interruption is as it was outside. */
export type Mask = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

const uninterruptible = { uninterruptible: true } as const

/** There are two of these, one for where interruption is allowed outside: what the last one did is remembered. */
let knownMask: Mask | undefined
let isRestoring = false

/** So many sessions inside of each other run, end and are interrupted on one stack; then a turn of the scheduler is taken. */
const depthOfStack = 32

/**
 * Runs an effect that a revocation of the session interrupts, and that then fails with `SessionRevoked`.
 *
 * A fiber cannot take back an interruption of itself, so the effect gets a fiber of its own, at once. Call it inside of
 * an effect, where interruption is not allowed; `restore` decides whether the effect can be interrupted.
 */
export const region = <A, E, R>(
  entry: Entry,
  context: Context.Context<R>,
  effect: Effect.Effect<A, E, R>,
  restore: Mask
): Effect.Effect<A, E | SessionRevoked> => {
  if (entry.revoked !== undefined) return Effect.fail(entry.revoked)
  if (restore !== knownMask) {
    knownMask = restore
    isRestoring = restore(Effect.void) !== Effect.void
  }
  const isDeep = entry.depth % depthOfStack === depthOfStack - 1
  const fiber = Effect.runForkWith(context)(
    isDeep ? Effect.andThen(Effect.yieldNow, effect) : effect,
    isRestoring ? undefined : uninterruptible
  )
  const exit = fiber.pollUnsafe()
  if (exit !== undefined) return revokedOr(entry, exit)
  const stopListening = interruptWhenRevoked(entry, fiber)
  const turning = <A>(self: Effect.Effect<A>): Effect.Effect<A> =>
    isDeep ? Effect.andThen(Effect.yieldNow, Effect.tap(self, Effect.yieldNow)) : self
  const finished = Effect.onInterrupt(
    restore(Fiber.await(fiber)),
    // What the effect died of while it was interrupted is told next to the interruption.
    () => Effect.andThen(turning(Fiber.interrupt(fiber)), defectsOf(fiber))
  )
  const left = Effect.onExitPrimitive(finished, () => {
    stopListening()
    return undefined
  })
  return Effect.flatMap(isDeep ? Effect.tap(left, Effect.yieldNow) : left, (exit) => revokedOr(entry, exit))
}

/** Lets parts of the session's acquisition be interrupted, also by a revocation. */
export const restoring = (entry: Entry, restore: Mask): Restore => <A, E, R>(part: Effect.Effect<A, E, R>) =>
  Effect.contextWith((context: Context.Context<R>) => region(entry, context, part, restore))
