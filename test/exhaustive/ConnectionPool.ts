/**
 * Three callers of a connection pool acquire connections, wait, give up waiting, return and drop connections. The servers
 * close connections, and the pool's owner closes the pool.
 *
 * The model has the shell around the machine: a woken caller owns a grant, and returns it if it is interrupted.
 */
import { ConnectionPool, type Grant, type Wake } from "../../packages/core/src/internal/transport/machine.ts"
import { type Machine, must, type Operation } from "../support/enumerate.ts"

const callers = [0, 1, 2] as const
const now = 1

interface Connection {
  readonly _tag: "Connection"
}

interface Waiter {
  readonly caller: number
  until: number
}

type Caller =
  | { readonly _tag: "Away" }
  | { readonly _tag: "Waiting"; readonly waiter: Waiter }
  | { readonly _tag: "Granted"; readonly waiter: Waiter | undefined; readonly grant: Grant<Connection> }
  | { readonly _tag: "Using"; readonly connection: Connection }

const away: Caller = { _tag: "Away" }

interface World {
  readonly pool: ConnectionPool<Connection, Waiter>
  readonly callers: Array<Caller>
  /** The one used last comes last. */
  idle: Array<Connection>
  /** Those that nobody may use any more, and that are not closed yet. */
  closing: Array<Connection>
  /** In the order in which they came. */
  waiting: Array<Waiter>
}

const make = (max: number, maxWaiting: number) => (): World => ({
  pool: new ConnectionPool(max, maxWaiting),
  callers: callers.map(() => away),
  idle: [],
  closing: [],
  waiting: []
})

const without = <A>(from: ReadonlyArray<A>, one: A): Array<A> => from.filter((other) => other !== one)

const count = ({ callers, closing, idle }: World): number =>
  idle.length + closing.length + callers.filter(({ _tag }) => _tag === "Using" || _tag === "Granted").length

const isLive = ({ until }: Waiter): boolean => until > now

/** What the shell does with whom it must wake. */
const wake = (world: World, wake: Wake<Connection, Waiter> | undefined, grant: Grant<Connection>) => {
  const first = world.waiting.find(isLive)
  must("who has waited longest, and still can use it, is served", wake?.waiter === first)
  if (wake === undefined || first === undefined) return false
  must("what came free is what is granted", JSON.stringify(wake.grant) === JSON.stringify(grant))
  const isSame = wake.grant._tag === "Open" || (grant._tag === "Reuse" && wake.grant.connection === grant.connection)
  must("what came free is what is granted", isSame)
  world.waiting = without(world.waiting, first)
  world.callers[first.caller] = { _tag: "Granted", waiter: first, grant: wake.grant }
  return true
}

const take = (caller: number) => (world: World) => {
  const grant = world.pool.take()
  if (grant?._tag === "Reuse") {
    must("the connection used last is reused first", grant.connection === world.idle.at(-1))
    world.idle.pop()
  }
  if (grant?._tag === "Open") {
    must("a connection is opened only where none is idle, and there is room", world.idle.length === 0)
    must("a connection is opened only where none is idle, and there is room", count(world) < world.pool.max)
  }
  if (grant !== undefined) {
    world.callers[caller] = { _tag: "Granted", waiter: undefined, grant }
    return
  }
  const waiter = { caller, until: now + 1 }
  const isFull = world.waiting.length === world.pool.maxWaiting
  must("no more wait than may", world.pool.enqueue(waiter) !== isFull)
  if (isFull) return
  world.waiting.push(waiter)
  world.callers[caller] = { _tag: "Waiting", waiter }
}

const giveBack = (world: World, connection: Connection) => {
  if (!wake(world, world.pool.give(connection, now), { _tag: "Reuse", connection })) world.idle.push(connection)
}

const close = (connection: Connection) => (world: World) => {
  world.closing = without(world.closing, connection)
  world.idle = without(world.idle, connection)
  wake(world, world.pool.gone(connection, now), { _tag: "Open" })
}

