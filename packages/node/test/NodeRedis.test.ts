/** The client on servers of its own. */
import * as Credential from "@clawback/core/Credential"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as NodeProbes from "@clawback/node/NodeProbes"
import * as NodeRedis from "@clawback/node/NodeRedis"
import { assert, describe, it } from "@effect/vitest"
import {
  Config,
  ConfigProvider,
  Context,
  Effect,
  Exit,
  Fiber,
  Layer,
  Logger,
  Queue,
  Redacted,
  Schedule,
  Scope
} from "effect"
import { Redis } from "effect/persistence"
import { inspect } from "node:util"
import * as Server from "../../../test/support/redis.ts"
import { selfSigned } from "./certificate.ts"

const optionsOf = ({ ca, host, password, port }: Server.Address): NodeRedis.Options => ({
  host,
  port,
  password: password === undefined ? undefined : Redacted.make(password),
  ...ca === undefined ? {} : { tls: { ca } }
})

interface Client {
  readonly redis: Redis.Redis["Service"]
  readonly bytes: NodeRedis.RedisBytes["Service"]
  readonly stats: Effect.Effect<NodeRedis.Stats>
}

const client = (address: Server.Address, options: NodeRedis.Options = {}) =>
  Effect.map(
    Layer.build(NodeRedis.layer({ ...optionsOf(address), ...options })),
    (context): Client => ({
      redis: Context.get(context, Redis.Redis),
      bytes: Context.get(context, NodeRedis.RedisBytes),
      stats: Context.get(context, NodeRedis.RedisClient).stats
    })
  )

/** Why an effect failed, as the cause of its `RedisError`. */
const failure = <A>(effect: Effect.Effect<A, Redis.RedisError, Scope.Scope>) =>
  Effect.map(Effect.flip(effect), (error) => {
    assert.strictEqual(error.message, (error.cause as Error).message)
    return error.cause as NodeRedis.RedisNotSent | NodeRedis.RedisOutcomeUnknown
  })

const millis = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.suspend(() => {
    const begin = process.hrtime.bigint()
    return Effect.map(effect, (value) => [Number(process.hrtime.bigint() - begin) / 1e6, value] as const)
  })

const until = <A, E, R>(look: Effect.Effect<A, E, R>, isExpected: (seen: A) => boolean) =>
  Effect.repeat(look, {
    until: isExpected,
    schedule: Schedule.max([Schedule.spaced("5 millis"), Schedule.recurs(1000)])
  })
    .pipe(Effect.andThen(look), Effect.tap((seen) => Effect.sync(() => assert.isTrue(isExpected(seen)))))

const connected = ({ stats }: Client) => until(stats, ({ isConnected }) => isConnected)

/** This process's open sockets to a port. */
const sockets = (port: number) =>
  Effect.map(NodeProbes.sockets(), (all) => all.filter(({ remotePort }) => remotePort === port).length)

const clientsOf = (address: Server.Address) =>
  Effect.map(
    Effect.promise(() => Server.command(address, "CLIENT", "LIST")),
    (list: string) => list.trim().split("\n").filter((line) => / name=\S/.test(line)).length
  )

const setAll = Redis.script((key: string, ...values: ReadonlyArray<string>) => [key, ...values], {
  numberOfKeys: 1,
  lua: "redis.call('RPUSH', KEYS[1], unpack(ARGV)) return redis.call('LRANGE', KEYS[1], 0, -1)"
}).withReturnType<ReadonlyArray<string>>()

