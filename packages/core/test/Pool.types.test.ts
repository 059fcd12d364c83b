import { KeyedPool, Pool } from "@clawback/core"
import { Context, Effect, type Layer, type Scope } from "effect"
import { describe, expectTypeOf, it } from "vitest"

class Url extends Context.Service<Url, string>()("@clawback/core/test/Pool.types.test/Url") {}
class Log extends Context.Service<Log, string>()("@clawback/core/test/Pool.types.test/Log") {}

interface Connection {
  readonly id: number
}

const connect: Effect.Effect<Connection, "refused", Url | Scope.Scope> = Effect.fail("refused")

class Db extends Pool.Service<Db>()("app/Db", { acquire: connect, max: 20 }) {}

class Tenants extends KeyedPool.Service<Tenants>()("app/Tenants", {
  acquire: (tenant: "a" | "b") => Effect.andThen(Effect.sync(() => tenant), connect),
  reset: () => Effect.asVoid(Log),
  max: 2
}) {}

describe("The types of pools", () => {
  it("a service needs what its items need, and fails with the errors of connecting and of the pool", () => {
    expectTypeOf(Db.layer).toEqualTypeOf<Layer.Layer<Db, never, Url>>()
    expectTypeOf(Db.get).toEqualTypeOf<Effect.Effect<Connection, "refused" | Pool.PoolError, Db | Scope.Scope>>()
    const used = Db.use((connection) => Effect.as(Log, connection.id))
    expectTypeOf(used).toEqualTypeOf<Effect.Effect<number, "refused" | Pool.PoolError, Db | Log>>()
    expectTypeOf(Db.invalidate).parameter(0).toEqualTypeOf<Connection>()
  })

  it("a keyed service takes its keys, and needs what its resets need", () => {
    expectTypeOf(Tenants.layer).toEqualTypeOf<Layer.Layer<Tenants, never, Url | Log>>()
    expectTypeOf(Tenants.use).parameter(0).toEqualTypeOf<"a" | "b">()
    expectTypeOf(Tenants.get("a")).toEqualTypeOf<
      Effect.Effect<Connection, "refused" | Pool.PoolError, Tenants | Scope.Scope>
    >()
  })

  it("the functions take the pool first or last", () => {
    const pool = Pool.make({ acquire: connect, max: 1, validate: () => Log })
    expectTypeOf(pool).toEqualTypeOf<
      Effect.Effect<Pool.Pool<Connection, "refused">, never, Url | Log | Scope.Scope>
    >()
    const used = Effect.flatMap(pool, Pool.use(({ id }: Connection) => Effect.succeed(id)))
    expectTypeOf(used).toEqualTypeOf<
      Effect.Effect<number, "refused" | Pool.PoolError, Url | Log | Scope.Scope>
    >()
    const wrong = [
      // @ts-expect-error: an item of another type
      Effect.flatMap(pool, Pool.invalidate("item")),
      // @ts-expect-error: `max` is required
      Pool.make({ acquire: connect })
    ]
    expectTypeOf(wrong).toBeArray()
  })
})
