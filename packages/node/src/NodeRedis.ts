/**
 * Effect's `Redis` service over node-redis, with a limit of time for everything, and bytes beside texts.
 *
 * Effect's own `NodeRedis.layer` fails or waits without end if Redis is away, and reads bytes as text.
 *
 * Guarantees:
 *
 * - The layer is there at once. It connects in the background, and again whenever the connection is lost.
 * - A command ends by its `commandTimeout`, also while Redis is away, suspended or started again. The error says whether it was
 *   not sent, or whether its outcome is unknown. No command is sent twice.
 * - At most `maxInFlight` commands are under way, and `maxWaiting` wait. Beyond that they are rejected.
 * - When the layer closes, no socket is left, also if Redis does not answer.
 * - The password appears in no error, log or session.
 *
 * ```ts no-run
 * import * as NodeRedis from "@clawback/node/NodeRedis"
 * import { Config, Console, Effect } from "effect"
 * import { Redis } from "effect/persistence"
 *
 * const Live = NodeRedis.layerConfig({ url: Config.Redacted("REDIS_URL") })
 *
 * const program = Effect.gen(function*() {
 *   const redis = yield* Redis.Redis
 *   yield* redis.send("SET", "greeting", "hello", "PX", "60000")
 *   yield* Console.log(yield* redis.send("GET", "greeting"))
 * })
 *
 * await Effect.runPromise(Effect.provide(program, Live))
 * ```
 *
 * `docs/redis.md` has the options, the errors and the limits. Imported by its own path, `@clawback/node/NodeRedis`. It needs the
 * package `redis`, which you install.
 *
 * @experimental
 */

import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redis from "effect/persistence/Redis"
import * as Errors from "./internal/redis/errors.ts"
import { Link } from "./internal/redis/link.ts"
import * as Metrics from "./internal/redis/metrics.ts"
import type { Arguments, Form } from "./internal/redis/model.ts"
import * as ClientOptions from "./internal/redis/options.ts"
import * as Reserved from "./internal/redis/reserved.ts"
import * as Scripts from "./internal/redis/scripts.ts"
import * as Subscriptions from "./internal/redis/subscriptions.ts"

export { RedisNotSent, RedisOutcomeUnknown } from "./internal/redis/errors.ts"

/** The options of connections and commands (`ClientOptions`), and these. */
export interface Options extends ClientOptions.Options {
  /** The connections of `reserve`. Their pool is named as the client, followed by `-reserved`. */
  readonly reserve?: Reserved.ReserveOptions | undefined
}

/** Commands whose arguments may be bytes, and whose answers are. Keys, simple strings such as `OK`, and numbers are as ever. */
export class RedisBytes extends Context.Service<RedisBytes, {
  /** Sends a command. Bulk strings in its answer are `Uint8Array`, and maps are lists of keys and values. */
  readonly send: <A = unknown>(
    command: string,
    ...args: ReadonlyArray<string | Uint8Array>
  ) => Effect.Effect<A, Redis.RedisError>
  /** Runs a script. Parameters that are `Uint8Array` stay bytes; others become texts. */
  readonly eval: Redis.Redis["Service"]["eval"]
}>()("@clawback/node/NodeRedis/RedisBytes") {}

/** What the client has at one moment. */
export interface Stats {
  /** Whether a command would be sent at once. */
  readonly isConnected: boolean
  /** Commands that were sent and not answered yet. */
  readonly inFlight: number
  /** Commands that wait to be sent. */
  readonly waiting: number
  /** How many connections were opened, without those of `reserve`. */
  readonly opened: number
  /** How many of them were lost. */
  readonly lost: number
  /** How many commands had no answer in time. */
  readonly timeouts: number
}

/** The client behind the services. */
export class RedisClient extends Context.Service<RedisClient, {
  readonly stats: Effect.Effect<Stats>
}>()("@clawback/node/NodeRedis/RedisClient") {}

const fields: Readonly<Record<keyof Options, true>> = {
  url: true,
  host: true,
  port: true,
  user: true,
  password: true,
  database: true,
  tls: true,
  name: true,
  commandTimeout: true,
  connectTimeout: true,
  keepAlive: true,
  backoff: true,
  maxInFlight: true,
  maxWaiting: true,
  maxBuffered: true,
  reserve: true
}

const reserveFields: Readonly<Record<keyof Reserved.ReserveOptions, true>> = {
  max: true,
  min: true,
  idleTimeToLive: true,
  maxLifetime: true,
  acquireTimeout: true,
  maxWaiters: true,
  leakThreshold: true
}

/** Wrong options come from configuration more often than from code, so that they are errors here, not defects. */
const checked = <A, R>(effect: Effect.Effect<A, Redis.RedisError, R>): Effect.Effect<A, Redis.RedisError, R> =>
  Effect.catchDefect(
    effect,
    (defect) => defect instanceof RangeError ? Effect.fail(Errors.failure(defect)) : Effect.die(defect)
  )

const make = Effect.fnUntraced(function*(options: Options) {
  const { reserve, settings } = yield* checked(Effect.gen(function*() {
    const settings = yield* ClientOptions.settings(OptionCheck.fields("options", options, fields))
    const reserved = OptionCheck.fields("reserve", options.reserve ?? {}, reserveFields)
    return { settings, reserve: yield* Reserved.make(settings, reserved) }
  }))
  const metrics = yield* Metrics.make(settings.name)
  const link = new Link(settings, metrics, yield* Clock.Clock)
  yield* Effect.forkScoped(link.run)
  yield* Effect.forkScoped(link.watch)
  yield* Effect.addFinalizer(() => link.close)

  const send = (form: Form) => (args: Arguments): Effect.Effect<any, Redis.RedisError> => link.send(args, form)
  const [text, bytes] = [send("text"), send("bytes")]
  return Context.make(
    Redis.Redis,
    Redis.Redis.of({
      send: (command, ...args) => text([command, ...args]),
      eval: Scripts.evaluator(text),
      reserve,
      subscribe: Subscriptions.make(settings, metrics)
    })
  ).pipe(
    Context.add(RedisBytes, { send: (command, ...args) => bytes([command, ...args]), eval: Scripts.evaluator(bytes) }),
    Context.add(RedisClient, {
      stats: Effect.sync(() => {
        const { inFlight, isConnected, waiting } = link
        const { lost, opened, timeouts } = metrics
        return { isConnected, inFlight, waiting, opened, lost, timeouts }
      })
    })
  )
})

/**
 * Connects in the background, so that it is there at once. Connections close with the layer.
 *
 * Fails with `RedisError` only for a wrong option, or a credential that cannot be opened.
 */
export const layer = (
  options: Options = {}
): Layer.Layer<Redis.Redis | RedisBytes | RedisClient, Redis.RedisError> => Layer.effectContext(make(options))

/** The same, with options from the application's configuration, such as `{ url: Config.Redacted("REDIS_URL") }`. */
export const layerConfig = (
  options: Config.Wrap<Options>
): Layer.Layer<Redis.Redis | RedisBytes | RedisClient, Redis.RedisError | Config.ConfigError> =>
  Layer.unwrap(Effect.map(Config.unwrap(options), layer))