describe.skipIf(!Server.isAvailable)("NodeRedis", () => {
  it.live("runs commands, scripts and subscriptions as Effect's service does", () =>
    Effect.gen(function*() {
      const address = yield* Server.available
      const key = yield* Server.keyPrefix(address)
      const { redis, stats } = yield* client(address)
      assert.strictEqual(yield* redis.send("SET", `${key}a`, "ä"), "OK")
      assert.strictEqual(yield* redis.send("GET", `${key}a`), "ä")
      assert.strictEqual(yield* redis.send("get", `${key}none`), null)
      assert.deepStrictEqual(yield* redis.eval(setAll)(`${key}list`, "x", "y"), ["x", "y"])

      const messages = yield* redis.subscribe(`${key}channel`)
      yield* redis.send("PUBLISH", `${key}channel`, "hello")
      assert.deepStrictEqual(yield* Queue.take(messages), { channel: `${key}channel`, message: "hello" })

      const wrong = yield* Effect.flip(redis.send("LPUSH", `${key}a`, "1"))
      assert.instanceOf(wrong, Redis.RedisError)
      assert.include(wrong.message, "WRONGTYPE")
      assert.deepInclude(yield* stats, { isConnected: true, inFlight: 0, waiting: 0, timeouts: 0, lost: 0 })
    }))

  it.live("keeps bytes as they are, in arguments, answers and scripts", () =>
    Effect.gen(function*() {
      const address = yield* Server.available
      const key = yield* Server.keyPrefix(address)
      const { bytes, redis } = yield* client(address)
      const all = Uint8Array.from({ length: 256 }, (_, n) => n)
      const view = new Uint8Array(all.buffer, 100, 100)
      assert.strictEqual(yield* bytes.send("SET", `${key}a`, all), "OK")
      assert.deepStrictEqual(yield* bytes.send("GET", `${key}a`), all)
      yield* bytes.send("HSET", `${key}map`, view, all)
      assert.deepStrictEqual(yield* bytes.send("HGETALL", `${key}map`), [new Uint8Array(view), all])
      const echo = Redis.script((value: Uint8Array) => [value], { numberOfKeys: 0, lua: "return {ARGV[1]}" })
      assert.deepStrictEqual<unknown>(yield* bytes.eval(echo)(all), [all])
      yield* redis.send("SET", `${key}text`, "ä")
      assert.deepStrictEqual(yield* bytes.send("GET", `${key}text`), new Uint8Array(Buffer.from("ä")))
      const wrong = yield* failure(bytes.send("SET", `${key}a`, 7 as unknown as string))
      assert.deepInclude(wrong, { _tag: "RedisNotSent", isTransient: false })
    }))

  it.live("lets no command change or block the connection that everybody shares", () =>
    Effect.gen(function*() {
      const { redis } = yield* client(yield* Server.available)
      const commands = [
        ["MULTI"],
        ["subscribe", "a"],
        ["SELECT", "1"],
        ["BLPOP", "a", "0"],
        ["CLIENT", "reply", "OFF"],
        [
          "XREAD",
          "block",
          "0",
          "STREAMS",
          "a",
          "0"
        ]
      ] as const
      yield* Effect.forEach(commands, ([command, ...args]) =>
        Effect.gen(function*() {
          const cause = yield* failure(redis.send(command, ...args))
          assert.deepInclude(cause, { _tag: "RedisNotSent", isTransient: false })
          assert.include(cause.message, "`reserve`")
        }))
    }))

  it.live("reserves connections, and lends them again only as they were", () =>
    Effect.gen(function*() {
      const address = yield* Server.available
      const key = yield* Server.keyPrefix(address)
      const { redis } = yield* client(address, { name: "reserver", reserve: { max: 1, acquireTimeout: "300 millis" } })
      const id = Effect.scoped(Effect.flatMap(redis.reserve, ({ send }) => send<number>("CLIENT", "ID")))
      const first = yield* id
      assert.strictEqual(yield* id, first)
      yield* Effect.scoped(Effect.gen(function*() {
        const { eval: evaluate, send } = yield* redis.reserve
        yield* send("MULTI")
        yield* send("SET", `${key}a`, "1")
        assert.deepStrictEqual(yield* send("EXEC"), ["OK"])
        assert.deepStrictEqual(yield* evaluate(setAll)(`${key}list`, "x"), ["x"])
        const late = yield* failure(Effect.scoped(redis.reserve))
        assert.include(late.message, "The pool reserver-reserved had no item within 300ms")
        assert.strictEqual((yield* Effect.flip(send("LPUSH", `${key}a`, "1"))).message.split(" ")[0], "WRONGTYPE")
      }))
      assert.strictEqual(yield* id, first, "a refused command leaves nothing behind")

      const uses: ReadonlyArray<(connection: Redis.Connection) => Effect.Effect<unknown, Redis.RedisError>> = [
        ({ send }) => send("WATCH", `${key}a`),
        ({ send }) => send("SELECT", "1"),
        ({ send }) => Effect.timeoutOption(send("BLPOP", `${key}none`, "0"), "20 millis"),
        ({ send }) => Effect.forkDetach(Effect.exit(send("BLPOP", `${key}none`, "0")), { startImmediately: true })
      ]
      let before = first
      for (const use of uses) {
        yield* Effect.scoped(Effect.flatMap(redis.reserve, use))
        const after = yield* id
        assert.notStrictEqual(after, before)
        before = after
      }
    }))

  it.live("is a session for each connection, and closes them", () =>
    Effect.gen(function*() {
      const address = yield* Server.available
      yield* Effect.scoped(Effect.gen(function*() {
        const { redis } = yield* client(address, { name: "sessions" })
        yield* redis.send("PING")
        yield* redis.subscribe("a")
        yield* redis.reserve
        assert.deepStrictEqual(yield* SessionRegistry.counts, { connection: 2, resource: 1, borrow: 1 })
        const [session] = yield* SessionRegistry.list({ kind: "connection" })
        assert.strictEqual(session?.name, "sessions")
      }))
      assert.deepStrictEqual(yield* SessionRegistry.counts, {})
    }).pipe(Effect.provide(SessionRegistry.layer())))

  it.live("can be configured", () =>
    Effect.gen(function*() {
      const { host, port } = yield* Server.available
      const layer = NodeRedis.layerConfig({ url: Config.Redacted("REDIS_URL"), name: Config.succeed("configured") })
      const provider = ConfigProvider.layer(ConfigProvider.fromUnknown({ REDIS_URL: `redis://${host}:${port}/3` }))
      const info = yield* Effect.provide(
        Redis.Redis.use((redis) => redis.send<string>("CLIENT", "INFO")),
        Layer.provide(layer, provider)
      )
      assert.match(info, / name=configured .* db=3 /)
    }))

  it.effect.each<[string, any]>([
    ["url", { url: Redacted.make("http://secret@host") }],
    ["url", { url: Redacted.make("redis://secret%@host") }],
    ["url", { url: Redacted.make("redis://host/secret") }],
    ["url", { url: "redis://secret@host" }],
    ["password", { password: "secret" }],
    ["host", { host: "" }],
    ["port", { port: 0 }],
    ["database", { database: -1 }],
    ["name", { name: "a b" }],
    ["tls", { tls: { cert: "secret" } }],
    ["commandTimeout", { commandTimeout: 0 }],
    ["commandTimeout", { commandTimeout: "Infinity" }],
    ["connectTimeout", { connectTimeout: "soon" }],
    ["keepAlive", { keepAlive: 0 }],
    ["backoff.max", { backoff: { max: 0 } }],
    ["backoff", { backoff: { first: 1 } }],
    ["maxInFlight", { maxInFlight: 0 }],
    ["maxWaiting", { maxWaiting: -1 }],
    ["maxBuffered", { maxBuffered: 0 }],
    ["reserve", { reserve: { most: 1 } }],
    ["options", { adress: "a" }]
  ])("a wrong `%s` is an error that names it: %o", ([name, options]) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Effect.scoped(client({ host: "localhost", port: 1 }, options)))
      assert.include(error.message, `The option \`${name}\``)
      assert.notInclude(inspect(error, { depth: 9, showHidden: true }), "secret")
    }))
})

