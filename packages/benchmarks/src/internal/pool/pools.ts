/** The pools that are compared. Each has ten items that are open already, and is otherwise as its maker set it up. */
import * as Pool from "@clawback/core/Pool"
import { Effect, Exit, Pool as EffectPool, Scope } from "effect"
import * as Peers from "../peers.ts"

/**
 * Borrows and returns items, `uses` times in all.
 *
 * One user returns each item at once. Of several users, each keeps its item for one turn of its scheduler, so that the others
 * have to wait.
 */
export type Work = (users: number, uses: number) => Promise<unknown>

export const size = 10

const resource = { descriptor: 7 }
const nothing = () => Effect.void

type Use = (f: (item: typeof resource) => Effect.Effect<void>) => Effect.Effect<void, unknown>

/** The work of a pool that is used by fibers. */
const ofFibers = (use: Use): Work => {
  const atOnce = () => use(nothing)
  const afterTurn = () => use(() => Effect.yieldNow)
  return (users, uses) => {
    let left = uses
    const body = users === 1 ? atOnce : afterTurn
    const user = Effect.whileLoop({ while: () => left-- > 0, body, step: () => {} })
    return Effect.runPromise(
      Effect.forEach(Array.from({ length: users }), () => user, { concurrency: "unbounded", discard: true })
    )
  }
}

/** The work of a pool that is used by promises. */
const ofPromises =
  <Item>(acquire: () => Promise<Item>, release: (item: Item) => unknown): Work => async (users, uses) => {
    let left = uses
    const alone = async () => {
      while (left-- > 0) release(await acquire())
    }
    const crowded = async () => {
      while (left-- > 0) {
        const item = await acquire()
        await undefined
        release(item)
      }
    }
    await Promise.all(Array.from({ length: users }, users === 1 ? alone : crowded))
  }

/** What the peers have in common: items are taken by a promise, and are given back. */
interface PromisePool<Item> {
  readonly acquire: () => Promise<Item>
  readonly release: (item: Item) => unknown
}

const makers: Readonly<Record<string, () => Promise<Work>>> = {
  ours: async () => {
    const scope = Scope.makeUnsafe()
    const pool = await Effect.runPromise(
      Scope.provide(Pool.make({ acquire: Effect.succeed(resource), min: size, max: size, validate: nothing }), scope)
    )
    return ofFibers((f) => Pool.use(pool, f))
  },
  effect: async () => {
    const scope = Scope.makeUnsafe()
    const pool = await Effect.runPromise(
      Scope.provide(EffectPool.make({ acquire: Effect.succeed(resource), size }), scope)
    )
    return ofFibers((f) => EffectPool.use(pool, f))
  },
  /** The least that lets fibers wait for items: what is beyond this is a pool's own cost. */
  bare: async () => {
    const idle = Array.from({ length: size }, () => resource)
    const waiters = new Set<(exit: Exit.Exit<typeof resource>) => void>()
    const borrow = Effect.suspend(() => {
      const item = idle.pop()
      return item === undefined
        ? Effect.callback<typeof resource>((resume) => void waiters.add(resume))
        : Effect.succeed(item)
    })
    const giveBack = (item: typeof resource) =>
      Effect.sync(() => {
        const [next] = waiters
        if (next === undefined) return void idle.push(item)
        waiters.delete(next)
        next(Exit.succeed(item))
      })
    return ofFibers((f) => Effect.acquireUseRelease(borrow, f, giveBack))
  },
  "generic-pool": async () => {
    const { createPool } = await Peers.load<{
      readonly createPool: (factory: object, options: object) => PromisePool<object> & { ready(): Promise<void> }
    }>("generic-pool")
    const pool = createPool({ create: async () => ({ ...resource }), destroy: async () => {} }, {
      min: size,
      max: size
    })
    await pool.ready()
    return ofPromises(() => pool.acquire(), (item) => pool.release(item))
  },
  tarn: async () => {
    interface Tarn {
      readonly acquire: () => { readonly promise: Promise<object> }
      readonly release: (item: object) => unknown
    }
    const { Pool } = await Peers.load<{ readonly Pool: new(options: object) => Tarn }>("tarn")
    const pool = new Pool({ create: async () => ({ ...resource }), destroy: () => {}, min: size, max: size })
    return ofPromises(() => pool.acquire().promise, (item) => pool.release(item))
  },
  "lightning-pool": async () => {
    const { createPool } = await Peers.load<{
      readonly createPool: (factory: object, options: object) => PromisePool<object> & { start(): void }
    }>("lightning-pool")
    const pool = createPool({ create: async () => ({ ...resource }), destroy: async () => {} }, {
      min: size,
      max: size
    })
    pool.start()
    return ofPromises(() => pool.acquire(), (item) => pool.release(item))
  }
}

/** Makes a pool, by its library's name. */
export const make = async (name: string): Promise<Work> => {
  const work = await makers[name]?.()
  if (work === undefined) throw new Error(`There is no pool ${name}. Known: ${Object.keys(makers).join(", ")}`)
  return work
}
