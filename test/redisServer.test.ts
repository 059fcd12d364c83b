/** The servers that tests of Redis use. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { existsSync } from "node:fs"
import * as Redis from "./support/redis.ts"

const codeOf = (address: Redis.Address) =>
  Effect.promise(() => Redis.command(address, "PING").then(() => "", (error) => error.code))

it.live.skipIf(!Redis.isAvailable)("keys of one's own are there, and then gone", () =>
  Effect.gen(function*() {
    const address = yield* Redis.available
    const ask = (...[name, ...args]: readonly [string, ...ReadonlyArray<string>]) =>
      Effect.promise(() => Redis.command(address, name, ...args))
    const prefix = yield* Effect.scoped(Effect.gen(function*() {
      const prefix = yield* Redis.keyPrefix(address)
      yield* ask("SET", `${prefix}a`, "1")
      assert.strictEqual(yield* ask("GET", `${prefix}a`), "1")
      return prefix
    }))
    assert.strictEqual(yield* ask("GET", `${prefix}a`), null)
  }))

it.live.skipIf(!Redis.isInstalled)(
  "a server of one's own has its settings, freezes, stops with its keys, is killed and starts empty",
  () =>
    Effect.gen(function*() {
      const server = yield* Effect.scoped(Effect.gen(function*() {
        const server = yield* Redis.start({ settings: { requirepass: "secret", maxclients: 77 } })
        const ask = (...[name, ...args]: readonly [string, ...ReadonlyArray<string>]) =>
          Effect.promise(() => Redis.command(server, name, ...args))
        assert.deepStrictEqual({ ...(yield* ask("CONFIG", "GET", "maxclients")) }, { maxclients: "77" })

        yield* server.freeze
        assert.strictEqual((yield* Effect.timeoutOption(ask("PING"), "200 millis"))._tag, "None")
        yield* server.thaw
        assert.strictEqual(yield* ask("SET", "a", "1"), "OK")

        const before = server.pid()
        yield* server.stop
        assert.strictEqual(yield* codeOf(server), "ECONNREFUSED")
        yield* server.restart
        assert.notStrictEqual(server.pid(), before)
        assert.strictEqual(yield* ask("GET", "a"), "1")

        yield* ask("SET", "b", "1")
        yield* server.freeze
        yield* server.kill
        assert.strictEqual(yield* codeOf(server), "ECONNREFUSED")
        yield* server.restart
        assert.deepStrictEqual(yield* ask("MGET", "a", "b"), ["1", null])

        yield* server.restartEmpty
        assert.strictEqual(yield* ask("GET", "a"), null)
        return { ...server, pid: server.pid() }
      }))
      assert.strictEqual(yield* codeOf(server), "ECONNREFUSED")
      assert.isFalse(existsSync(`/proc/${server.pid}`))
    })
)