describe.skipIf(!Server.isInstalled)("NodeRedis, when Redis", () => {
  it.live("is away at the start: commands wait, end in time, and work once it is there", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      yield* server.stop
      const [built, { redis, stats }] = yield* millis(client(server, { commandTimeout: "300 millis", maxWaiting: 2 }))
      assert.isBelow(built, 200)
      const [took, cause] = yield* millis(failure(redis.send("INCR", "a")))
      assert.isAtLeast(took, 290)
      assert.isBelow(took, 1000)
      assert.deepInclude(cause, { _tag: "RedisNotSent", command: "INCR", isTransient: true })
      assert.include(cause.message, "no connection to 127.0.0.1")
      assert.include(inspect(cause.cause), "Check the options `host` and `port`")
      const waiting = yield* Effect.forkChild(
        Effect.all(Array.from({ length: 2 }, () => Effect.exit(redis.send("PING"))), { concurrency: 2 }),
        { startImmediately: true }
      )
      const full = yield* failure(redis.send("PING"))
      assert.include(full.message, "2 commands wait already")
      yield* Fiber.join(waiting)
      const later = yield* Effect.forkChild(
        Effect.retry(redis.send<number>("INCR", "a"), { times: 20 }),
        { startImmediately: true }
      )
      yield* server.restart
      assert.strictEqual(yield* Fiber.join(later), 1)
      assert.deepInclude(yield* stats, { isConnected: true, waiting: 0, inFlight: 0 })
    }))

  it.live("is suspended: each command ends in time, nothing stays open, and it is found again", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const scope = yield* Scope.make()
      const options = { commandTimeout: "300 millis", connectTimeout: "400 millis", name: "suspended" } as const
      const { redis, stats } = yield* Scope.provide(client(server, options), scope)
      yield* redis.send("SET", "a", "0")
      const reserved = yield* Scope.provide(redis.reserve, scope)
      yield* Scope.provide(redis.subscribe("channel"), scope)
      assert.strictEqual(yield* sockets(server.port), 3)
      yield* server.freeze

      const ends = yield* Effect.forEach(
        Array.from({ length: 200 }),
        (_, n) => Effect.andThen(Effect.sleep(n * 4), millis(failure(redis.send("INCR", "a")))),
        { concurrency: "unbounded" }
      )
      for (const [took, cause] of ends) {
        assert.isBelow(took, 900)
        assert.include(["RedisNotSent", "RedisOutcomeUnknown"], cause._tag)
      }
      const outcomes = Object.groupBy(ends, ([, { _tag }]) => _tag)
      assert.isAbove(outcomes.RedisOutcomeUnknown?.length ?? 0, 0)
      assert.isAbove(outcomes.RedisNotSent?.length ?? 0, 0)
      assert.include((yield* failure(reserved.send("GET", "a"))).message, "did not answer within 300ms")
      assert.isAbove((yield* stats).timeouts, 0)

      const blocked = yield* Effect.forkChild(Effect.exit(reserved.send("BLPOP", "none", "0")), {
        startImmediately: true
      })
      const [took] = yield* millis(Scope.close(scope, Exit.void))
      assert.isBelow(took, 1500)
      assert.isTrue(Exit.isFailure(yield* Fiber.join(blocked)))
      yield* until(sockets(server.port), (count) => count === 0)
      const late = yield* failure(redis.send("GET", "a"))
      assert.include(late.message, "Make calls while the layer is open")

      yield* server.thaw
      const again = yield* client(server, options)
      // Only what was sent may have run.
      const seen = Number(yield* again.redis.send<string>("GET", "a"))
      assert.isAtMost(seen, outcomes.RedisOutcomeUnknown?.length ?? 0)
    }))

  it.live("is suspended for a moment: the client finds back without being told", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const one = yield* client(server, { commandTimeout: "700 millis", connectTimeout: "500 millis" })
      yield* one.redis.send("PING")
      yield* server.freeze
      assert.strictEqual((yield* failure(one.redis.send("PING")))._tag, "RedisOutcomeUnknown")
      yield* server.thaw
      yield* connected(one)
      assert.strictEqual(yield* one.redis.send("PING"), "PONG")
      assert.deepInclude(yield* one.stats, { lost: 1, opened: 2 })
    }))

  it.live("is killed and starts empty: commands under way fail, scripts and subscriptions come back", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const { redis, stats } = yield* client(server, { commandTimeout: "3 seconds" })
      assert.deepStrictEqual(yield* redis.eval(setAll)("list", "x"), ["x"])
      const messages = yield* redis.subscribe("channel")
      const reserved = yield* redis.reserve

      yield* server.freeze
      const pending = yield* Effect.forkChild(failure(redis.send("INCR", "a")), { startImmediately: true })
      const blocked = yield* Effect.forkChild(failure(reserved.send("BLPOP", "none", "0")), { startImmediately: true })
      yield* Effect.sleep("50 millis")
      yield* server.kill
      const cause = yield* Fiber.join(pending)
      assert.deepInclude(cause, { _tag: "RedisOutcomeUnknown", command: "INCR" })
      assert.include(cause.message, "was lost")
      assert.strictEqual((yield* Fiber.join(blocked))._tag, "RedisOutcomeUnknown")
      const waiting = yield* Effect.forkChild(redis.eval(setAll)("list", "y"), { startImmediately: true })
      yield* server.restartEmpty
      assert.deepStrictEqual(yield* Fiber.join(waiting), ["y"], "it was sent once, to the new server")
      assert.strictEqual((yield* failure(reserved.send("PING")))._tag, "RedisNotSent")

      yield* until(redis.send<number>("PUBLISH", "channel", "again"), (receivers) => receivers === 1)
      assert.deepInclude(yield* Queue.take(messages), { message: "again" })
      assert.isAtLeast((yield* stats).lost, 2)
    }))

  it.live("has more to do than it can: at most so many commands are under way, and the others wait in order", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const one = yield* client(server, { maxInFlight: 8, commandTimeout: "5 seconds" })
      yield* connected(one)
      let most = 0
      const watch = yield* Effect.forkChild(Effect.forever(Effect.tap(
        Effect.yieldNow,
        () => Effect.map(one.stats, ({ inFlight }) => void (most = Math.max(most, inFlight)))
      )))
      const numbers = Array.from({ length: 2000 }, (_, n) => `${n}`)
      yield* Effect.forEach(numbers, (n) => one.redis.send("RPUSH", "list", n), {
        concurrency: "unbounded",
        discard: true
      })
      yield* Fiber.interrupt(watch)
      assert.isAtMost(most, 8)
      assert.deepStrictEqual(yield* one.redis.send("LRANGE", "list", "0", "-1"), numbers)
      yield* server.freeze
      const left = yield* Effect.forEach(
        numbers,
        () => Effect.forkChild(one.redis.send("INCR", "left"), { startImmediately: true })
      )
      yield* Effect.forEach(left, Fiber.interrupt, { discard: true })
      yield* server.thaw
      assert.strictEqual(yield* one.redis.send("PING"), "PONG")
      assert.isAtMost(Number(yield* one.redis.send("GET", "left")), 8)
    }))

  it.live("has a reader of a channel that is too slow: it fails instead of growing", () =>
    Effect.gen(function*() {
      const { redis } = yield* client(yield* Server.start(), { maxBuffered: 10 })
      const messages = yield* redis.subscribe("channel")
      yield* Effect.forEach(Array.from({ length: 30 }), (_, n) => redis.send("PUBLISH", "channel", `${n}`))
      const error = yield* Effect.flip(Effect.forever(Queue.take(messages)))
      assert.include(error.message, "`maxBuffered`")
    }))

  it.live("wants a password, and speaks TLS", () =>
    Effect.gen(function*() {
      const certificate = selfSigned("localhost")
      const server = yield* Server.start({ certificate, settings: { requirepass: "s3cret" } })
      const { redis } = yield* client(server, { host: "localhost" })
      assert.strictEqual(yield* redis.send("PING"), "PONG")
      const failed = (options: NodeRedis.Options) =>
        Effect.scoped(Effect.flatMap(
          client(server, { commandTimeout: "500 millis", host: "localhost", ...options }),
          ({ redis }) => failure(redis.send("PING"))
        ))
      const wrong = inspect(yield* failed({ password: Redacted.make("wr0ng") }), { depth: 9, showHidden: true })
      assert.include(wrong, "Check the options `user` and `password`")
      assert.notInclude(wrong, "wr0ng")
      assert.include(inspect(yield* failed({ password: undefined })), "Give the option `password`")
      assert.include(inspect(yield* failed({ tls: true })), "certificate")
      const lent = Credential.config("PASSWORD")
      const fromConfig = yield* client(server, { password: lent, host: "localhost" }).pipe(
        Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ PASSWORD: "s3cret" })))
      )
      assert.strictEqual(yield* fromConfig.redis.send("PING"), "PONG")
    }))

  it.live("may remove keys by itself: the client warns once", () =>
    Effect.gen(function*() {
      const server = yield* Server.start({ settings: { "maxmemory-policy": "volatile-lru" } })
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push(String(message)))
      yield* Effect.gen(function*() {
        const one = yield* client(server)
        yield* one.redis.send("PING")
        yield* until(Effect.sync(() => lines.length), (count) => count > 0)
        yield* server.kill
        yield* server.restart
        yield* until(one.stats, ({ opened }) => opened === 2)
        yield* one.redis.send("PING")
      }).pipe(Effect.provide(Logger.layer([logger])))
      const warnings = lines.filter((line) => line.includes("maxmemory-policy volatile-lru"))
      assert.lengthOf(warnings, 1)
    }))

  it.live("is asked by many who leave: no socket is left", () =>
    Effect.gen(function*() {
      const server = yield* Server.start()
      const before = yield* NodeProbes.descriptors()
      yield* Effect.forEach(
        Array.from({ length: 40 }),
        (_, n) =>
          Effect.scoped(Effect.gen(function*() {
            const { redis } = yield* client(server, { name: "many" })
            const work = Effect.scoped(Effect.andThen(redis.reserve, redis.send("PING")))
            const fiber = yield* Effect.forkChild(Effect.exit(work), { startImmediately: true })
            if (n % 2 === 0) yield* Fiber.join(fiber)
            else for (let turn = 0; turn < n * 3; turn++) yield* Effect.yieldNow
          })),
        { concurrency: 4 }
      )
      yield* until(sockets(server.port), (count) => count === 0)
      yield* until(clientsOf(server), (count) => count === 0)
      yield* until(NodeProbes.descriptors(), (now) => now <= before)
    }))
})
