/**
 * A program of the table: what a user could have written, as a function of the ways in which it can be wrapped.
 *
 * Plain, each way does nothing, and the program is Effect's alone.
 */
import { Effect, Exit, Pull, Scope, Stream } from "effect"
import type { Acquire, Journal } from "./journal.ts"

/** Where something of ours may be put around what the user wrote. */
export interface Wrap {
  /** Around a stream. */
  readonly stream: <A, E, R>(self: Stream.Stream<A, E, R>) => Stream.Stream<A, unknown, R>
  /** Around an effect. */
  readonly effect: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, unknown, R>
  /** In place of `Effect.acquireRelease`. */
  readonly acquire: Acquire
}

/** How a run is disturbed: its main fiber is interrupted, or something is done by another fiber. */
export type Strike = "interrupt" | Effect.Effect<unknown>

export interface Running {
  readonly main: Effect.Effect<unknown, unknown, Scope.Scope>
  /** What one of the program's modes does to it. `undefined` where the program is left alone. */
  readonly strike: Strike
  /** To be done when the main fiber has ended, if the strike has not come. */
  readonly after?: Effect.Effect<unknown> | undefined
}

/** `interrupt`: the main fiber. `close`: the scope that it works in, by another fiber. `revoke`: every session. */
export type Mode = "interrupt" | "close" | "revoke"

export interface Tools {
  readonly wrap: Wrap
  readonly journal: Journal
  /** Says a value. */
  readonly say: Journal["say"]
  /** Holds something for as long as the scope is open. */
  readonly hold: Journal["hold"]
}

export interface Program {
  readonly name: string
  readonly kind: string
  /** Which of the ways of `Wrap` it takes. */
  readonly form: "stream" | "effect"
  readonly modes: ReadonlyArray<Mode>
  /** It meets promises, so that it needs a real event loop. */
  readonly isAsync: boolean
  readonly make: (tools: Tools, mode: Mode) => Running
}

type Body<A> = (tools: Tools) => A

const interrupted = (main: Running["main"]): Running => ({ main, strike: "interrupt" })

/** A program whose scope another fiber closes. */
const owned = (main: (scope: Scope.Closeable) => Running["main"]): Running => {
  const scope = Scope.makeUnsafe()
  const close = Scope.close(scope, Exit.void)
  return { main: main(scope), strike: close, after: close }
}

/** A stream that is read to its end; in mode `close`, by one who pulls, in a scope that is not his. */
export const stream = (
  kind: string,
  name: string,
  source: Body<Stream.Stream<unknown, unknown, Scope.Scope>>
): Program => ({
  name,
  kind,
  form: "stream",
  modes: ["interrupt", "close", "revoke"],
  isAsync: false,
  make: (tools, mode) => {
    const { say, wrap } = tools
    const wrapped = wrap.stream(source(tools))
    if (mode !== "close") return interrupted(Effect.scoped(wrap.effect(Stream.runForEach(wrapped, say))))
    return owned((scope) =>
      wrap.effect(Effect.flatMap(
        Scope.provide(Stream.toPull(wrapped), scope),
        (pull) =>
          Pull.catchDone(
            Effect.forever(Effect.flatMap(pull, (elements) => Effect.forEach(elements, say))),
            () => Effect.void
          )
      )) as Running["main"]
    )
  }
})

/** An effect; in mode `close`, in a scope that another fiber closes. */
export const effect = (
  kind: string,
  name: string,
  body: Body<Effect.Effect<unknown, unknown, Scope.Scope>>,
  options: { readonly modes?: ReadonlyArray<Mode>; readonly isAsync?: boolean; readonly form?: Program["form"] } = {}
): Program => ({
  name,
  kind,
  form: options.form ?? "effect",
  modes: options.modes ?? ["interrupt", "revoke"],
  isAsync: options.isAsync ?? false,
  make: (tools, mode) =>
    mode === "close"
      ? owned((scope) => Scope.provide(tools.wrap.effect(body(tools)), scope))
      : interrupted(Effect.scoped(tools.wrap.effect(body(tools))))
})
