import * as Caller from "@clawback/core/Caller"
import * as Session from "@clawback/core/Session"
import * as SessionMetrics from "@clawback/core/SessionMetrics"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Metric } from "effect"
import { TestClock } from "effect/testing"
import { isolated, seen } from "./Series.ts"

const open = (kind: string) => Session.acquire({ kind, name: "one" }, Effect.void, () => Effect.void)
const counted = SessionMetrics.layer.pipe(Layer.provideMerge(SessionRegistry.layer()))

const of = (kind: string, open: number, opened: number, age = 0) => ({
  [`clawback.session.open ${kind}`]: open,
  [`clawback.session.opened ${kind}`]: opened,
  [`clawback.session.closed ${kind}`]: opened - open,
  [`clawback.session.age ${kind}`]: age
})

describe("SessionMetrics", () => {
  it.effect("counts sessions by kind, from the first one on", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* seen, {})
      yield* Effect.scoped(open("call"))
      yield* open("call")
      yield* open("call")
      yield* open("stream")
      assert.deepStrictEqual(yield* seen, { ...of("call", 2, 3), ...of("stream", 1, 1) })
    }).pipe(Effect.provide(counted), isolated))

  it.effect("counts what was opened before anybody counted", () =>
    Effect.gen(function*() {
      yield* Effect.scoped(open("call"))
      yield* open("call")
      assert.deepStrictEqual(yield* Effect.provide(seen, SessionMetrics.layer), of("call", 1, 2))
    }).pipe(Effect.provide(SessionRegistry.layer()), isolated))

  it.effect("counts one that could not be acquired as opened and closed", () =>
    Effect.gen(function*() {
      yield* Effect.ignore(Session.acquire({ kind: "call", name: "one" }, Effect.fail("no"), () => Effect.void))
      assert.deepStrictEqual(yield* seen, of("call", 0, 1))
    }).pipe(Effect.provide(counted), isolated))

  it.effect("counts one that was revoked as closed", () =>
    Effect.gen(function*() {
      yield* open("call")
      yield* SessionRegistry.revoke({ kind: "call" }, { reason: "enough", deadline: 0 })
      assert.deepStrictEqual(yield* seen, of("call", 0, 1))
    }).pipe(Effect.provide(counted), isolated))

  it.effect("reports the age of the oldest open session", () =>
    Effect.gen(function*() {
      const first = yield* open("call")
      yield* TestClock.adjust("2 seconds")
      yield* open("call")
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(yield* seen, of("call", 2, 2, 5))
      yield* first.close
      assert.deepStrictEqual(yield* seen, of("call", 1, 2, 3))
    }).pipe(Effect.provide(counted), isolated))

  it.effect("leaves nothing behind when it ends", () =>
    Effect.gen(function*() {
      yield* Effect.provide(open("call"), SessionMetrics.layer)
      yield* open("stream")
      assert.deepStrictEqual(yield* seen, {})
    }).pipe(Effect.provide(SessionRegistry.layer()), isolated))

  it.effect("adds up two registries that are counted together", () =>
    Effect.gen(function*() {
      yield* open("call")
      yield* Effect.gen(function*() {
        yield* open("call")
        assert.deepStrictEqual(yield* seen, of("call", 2, 2))
      }).pipe(Effect.provide(Layer.fresh(counted)))
    }).pipe(Effect.provide(counted), isolated))

  it.effect("has the same few series for ten thousand tenants as for one", () =>
    Effect.gen(function*() {
      yield* Effect.forEach(Array.from({ length: 10_000 }, (_, tenant) => `tenant ${tenant}`), (tenant) =>
        open("call").pipe(
          Caller.provide({ tenant, subject: tenant, conversation: tenant, tags: { tenant } }),
          Effect.provideService(Metric.CurrentMetricAttributes, { tenant })
        ), { discard: true })
      assert.deepStrictEqual(yield* seen, of("call", 10_000, 10_000))
    }).pipe(Effect.provide(counted), isolated))

  it.effect("counts kinds apart up to a limit, and the rest together", () =>
    Effect.gen(function*() {
      yield* Effect.forEach(Array.from({ length: 200 }, (_, kind) => `kind ${kind}`), open, { discard: true })
      const all = yield* seen
      assert.strictEqual(Object.keys(all).length, 4 * 65)
      assert.strictEqual(all["clawback.session.open _OTHER"], 200 - 64)
    }).pipe(Effect.provide(counted), isolated))

  it.effect("shows so many kinds apart over all that is counted at a time, and none of what is not any more", () =>
    Effect.gen(function*() {
      const others = Array.from(
        { length: 10 },
        (_, layer) =>
          Effect.forEach(Array.from({ length: 20 }, (_, kind) => `kind ${layer} ${kind}`), open, { discard: true })
      )
      yield* Effect.scoped(Effect.gen(function*() {
        for (const other of others) yield* Effect.provide(other, yield* Layer.build(Layer.fresh(counted)))
        const all = yield* seen
        assert.strictEqual(Object.keys(all).length, 4 * 65)
        assert.strictEqual(all["clawback.session.opened _OTHER"], 200 - 64)
      }))
      assert.deepStrictEqual(yield* seen, {})
      yield* Effect.provide(
        Effect.andThen(
          open("call"),
          Effect.map(seen, (all) => {
            assert.deepStrictEqual(all, of("call", 1, 1))
          })
        ),
        Layer.fresh(counted)
      )
    }).pipe(isolated))
})
