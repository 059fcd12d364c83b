/**
 * A real HTTP or HTTPS server on loopback with faults on demand, which reports the requests that it got.
 *
 * `make` and `layer` run it in this process. `makeProcess` and `layerProcess` run it in its own, so that the kernel's counts of
 * the two sides do not mix. Both have the same interface. The behavior of a request comes from the first of: its header
 * `x-faulty-behavior` (see `header`), the queue (see `enqueue`), the handler, the default.
 *
 * **Time.** In this process, waits and pauses follow the `Clock` under which the server was made: under `TestClock` they pass
 * when it is adjusted. In its own process they are real. The report's times are always real.
 *
 * Guarantees: when its scope ends, every socket is closed and the port is free. Only inside `LeakCheck`, the port is free at
 * once, and its connections are closed after the leaks were counted.
 *
 * @stable
 */

import * as OptionCheck from "@clawback/core/OptionCheck"
import * as ReadableError from "@clawback/core/ReadableError"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Behavior from "./Behavior.ts"
import * as Certificates from "./internal/faulty/certificates.ts"
import type { Server, Unavailable } from "./internal/faulty/control.ts"
import type { Listening } from "./internal/faulty/control.ts"
import type { Counts, Received } from "./internal/faulty/journal.ts"
import * as FaultyProcess from "./internal/faulty/process.ts"
import * as FaultyServer from "./internal/faulty/server.ts"
import * as Peers from "./internal/leaks/peers.ts"
import * as VendorErrors from "./VendorErrors.ts"

export type { Listening } from "./internal/faulty/control.ts"
export type { Counts, Received, State } from "./internal/faulty/journal.ts"

/** The provider cannot listen: its port is taken, or its host is not on this machine. */
export class CannotListen extends ReadableError.tagged<CannotListen>("@clawback/testing/CannotListen")("CannotListen", {
  host: Schema.String,
  port: Schema.Int,
  cause: Schema.Defect()
}) {
  override get message() {
    return `The faulty provider cannot listen on ${this.host}, port ${this.port === 0 ? "any" : this.port}. ` +
      "See the cause; a port that was given up may have been taken by another program."
  }
}

/** The provider's process did not start: the module of its handler cannot be loaded, or Node does not know its flags. */
export class CannotStart extends ReadableError.tagged<CannotStart>("@clawback/testing/CannotStart")("CannotStart", {
  handler: Schema.UndefinedOr(Schema.String),
  cause: Schema.Defect()
}) {
  override get message() {
    const handler = this.handler === undefined ? "" : ` with the handler ${this.handler}`
    return `The faulty provider's process did not start${handler}. See the cause, and what it wrote to stderr; ` +
      "a handler is a function, the default export of a module that is given by its URL."
  }
}

/** The awaited state did not occur in time. */
export class NotSeen extends ReadableError.tagged<NotSeen>("@clawback/testing/NotSeen")("NotSeen", {
  within: Schema.Duration,
  counts: Schema.Record(Schema.String, Schema.Int)
}) {
  override get message() {
    return `Not seen within ${Duration.format(this.within)}. The provider's counts now: ${JSON.stringify(this.counts)}`
  }
}

/** Chooses the behavior of a request, with its whole body. It must be fast. `undefined` selects the default. */
export type Handler = FaultyServer.Handler

export interface Options {
  /** Uses TLS, with a certificate for `localhost`, 127.0.0.1 and ::1 that `ca` signed. Default: false. */
  readonly tls?: boolean | undefined
  /** Default: "127.0.0.1". */
  readonly host?: string | undefined
  /** From 0 to 65,535. Default: 0, any free port. */
  readonly port?: number | undefined
  /** The default behavior. Default: `{"ok":true}` as JSON. */
  readonly otherwise?: Behavior.Behavior | undefined
  /** Behaviors that a request's header may name, in addition to those of `VendorErrors`. */
  readonly behaviors?: Readonly<Record<string, Behavior.Behavior>> | undefined
  /**
   * How many ended requests the report lists. Default: 1,024. Too low, and early ones are dropped while you need them; too
   * high, and a long run fills the memory. All requests in flight are listed, and all requests are counted.
   */
  readonly keep?: number | undefined
}

