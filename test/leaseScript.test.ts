/** The scripts of leases in Redis do what the machine does, for any steps by the server's clock. */
import * as NodeRedis from "@clawback/node/NodeRedis"
import { assert, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Redis } from "effect/persistence"
import * as FastCheck from "fast-check"
import * as Machine from "../packages/core/src/internal/lease/machine.ts"
import * as Scripts from "../packages/core/src/internal/lease/redisScripts.ts"
import * as RedisServer from "./support/redis.ts"

/** Several of them expire within a run, and one does not. */
const ttl = FastCheck.constantFrom(5, 20, 60_000)
const id = FastCheck.constantFrom("a", "b", "c", "a b")
const step = FastCheck.oneof(
  { weight: 4, arbitrary: FastCheck.record({ _tag: FastCheck.constant("acquire" as const), id, ttl }) },
  {
    weight: 3,
    arbitrary: FastCheck.record({
      _tag: FastCheck.constant("renew" as const),
      id,
      ttl,
      isOwn: FastCheck.constantFrom(true, true, false)
    })
  },
  {
    weight: 2,
    arbitrary: FastCheck.record({
      _tag: FastCheck.constant("release" as const),
      id,
      by: FastCheck.constantFrom("token", "token", "id", "wrong token")
    })
  },
  {
    weight: 1,
    arbitrary: FastCheck.record({
      _tag: FastCheck.constant("pause" as const),
      millis: FastCheck.integer({ min: 1, max: 12 })
    })
  }
)
const run = FastCheck.record({
  limit: FastCheck.integer({ min: 1, max: 3 }),
  steps: FastCheck.array(step, { maxLength: 25 })
})

const moment = (micros: number, up = -1): Machine.Now => ({
  millis: Math.floor(micros / 1000),
  micros,
  up: up < 0 ? Infinity : up
})

it.live.skipIf(!RedisServer.isAvailable)("the scripts answer as the machine does", () =>
  Effect.gen(function*() {
    const address = yield* RedisServer.available
    const prefix = yield* RedisServer.keyPrefix(address)
    const context = yield* Layer.build(NodeRedis.layer({ host: address.host, port: address.port }))
    let keys = 0

    const compare = Effect.fnUntraced(
      function*({ limit, steps }: typeof run extends FastCheck.Arbitrary<infer A> ? A : never) {
        const redis = yield* Redis.Redis
        const key = `${prefix}${++keys}`
        let state = Machine.empty
        const tokens = new Map<string, number>()
        for (const one of steps) {
          if (one._tag === "pause") {
            yield* Effect.sleep(one.millis)
            continue
          }
          if (one._tag === "acquire") {
            const holder = `h ${one.id}`
            const [token, retryIn, micros, up] = yield* redis.eval(Scripts.acquire)(key, one.id, limit, one.ttl, holder)
            const [after, answer] = Machine.acquire(
              state,
              { key, id: one.id, limit, ttl: one.ttl, holder },
              moment(micros, up)
            )
            state = after
            assert.deepStrictEqual(token < 0 ? { _tag: "Busy", retryIn } : { _tag: "Granted", token }, answer)
            if (token > 0) tokens.set(one.id, token)
          } else if (one._tag === "renew") {
            const token = (tokens.get(one.id) ?? 1) - (one.isOwn ? 0 : 1)
            const [isRenewed, micros] = yield* redis.eval(Scripts.renew)(key, one.id, token, one.ttl)
            const [after, expected] = Machine.renew(state, { id: one.id, token, ttl: one.ttl }, moment(micros))
            state = after
            assert.strictEqual(isRenewed === 1, expected)
          } else {
            const known = tokens.get(one.id) ?? 1
            const token = one.by === "id" ? undefined : one.by === "token" ? known : known + 1
            const [, micros] = yield* redis.eval(Scripts.release)(key, one.id, token)
            state = Machine.release(state, { id: one.id, token }, moment(micros))
          }
        }
        // Those that live long: the others expire while this is asked.
        const long = state.held.filter((held) => held.ttl > 1000).map(({ holder, id, token }) =>
          `${id} ${token} ${holder}`
        )
        const found = yield* redis.eval(Scripts.holders)(key)
        const listed = Array.from({ length: found.length / 4 }, (_, i) => found.slice(4 * i, 4 * i + 4))
        assert.sameMembers(
          listed.filter(([, , left]) => Number(left) > 1000).map(([id, token, , holder]) => `${id} ${token} ${holder}`),
          long
        )
        const left = yield* redis.send<number>("PTTL", key)
        assert.isTrue(left === -2 || (left > 0 && left <= 120_000), `it is kept for ${left} ms`)
      }
    )

    yield* Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(run, (run) => Effect.runPromise(Effect.provideContext(compare(run), context))),
        { numRuns: 300, seed: 1 }
      )
    )
  }), 60_000)