/** What one caller can do. */
const of = (caller: number, state: Caller): ReadonlyArray<Operation<World>> => {
  const step = (name: string, run: (world: World) => void): Operation<World> => ({ name: `${caller} ${name}`, run })
  const next = (world: World) => world.callers[caller] ?? away
  switch (state._tag) {
    case "Away":
      return [step("takes", take(caller))]
    case "Waiting":
      return [
        step("leaves the queue", (world) => {
          const state = next(world)
          if (state._tag !== "Waiting") return
          must("who waits can leave", world.pool.leave(state.waiter))
          world.waiting = without(world.waiting, state.waiter)
          world.callers[caller] = away
        }),
        ...isLive(state.waiter)
          ? [step("runs out of time", (world) => {
            const state = next(world)
            if (state._tag === "Waiting") state.waiter.until = now
          })]
          : []
      ]
    case "Granted":
      return [
        step("uses the grant", (world) => {
          const state = next(world)
          if (state._tag !== "Granted") return
          const { grant } = state
          const connection: Connection = grant._tag === "Reuse" ? grant.connection : { _tag: "Connection" }
          world.callers[caller] = { _tag: "Using", connection }
        }),
        step("gives the grant back", (world) => {
          const state = next(world)
          if (state._tag !== "Granted") return
          const { grant, waiter } = state
          must("who was woken has left the queue", waiter === undefined || !world.pool.leave(waiter))
          world.callers[caller] = away
          if (grant._tag === "Reuse") giveBack(world, grant.connection)
          else wake(world, world.pool.gone(undefined, now), grant)
        })
      ]
    case "Using":
      return [
        step("gives the connection back", (world) => {
          const state = next(world)
          if (state._tag !== "Using") return
          world.callers[caller] = away
          giveBack(world, state.connection)
        }),
        step("drops the connection", (world) => {
          const state = next(world)
          if (state._tag !== "Using") return
          must("what is in use is not idle", !world.pool.retire(state.connection))
          world.callers[caller] = away
          world.closing.push(state.connection)
        })
      ]
  }
}

/** What becomes of the connections that nobody uses. */
const ofConnections = (world: World): ReadonlyArray<Operation<World>> => [
  ...world.idle.flatMap((_, i) => [
    {
      name: `idle connection ${i} expires`,
      run: (world: World) => {
        const [connection] = world.idle.splice(i, 1)
        if (connection === undefined) return
        must("what is idle can be retired", world.pool.retire(connection))
        world.closing.push(connection)
      }
    },
    {
      name: `idle connection ${i} is gone`,
      run: (world: World) => {
        const connection = world.idle[i]
        if (connection !== undefined) close(connection)(world)
      }
    }
  ]),
  ...world.closing.map((_, i) => ({
    name: `closing connection ${i} is closed`,
    run: (world: World) => {
      const connection = world.closing[i]
      if (connection !== undefined) close(connection)(world)
    }
  }))
]

/** All who wait are turned away. */
const drain = (world: World) => {
  const drained = world.pool.drain()
  must("all who wait are turned away, in order", drained.every((waiter, i) => waiter === world.waiting[i]))
  must("all who wait are turned away, in order", drained.length === world.waiting.length)
  for (const { caller } of drained) world.callers[caller] = away
  world.waiting = []
}

export default {
  name: "ConnectionPool",
  worlds: {
    "one connection, none waits": make(1, 0),
    "one connection, one waits": make(1, 1),
    "one connection, two wait": make(1, 2),
    "two connections, one waits": make(2, 1)
  },
  operations: (world) => [
    ...callers.flatMap((caller) => of(caller, world.callers[caller] ?? away)),
    ...ofConnections(world),
    ...(world.waiting.length > 0 ? [{ name: "the owner closes", run: drain }] : [])
  ],
  laws: {
    "opening, idle, busy and closing connections never exceed the limit": (world) => count(world) <= world.pool.max,
    "each connection is counted once": (world) => world.pool.connections === count(world),
    "it knows what is idle": ({ idle, pool }) => pool.idleConnections === idle.length,
    "it knows who waits": ({ pool, waiting }) => pool.waiting === waiting.length,
    "nobody who has time waits while a connection is idle or there is room": (world) =>
      !world.waiting.some(isLive) || (world.idle.length === 0 && count(world) === world.pool.max),
    "it is empty when nothing is left of it": (world) =>
      world.pool.isEmpty === (count(world) === 0 && world.waiting.length === 0)
  }
} satisfies Machine<World>