export interface ProcessOptions extends Options {
  /** URL of a module whose default export is a `Handler`: a function does not cross processes. */
  readonly handler?: string | URL | undefined
  /** Flags for Node in that process, such as a loader for the handler's module. Default: none. */
  readonly execArgv?: ReadonlyArray<string> | undefined
}

export class FaultyProvider extends Context.Service<FaultyProvider, {
  /** `http://127.0.0.1:12345`, without a slash at the end. */
  readonly url: string
  readonly port: number
  /** The process that holds the server's sockets. */
  readonly pid: number
  readonly counts: Effect.Effect<Counts>
  /** The latest requests, oldest first, each with its state. */
  readonly requests: Effect.Effect<ReadonlyArray<Received>>
  /** Waits until the counts satisfy the predicate, for at most `within` (default: 5 seconds of real time). */
  readonly until: (isSo: (counts: Counts) => boolean, within?: Duration.Input) => Effect.Effect<Counts, NotSeen>
  /** Waits until a request satisfies the predicate, for at most `within` (default: 5 seconds of real time). */
  readonly untilRequest: (
    isSo: (request: Received) => boolean,
    within?: Duration.Input
  ) => Effect.Effect<Received, NotSeen>
  /** The next requests without a header get these behaviors, one each, in order. */
  readonly enqueue: (...behaviors: ReadonlyArray<Behavior.Behavior>) => Effect.Effect<void>
  /** Changes the default behavior. */
  readonly otherwise: (behavior: Behavior.Behavior) => Effect.Effect<void>
  /** Changes how new connections are accepted. Open connections stay. */
  readonly listening: (how: Listening) => Effect.Effect<void, CannotListen>
  /** Ends all open connections. */
  readonly disconnect: (how: "close" | "reset") => Effect.Effect<void>
  /** Removes ended requests from the report. Counts stay. */
  readonly forget: Effect.Effect<void>
}>()("@clawback/testing/FaultyProvider") {}

/** The CA of the server's certificate, as PEM, for clients to trust. It is valid for 100 years. */
export const ca: string = Certificates.ca

/** The headers that choose the behavior of a request, and its id in the report. */
export const header = (
  behavior: Behavior.Behavior | string,
  id?: string
): Readonly<Record<string, string>> => ({
  [FaultyServer.behaviorHeader]: typeof behavior === "string" ? behavior : encodeURIComponent(JSON.stringify(behavior)),
  ...(id !== undefined && { [FaultyServer.idHeader]: id })
})

/** Waiting for another process or the kernel takes real time. */
const live = Effect.provideService(Clock.Clock, Context.get(Context.empty(), Clock.Clock))

const fields: Readonly<Record<keyof ProcessOptions, true>> = {
  tls: true,
  host: true,
  port: true,
  otherwise: true,
  behaviors: true,
  keep: true,
  handler: true,
  execArgv: true
}

const withDefaults = (options: Options): Omit<FaultyServer.Options, "handler"> => {
  OptionCheck.fields<Options>("options", options, fields)
  return {
    tls: options.tls ?? false,
    host: options.host ?? "127.0.0.1",
    port: OptionCheck.count("port", options.port ?? 0, 0, 65_535),
    keep: OptionCheck.count("keep", options.keep ?? 1024, 0),
    otherwise: options.otherwise ?? Behavior.json({ ok: true }),
    behaviors: { ...VendorErrors.behaviors, ...options.behaviors }
  }
}

interface Started {
  readonly provider: FaultyProvider["Service"]
  /** Accepts no more connections while a client could notice. When the test is over, only the deaf thread must end. */
  readonly leave: (isOver: boolean) => Effect.Effect<unknown, CannotListen>
}

