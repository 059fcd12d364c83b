/**
 * One temporary hold on something that must be given back: a socket, a stream, a slot, a secret.
 *
 * Its law: a session is open from the step that acquires to the end of its release, and the release runs exactly once,
 * on success, failure and interruption alike. What is opened while a session is current becomes its child; children are
 * released before their parent.
 *
 * Choose `use` where a function can hold it, `scoped` to group what an effect acquires, `stream` for as long as a
 * stream is read, and `acquire` where a `Scope` of yours decides.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Tracer from "effect/Tracer"
import { SessionRegistry } from "./SessionRegistry.ts"

/** What a session is, as the registry lists it. Nothing secret belongs in here. */
export interface Info {
  /** The sort of hold, one word for all of its sort: `"connection"`, `"call"`. Counts are by kind. */
  readonly kind: string
  /** Which one of its sort: an origin, a model, a path. */
  readonly name: string
  /** Anything else that an operator would ask about. Held by reference for as long as the session is open. */
  readonly attributes?: Readonly<Record<string, unknown>> | undefined
}

/** An open session's record. `SessionRegistry.list` is the way to look at many. */
export interface Session {
  /** Counts up from 1 in each registry. */
  readonly id: number
  readonly kind: string
  readonly name: string
  readonly attributes: Readonly<Record<string, unknown>> | undefined
  readonly parent: Session | undefined
  readonly fiberId: number
  readonly span: Tracer.AnySpan | undefined
  /** Monotonic milliseconds: only differences mean anything. */
  readonly openedAt: number
  readonly isOpen: boolean
}

/** What was acquired, with the session that holds it. */
export interface Handle<out A> {
  readonly session: Session
  readonly value: A
}

/** The session inside of which this fiber works. */
export const Current: Context.Reference<Session | undefined> = Context.Reference<Session | undefined>(
  "@clawback/core/Session/Current",
  { defaultValue: () => undefined }
)

const open = (info: Info, fiber: Fiber.Fiber<unknown, unknown>, registry: SessionRegistry) =>
  registry.openUnsafe(info, fiber, fiber.getRef(Current))

/** Takes the session off the ledger when `self` has ended, whatever it came to. */
const closeAfter = <A, E, R>(
  self: Effect.Effect<A, E, R>,
  registry: SessionRegistry,
  session: Session
): Effect.Effect<A, E, R> =>
  Effect.onExitPrimitive(self, () => {
    registry.closeUnsafe(session)
    return undefined
  })

/** Opens a session and makes it the current one of its fiber. */
const enter = (info: Info, fiber: Fiber.Fiber<unknown, unknown>) => {
  const registry = fiber.getRef(SessionRegistry)
  const session = open(info, fiber, registry)
  const outside = fiber.context
  fiber.setContext(Context.add(outside, Current, session))
  return { fiber, outside, registry, session }
}

/**
 * Holds something for as long as `f` runs, and releases it when `f` ends, however it ends.
 *
 * `acquire` and `release` cannot be interrupted, `f` can. A release that dies does not hide how `f` failed: the cause
 * holds both.
 */
export const use = <A, E, R, B, E2, R2, R3 = never>(
  info: Info,
  acquire: Effect.Effect<A, E, R>,
  release: (value: A, exit: Exit.Exit<B, E2>) => Effect.Effect<unknown, never, R3>,
  f: (value: A) => Effect.Effect<B, E2, R2>
): Effect.Effect<B, E | E2, R | R2 | R3> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.flatMap(acquire, (value) => {
      // What gives back stands before anything is opened, even should opening throw.
      let entered: ReturnType<typeof enter> | undefined
      const released = Effect.onExitPrimitive(
        Effect.withFiber<B, E2, R2>((fiber) => {
          entered = enter(info, fiber)
          return restore(f(value))
        }),
        (exit) => {
          entered?.fiber.setContext(entered.outside)
          // Nobody reads what a release answers.
          return release(value, exit) as Effect.Effect<void, never, R3>
        },
        true
      )
      return Effect.onExitPrimitive(released, () => {
        entered?.registry.closeUnsafe(entered.session)
        return undefined
      })
    })
  )

/** Groups what `effect` acquires into one session, which takes the place of its `Scope` and ends with it. */
export const scoped =
  (info: Info) => <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, Exclude<R, Scope.Scope>> =>
    use(info, Scope.make(), Scope.close, (scope) => Scope.provide(effect, scope))

/**
 * Holds something until the surrounding `Scope` closes.
 *
 * The acquisition and the registration of its release are one step: no interruption fits between them. Should the scope
 * be closed already, the release runs at once.
 */
export const acquire = <A, E, R, R2 = never>(
  info: Info,
  acquire: Effect.Effect<A, E, R>,
  release: (value: A, exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown, never, R2>
): Effect.Effect<Handle<A>, E, R | R2 | Scope.Scope> =>
  Effect.uninterruptible(
    Effect.flatMap(acquire, (value) =>
      Effect.withFiber<Handle<A>, never, R2 | Scope.Scope>((fiber) => {
        const registry = fiber.getRef(SessionRegistry)
        const session = open(info, fiber, registry)
        const context = fiber.context as Context.Context<R2 | Scope.Scope>
        return Effect.as(
          Scope.addFinalizerExit(
            Context.get(context, Scope.Scope),
            (exit) =>
              closeAfter(
                Effect.suspend(() => Effect.provideContext(release(value, exit), context)),
                registry,
                session
              )
          ),
          { session, value }
        )
      }))
  )

/** A session for as long as the stream is read: from its first pull until it ends, fails or is given up. */
export const stream =
  (info: Info) => <A, E, R>(self: Stream.Stream<A, E, R>): Stream.Stream<A, E, Exclude<R, Scope.Scope>> =>
    Stream.unwrap(
      Effect.map(
        acquire(info, Effect.void, () => Effect.void),
        ({ session }) => Stream.provideService(Stream.scoped(self), Current, session)
      )
    )
