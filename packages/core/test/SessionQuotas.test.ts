import { Caller, Session, SessionRegistry } from "@clawback/core"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { expectTypeOf } from "vitest"

const open = (kind: string) => Session.acquire({ kind, name: "one" }, Effect.void, () => Effect.void)
const registry = (options: SessionRegistry.Options) => Effect.provide(SessionRegistry.layer(options))
const acme = Caller.provide({ tenant: "acme" })

describe("a quota by kind", () => {
  it("has a limit for each kind, or one for all", () => {
    expectTypeOf<(tenant: string) => { call: number; tool?: number }>().toExtend<SessionRegistry.Options["quota"]>()
    expectTypeOf<(tenant: string) => number>().toExtend<SessionRegistry.Options["quota"]>()
  })

  it.effect("limits each kind apart, and no other kind", () =>
    Effect.gen(function*() {
      yield* open("call")
      yield* open("call")
      const refused = yield* Effect.flip(open("call"))
      assert.deepInclude(refused, { _tag: "QuotaExceeded", tenant: "acme", kind: "call", limit: 2, isOfKind: true })
      assert.include(refused.message, "2 sessions of the kind call")
      assert.deepInclude(yield* Effect.flip(open("tool")), { kind: "tool", limit: 0 })
      yield* Effect.forEach([1, 2, 3], () => open("toString"))
      yield* open("call").pipe(Caller.provide({ tenant: "other" }))
    }).pipe(acme, Effect.scoped, registry({ quota: () => ({ call: 2, tool: 0 }) })))

  it.effect("admits the next of a kind when one has ended", () =>
    Effect.gen(function*() {
      yield* Effect.scoped(open("call"))
      yield* open("call")
      assert.deepInclude(yield* Effect.flip(open("call")), { limit: 1 })
    }).pipe(acme, Effect.scoped, registry({ quota: () => ({ call: 1, other: Infinity }) })))

  it.effect.each<[string, unknown, string]>([
    ["a promise", Promise.resolve(5), "`quota`"],
    ["an effect", Effect.succeed(5), "`quota`"],
    ["the plural of a kind", { calls: 2 }, "`calls` is none"]
  ])("limits nothing as %s, and says so", ([, given, named]) =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(open("call"))
      assert.include(String(exit), named)
    }).pipe(acme, Effect.scoped, registry({ quota: () => given as number })))

  it.effect("must have whole numbers", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(open("call"))
      assert.include(String(exit), "`quota.call`")
    }).pipe(acme, Effect.scoped, registry({ quota: () => ({ call: 1.5 }) })))
})