const started = ({ host = "127.0.0.1", tls = false }: Options, { address, control }: Server): Started => {
  /** Checks again after each change. */
  const watch = <A>(
    look: Effect.Effect<A | undefined>,
    duration: Duration.Input = "5 seconds"
  ): Effect.Effect<A, NotSeen> => {
    const within = OptionCheck.duration("within", duration)
    return Effect.gen(function*() {
      while (true) {
        const { version } = yield* control.snapshot()
        const found = yield* look
        if (found !== undefined) return found
        yield* control.changed(version)
      }
    }).pipe(
      Effect.timeoutOrElse({
        duration: within,
        orElse: () =>
          Effect.flatMap(
            control.snapshot(),
            ({ counts }) => Effect.fail(new NotSeen({ within, counts: { ...counts } }))
          )
      }),
      live
    )
  }
  const counts = Effect.map(control.snapshot(), ({ counts }) => counts)
  const requests = Effect.suspend(control.requests)
  let met: Listening = "accept"
  const listening = (how: Listening) =>
    Effect.mapError(
      Effect.tap(control.listening(how), () => Effect.sync(() => void (met = how))),
      ({ cause }) => new CannotListen({ host, port: address.port, cause })
    )
  const provider = FaultyProvider.of({
    url: `${tls ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${address.port}`,
    ...address,
    counts,
    requests,
    until: (isSo, within) => watch(Effect.map(counts, (counts) => isSo(counts) ? counts : undefined), within),
    untilRequest: (isSo, within) => watch(Effect.map(requests, (requests) => requests.find(isSo)), within),
    enqueue: (...behaviors) => control.enqueue(behaviors),
    otherwise: control.otherwise,
    listening,
    disconnect: control.disconnect,
    forget: Effect.suspend(control.forget)
  })
  return {
    provider,
    leave: (isOver) => isOver && met !== "fullBacklog" ? Effect.void : listening("refuse")
  }
}

/** Inside `LeakCheck`, leaks are counted before its connections are closed. */
const asPeer = <E>(make: Effect.Effect<Started, E, Scope.Scope>) =>
  Effect.map(Peers.make(make, ({ leave }, isOver) => leave(isOver)), ({ provider }) => provider)

const cannotListen = (options: Options) => ({ cause }: Unavailable) =>
  Effect.fail(new CannotListen({ host: options.host ?? "127.0.0.1", port: options.port ?? 0, cause }))

/** Starts a server in this process, until the scope ends. */
export const make = (
  options: Options & { readonly handler?: Handler | undefined } = {}
): Effect.Effect<FaultyProvider["Service"], CannotListen, Scope.Scope> =>
  Effect.suspend(() => FaultyServer.make({ ...withDefaults(options), handler: options.handler })).pipe(
    Effect.map((server) => started(options, server)),
    Effect.catchTag("Unavailable", cannotListen(options)),
    asPeer
  )

/** Starts a server in its own process, which ends with the scope, and with this process even if it is killed. */
export const makeProcess = (
  options: ProcessOptions = {}
): Effect.Effect<FaultyProvider["Service"], CannotListen | CannotStart, Scope.Scope> => {
  const handler = options.handler === undefined ? undefined : String(options.handler)
  const execArgv = options.execArgv ?? []
  return Effect.suspend(() => FaultyProcess.make({ ...withDefaults(options), handler, execArgv })).pipe(
    Effect.map((server) => started(options, server)),
    Effect.catchTags({
      Unavailable: cannotListen(options),
      NotStarted: ({ cause }) => Effect.fail(new CannotStart({ handler, cause }))
    }),
    asPeer
  )
}

/** A server in this process. */
export const layer = (
  options?: Options & { readonly handler?: Handler | undefined }
): Layer.Layer<FaultyProvider, CannotListen> => Layer.effect(FaultyProvider, make(options))

/** A server in its own process. */
export const layerProcess = (options?: ProcessOptions): Layer.Layer<FaultyProvider, CannotListen | CannotStart> =>
  Layer.effect(FaultyProvider, makeProcess(options))
