/**
 * A program of the table, as a user could have written it, as a function of its wrappers.
 *
 * In the plain run, each wrapper does nothing.
 */
import type { Transport } from "@clawback/core"
import { Effect, Exit, Pull, Scope, Stream } from "effect"
import type { LanguageModel } from "effect/ai"
import { type HttpClient, HttpEffect, HttpServerRequest, type HttpServerResponse } from "effect/http"
import type { Chat } from "./chat.ts"
import type { Acquire, Journal } from "./journal.ts"
import type { Handler, MemoryServer } from "./memoryServer.ts"

/** What a program may ask for. */
export type Services =
  | Scope.Scope
  | Transport.Transport
  | HttpClient.HttpClient
  | LanguageModel.LanguageModel
  | Chat
  | HttpServerRequest.HttpServerRequest

/** What of ours it can be wrapped in: what goes around a stream or an effect, a server's, or what it asks for a service. */
export type Form = "stream" | "effect" | "handler" | "transport" | "client" | "chat" | "proxy"

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
type Strike = "interrupt" | Effect.Effect<unknown>

export interface Running {
  readonly main: Effect.Effect<unknown, unknown, Services>
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
  readonly server: MemoryServer
}

export interface Program {
  readonly name: string
  readonly kind: string
  readonly form: Form
  readonly modes: ReadonlyArray<Mode>
  /** It meets promises, so that it needs a real event loop. */
  readonly isAsync: boolean
  /** How many connections it needs at once. */
  readonly atOnce: number
  /** What the server in memory answers, where the program asks it. */
  readonly handler: Handler
  readonly make: (tools: Tools, mode: Mode) => Running
}

type Body<A> = (tools: Tools) => A

interface Options {
  readonly modes?: ReadonlyArray<Mode>
  readonly isAsync?: boolean
  readonly form?: Form
  readonly handler?: Handler
  readonly atOnce?: number
}

const everyMode: ReadonlyArray<Mode> = ["interrupt", "close", "revoke"]

const interrupted = (main: Running["main"]): Running => ({ main, strike: "interrupt" })

/** A program whose scope another fiber closes. */
const owned = (main: (scope: Scope.Closeable) => Running["main"]): Running => {
  const scope = Scope.makeUnsafe()
  const close = Scope.close(scope, Exit.void)
  return { main: main(scope), strike: close, after: close }
}

const program = (
  kind: string,
  name: string,
  { atOnce = 1, form = "effect", handler = () => ({}), isAsync = false, modes = everyMode }: Options,
  make: Program["make"]
): Program => ({ name, kind, form, modes, isAsync, atOnce, handler, make })

/** A stream that is read to its end; in mode `close`, by one who pulls, in a scope that is not his. */
export const stream = (
  kind: string,
  name: string,
  source: Body<Stream.Stream<unknown, unknown, Services>>,
  options: Options = {}
): Program =>
  program(kind, name, { form: "stream", ...options }, (tools, mode) => {
    const { say, wrap } = tools
    const wrapped = wrap.stream(source(tools))
    if (mode !== "close") return interrupted(Effect.scoped(wrap.effect(Stream.runForEach(wrapped, say))))
    return owned((scope) =>
      Effect.flatMap(Scope.provide(Stream.toPull(wrapped), scope), (pull) =>
        Pull.catchDone(
          Effect.forever(Effect.flatMap(pull, (elements) => Effect.forEach(elements, say))),
          () => Effect.void
        ))
    )
  })

/** An effect; in mode `close`, in a scope that another fiber closes. */
export const effect = (
  kind: string,
  name: string,
  body: Body<Effect.Effect<unknown, unknown, Services>>,
  options: Options = {}
): Program =>
  program(kind, name, { modes: ["interrupt", "revoke"], ...options }, (tools, mode) =>
    mode === "close"
      ? owned((scope) => Scope.provide(tools.wrap.effect(body(tools)), scope))
      : interrupted(Effect.scoped(tools.wrap.effect(body(tools)))))

/** A handler of requests, and a client that reads what it answers; to interrupt it is what a server does when that leaves. */
export const handler = (
  kind: string,
  name: string,
  body: Body<Effect.Effect<HttpServerResponse.HttpServerResponse, unknown, Services>>,
  options: Options = {}
): Program =>
  program(kind, name, { form: "handler", modes: ["interrupt", "revoke"], ...options }, (tools) => {
    const send = (_: HttpServerRequest.HttpServerRequest, { body, status }: HttpServerResponse.HttpServerResponse) =>
      Effect.andThen(
        tools.say(status),
        body._tag === "Stream"
          // As servers do: a client that leaves ends the body.
          ? Effect.interruptible(Stream.runForEach(Stream.decodeText(body.stream), tools.say))
          : tools.say(body._tag === "Uint8Array" ? new TextDecoder().decode(body.body) : body._tag)
      )
    return interrupted(
      HttpEffect.toHandled(tools.wrap.effect(body(tools)), send).pipe(
        Effect.asVoid,
        Effect.provideServiceEffect(
          HttpServerRequest.HttpServerRequest,
          Effect.sync(() => HttpServerRequest.fromWeb(new Request("http://app.test/page")))
        )
      ) as Running["main"]
    )
  })
