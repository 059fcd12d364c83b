/**
 * A real HTTP or HTTPS server on loopback that does wrong on demand, and tells what was done to it.
 *
 * `make` and `layer` run it in this process, `makeProcess` and `layerProcess` in one of its own, so that the kernel's
 * counts of the two sides do not mix. Both are used alike. What a request gets is decided by, in this order: its header
 * `x-faulty-behavior` (see `header`), the queue (see `enqueue`), the handler, and the default.
 *
 * **Time.** In this process, waits and pauses follow the `Clock` of whoever makes it: under `TestClock` they pass when it is
 * adjusted. In a process of its own they take as long as they say. The report's times are always real.
 *
 * Whatever clients do, when its scope ends every socket is closed and the port is free. Only inside of `LeakCheck` the port
 * is free at once, and what clients hold is looked at before its connections are closed.
 */

import * as OptionCheck from "@clawback/core/OptionCheck"
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

/** The provider cannot listen: its port is taken, or its host is not of this machine. */
export class CannotListen extends Schema.TaggedError<CannotListen>("@clawback/testing/CannotListen")("CannotListen", {
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
export class CannotStart extends Schema.TaggedError<CannotStart>("@clawback/testing/CannotStart")("CannotStart", {
  handler: Schema.UndefinedOr(Schema.String),
  cause: Schema.Defect()
}) {
  override get message() {
    const handler = this.handler === undefined ? "" : ` with the handler ${this.handler}`
    return `The faulty provider's process did not start${handler}. See the cause, and what it wrote to stderr; ` +
      "a handler is a function, the default export of a module that is given by its URL."
  }
}

/** What was waited for did not come in time. */
export class NotSeen extends Schema.TaggedError<NotSeen>("@clawback/testing/NotSeen")("NotSeen", {
  within: Schema.Duration,
  counts: Schema.Record(Schema.String, Schema.Int)
}) {
  override get message() {
    return `Not seen within ${Duration.format(this.within)}. The provider's counts now: ${JSON.stringify(this.counts)}`
  }
}

/** Decides what a request gets, by its whole body. Must be quick; `undefined` leaves it to the default. */
export type Handler = FaultyServer.Handler

export interface Options {
  /** Speaks TLS, by a certificate for `localhost`, 127.0.0.1 and ::1 that `ca` vouches for. Default: false. */
  readonly tls?: boolean | undefined
  /** Default: "127.0.0.1". */
  readonly host?: string | undefined
  /** From 0 to 65,535. Default: 0, any that is free. */
  readonly port?: number | undefined
  /** What a request gets for which nothing else is said. Default: `{"ok":true}` as JSON. */
  readonly otherwise?: Behavior.Behavior | undefined
  /** Behaviors that a request's header may name, on top of those of `VendorErrors`. */
  readonly behaviors?: Readonly<Record<string, Behavior.Behavior>> | undefined
  /**
   * Of how many requests that are over the report tells one by one. Default: 1,024. Too low, and early ones are forgotten
   * while they are of interest; too high, and a long run fills the memory. Those in flight are all told, and all are
   * counted.
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
  /** The latest requests, oldest first, with what became of each. */
  readonly requests: Effect.Effect<ReadonlyArray<Received>>
  /** Waits until the counts are so, for at most `within` (default: 5 seconds of real time). */
  readonly until: (isSo: (counts: Counts) => boolean, within?: Duration.Input) => Effect.Effect<Counts, NotSeen>
  /** Waits until a request is as expected, for at most `within` (default: 5 seconds of real time). */
  readonly untilRequest: (
    isSo: (request: Received) => boolean,
    within?: Duration.Input
  ) => Effect.Effect<Received, NotSeen>
  /** The next requests without a header get these, one each, in this order. */
  readonly enqueue: (...behaviors: ReadonlyArray<Behavior.Behavior>) => Effect.Effect<void>
  /** Changes what a request gets for which nothing else is said. */
  readonly otherwise: (behavior: Behavior.Behavior) => Effect.Effect<void>
  /** Changes how connections are met. Those that are open are left alone. */
  readonly listening: (how: Listening) => Effect.Effect<void, CannotListen>
  /** Ends all open connections. */
  readonly disconnect: (how: "close" | "reset") => Effect.Effect<void>
  /** Leaves requests that are over out of the report. Counts stay. */
  readonly forget: Effect.Effect<void>
}>()("@clawback/testing/FaultyProvider") {}

/** The CA that vouches for the server's certificate, as PEM: what a client must trust. Good for 100 years. */
export const ca: string = Certificates.ca

/** The headers by which a request chooses its behavior, and is found again in the report. */
export const header = (
  behavior: Behavior.Behavior | string,
  id?: string
): Readonly<Record<string, string>> => ({
  [FaultyServer.behaviorHeader]: typeof behavior === "string" ? behavior : encodeURIComponent(JSON.stringify(behavior)),
  ...(id !== undefined && { [FaultyServer.idHeader]: id })
})

/** Whoever waits for what another process or the kernel does waits in real time. */
const live = Effect.provideService(Clock.Clock, Context.get(Context.empty(), Clock.Clock))

const withDefaults = (options: Options): Omit<FaultyServer.Options, "handler"> => ({
  tls: options.tls ?? false,
  host: options.host ?? "127.0.0.1",
  port: OptionCheck.count("port", options.port ?? 0, 0, 65_535),
  keep: OptionCheck.count("keep", options.keep ?? 1024, 0),
  otherwise: options.otherwise ?? Behavior.json({ ok: true }),
  behaviors: { ...VendorErrors.behaviors, ...options.behaviors }
})

interface Started {
  readonly provider: FaultyProvider["Service"]
  /** Admits nobody any more, as long as anybody could tell. When the test is over, only the thread that is deaf must end. */
  readonly leave: (isOver: boolean) => Effect.Effect<unknown, CannotListen>
}

const started = ({ host = "127.0.0.1", tls = false }: Options, { address, control }: Server): Started => {
  /** Looks again after each change. */
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

/** Where leaks are looked for, that comes before its connections are closed. */
const asPeer = <E>(make: Effect.Effect<Started, E, Scope.Scope>) =>
  Effect.map(Peers.make(make, ({ leave }, isOver) => leave(isOver)), ({ provider }) => provider)

const cannotListen = (options: Options) => ({ cause }: Unavailable) =>
  Effect.fail(new CannotListen({ host: options.host ?? "127.0.0.1", port: options.port ?? 0, cause }))

/** Starts one in this process, until the scope ends. */
export const make = (
  options: Options & { readonly handler?: Handler | undefined } = {}
): Effect.Effect<FaultyProvider["Service"], CannotListen, Scope.Scope> =>
  Effect.suspend(() => FaultyServer.make({ ...withDefaults(options), handler: options.handler })).pipe(
    Effect.map((server) => started(options, server)),
    Effect.catchTag("Unavailable", cannotListen(options)),
    asPeer
  )

/** Starts one in a process of its own, which ends with the scope, and with this process however that ends. */
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

/** One in this process. */
export const layer = (
  options?: Options & { readonly handler?: Handler | undefined }
): Layer.Layer<FaultyProvider, CannotListen> => Layer.effect(FaultyProvider, make(options))

/** One in a process of its own. */
export const layerProcess = (options?: ProcessOptions): Layer.Layer<FaultyProvider, CannotListen | CannotStart> =>
  Layer.effect(FaultyProvider, makeProcess(options))
