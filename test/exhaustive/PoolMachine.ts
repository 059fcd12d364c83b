/**
 * Three callers borrow the items of a pool, wait, stop waiting, return and invalidate. Connecting, checking, resetting and
 * closing end well or badly, time passes, and the owner refreshes and shuts the pool.
 */
import type { Entry, Reason, State } from "../../packages/core/src/internal/pool/entry.ts"
import { PoolMachine } from "../../packages/core/src/internal/pool/machine.ts"
import type { Commands, Limits } from "../../packages/core/src/internal/pool/rules.ts"
import { type Machine, must, type Operation } from "../support/enumerate.ts"
import {
  at,
  coming,
  type Events,
  isOld,
  type Item,
  lasting,
  lent,
  mayBeLent,
  perform,
  Waiter,
  without,
  type World
} from "../support/poolWorld.ts"

const states = ["opening", "idle", "busy", "validating", "resetting", "closing"] as const

/** A second report of the same end. */
const again = (commands: Commands<true, Waiter>): void => must("a second report changes nothing", commands.length === 0)

const borrow = (world: World): void => {
  const { now, pool, waiting } = world
  const entry = pool.take(now)
  if (entry !== undefined) {
    must("no caller overtakes the waiters", waiting.length === 0)
    const item = world.items.find((one) => one.entry === entry)
    must(
      "the item that was used last is lent first",
      at(world, "idle").every((other) => other.usedAt <= (item?.usedAt ?? now) || !mayBeLent(world, other))
    )
    return lent(world, item, false)
  }
  must("no caller waits while an item that may be lent is idle", !at(world, "idle").some((_) => mayBeLent(world, _)))
  const waiter = new Waiter()
  const places = coming(world) + at(world, "idle").length + pool.limits.max - world.items.length
  const isFull = waiting.length >= places + pool.limits.maxWaiters
  // The machine may serve it within the call.
  waiting.push(waiter)
  const joined = pool.join(waiter, now)
  if (typeof joined === "string") waiting.pop()
  const refused = typeof joined === "string" ? joined : undefined
  must(
    "a caller is refused once the pool was shut, or where too many wait",
    refused === (world.isShut ? "shut" : isFull ? "full" : undefined)
  )
  if (typeof joined !== "string") perform(world, joined)
}

/** What a shell may report of an item, by the states in which that can be so. */
const reports: ReadonlyArray<
  readonly [State, (world: World, entry: Entry<true>) => Commands<true, Waiter> | undefined]
> = [
  ["busy", ({ now, pool }, entry) => pool.give(entry, now)],
  ["busy", ({ now, pool }, entry) => pool.pass(entry, now)],
  ["opening", ({ now, pool }, entry) => pool.opened(entry, true, now, 0)],
  ["opening", ({ now, pool }, entry) => pool.openFailed(entry, now, 0)],
  ["validating", ({ now, pool }, entry) => pool.validated(entry, true, now)],
  ["resetting", ({ now, pool }, entry) => pool.reset(entry, true, now)],
  ["closing", ({ now, pool }, entry) => pool.closed(entry, now)]
]

/** An operation on the nth item. */
const on = (name: string, i: number, run: (world: World, item: Item) => void): Operation<World> => ({
  name: `item ${i} ${name}`,
  run: (world) => {
    const item = world.items[i]
    if (item === undefined) return
    for (const [state, report] of reports) {
      if (state === item.at) continue
      const commands = report(world, item.entry)
      must("a report that does not fit the state of its item changes nothing", (commands?.length ?? 0) === 0)
    }
    run(world, item)
  }
})

/** Decides that items end: those that the shell works on are aborted, and those that are idle are closed. */
const conclude = (world: World, items: ReadonlyArray<Item>, reason: Reason, commands: () => Commands<true, Waiter>) => {
  const ending = items.filter(({ ends }) => ends === undefined)
  const underWay = ending.filter(({ at }) => ["opening", "validating", "resetting"].includes(at))
  const idle = ending.filter(({ at }) => at === "idle")
  for (const item of ending) item.ends = reason
  const done = commands()
  const aborted = done.flatMap((command) => command._tag === "Abort" ? [command.entry] : [])
  must("work on an item that ends is aborted", underWay.every(({ entry }) => aborted.includes(entry)))
  must("work is aborted once", aborted.length === underWay.length)
  perform(world, done)
  must("an idle item ends at once", idle.every(({ at }) => at === "closing"))
}

const end = (world: World, item: Item): void => {
  conclude(world, [item], "invalidated", () => world.pool.end(item.entry, "invalidated", world.now))
  again(world.pool.end(item.entry, "invalidated", world.now))
}

const give = (world: World, item: Item): void => {
  const { limits } = world.pool
  item.at = "free"
  item.usedAt = item.knownAt = world.now
  if (item.uses >= limits.maxUses) item.ends ??= "uses"
  const commands = world.pool.give(item.entry, world.now)
  if (limits.isReset && item.ends === undefined && !isOld(world, item)) {
    must("an item is reset before anything else", commands[0]?._tag === "Reset")
  }
  perform(world, commands)
}

const pass = (world: World, item: Item): void => {
  item.at = "free"
  item.uses--
  perform(world, world.pool.pass(item.entry, world.now))
}

const opened = (world: World, item: Item): void => {
  item.at = "free"
  // Where age does not count, worlds that differ in nothing else are one.
  item.openedAt = world.pool.limits.maxLifetime === Infinity ? 0 : world.now
  item.knownAt = item.usedAt = world.now
  world.failures = 0
  world.pausedUntil = 0
  const commands = world.pool.opened(item.entry, true, world.now, 0)
  must("an item is adopted once it is open", commands !== undefined)
  perform(world, commands ?? [])
  must("an item is opened once", world.pool.opened(item.entry, true, world.now, 0) === undefined)
}

const openFailed = (world: World, item: Item): void => {
  const { limits } = world.pool
  world.items = without(world.items, item)
  const others = lasting(world)
  const waiting = world.waiting.length
  if (item.ends === undefined && world.now >= world.pausedUntil) {
    world.pausedUntil = world.now + Math.min(limits.maxBackoff, limits.backoff * 2 ** world.failures)
    world.failures++
  }
  perform(world, world.pool.openFailed(item.entry, world.now, 0))
  again(world.pool.openFailed(item.entry, world.now, 0))
  again(world.pool.end(item.entry, "invalidated", world.now))
  must(
    "where nothing else can serve the first waiter, it hears that connecting failed",
    item.ends !== undefined || others > 0 || waiting === 0 || world.waiting.length === waiting - 1
  )
}

const ended = (name: "validated" | "reset", isGood: boolean) => (world: World, item: Item): void => {
  item.at = "free"
  if (isGood) item.knownAt = world.now
  else item.ends ??= name === "validated" ? "invalid" : "resetFailed"
  const [first] = world.waiting
  perform(world, world.pool[name](item.entry, isGood, world.now))
  must(
    "an item that works goes to the first waiter",
    first === undefined || item.ends !== undefined || at(world, "busy").includes(item) && world.waiting[0] !== first
  )
}

const closed = (world: World, item: Item): void => {
  world.items = without(world.items, item)
  perform(world, world.pool.closed(item.entry, world.now))
  again(world.pool.closed(item.entry, world.now))
}

/** What may become of one item. */
const ofItem = ({ events }: World, item: Item, i: number): ReadonlyArray<Operation<World>> => {
  const invalidated = events.invalidate === true && item.ends === undefined ? [on("is invalidated", i, end)] : []
  switch (item.at) {
    case "opening":
      return [on("is open", i, opened), ...events.connectFails === true ? [on("cannot be opened", i, openFailed)] : []]
    case "busy":
      return [
        on("is returned", i, give),
        ...item.wasAwaited ? [on("is passed on", i, pass)] : [],
        ...invalidated
      ]
    case "validating":
      return [
        on("works", i, ended("validated", true)),
        ...events.checkFails === true ? [on("does not work", i, ended("validated", false))] : [],
        ...invalidated
      ]
    case "resetting":
      return [
        on("is clean", i, ended("reset", true)),
        ...events.resetFails === true ? [on("cannot be reset", i, ended("reset", false))] : [],
        ...invalidated
      ]
    case "closing":
      return [on("is closed", i, closed)]
    default:
      return invalidated
  }
}

const refresh = (world: World): void => {
  world.failures = 0
  world.pausedUntil = 0
  conclude(world, world.items, "refreshed", () => world.pool.refresh(world.now))
}

const shut = (world: World): void => {
  world.isShut = true
  conclude(world, world.items, "shutdown", () => world.pool.shut())
  again(world.pool.shut())
  must("a shut pool keeps no waiter", world.waiting.length === 0)
}

/** Whether the clock alone has made something due. */
const isDue = (world: World): boolean => {
  const { now, pool: { limits: { idleTimeToLive, keepAlive, leakThreshold, min } } } = world
  return at(world, "idle").some((item) =>
    isOld(world, item) || now >= item.knownAt + keepAlive ||
    (now >= item.usedAt + idleTimeToLive && lasting(world) > min)
  ) || at(world, "busy").some(({ isReported, takenAt }) => !isReported && now - takenAt >= leakThreshold)
}

const sweep = (world: World): void => {
  perform(world, world.pool.sweep(world.now))
  must("a sweep does what is due", !isDue(world))
  must("the next sweep is later", world.pool.wakesAt > world.now)
}

/** A millisecond passes. */
const tick = (world: World): void => {
  world.now++
}

const make = (limits: Partial<Limits>, events: Events) => (): World => {
  const pool = new PoolMachine<true, Waiter>({
    max: 2,
    min: 0,
    maxWaiters: 1,
    maxUses: Infinity,
    bypass: Infinity,
    idleTimeToLive: Infinity,
    maxLifetime: Infinity,
    keepAlive: Infinity,
    leakThreshold: Infinity,
    backoff: 1,
    maxBackoff: 2,
    isReset: false,
    ...limits
  })
  const world: World = { pool, events, now: 0, items: [], waiting: [], failures: 0, pausedUntil: 0, isShut: false }
  sweep(world)
  return world
}

export default {
  name: "PoolMachine",
  worlds: {
    "two items, which are invalidated": make({}, { invalidate: true, shut: true }),
    "one item, which two wait for": make(
      { max: 1, min: 1, maxWaiters: 2 },
      { invalidate: true, refresh: true, shut: true, connectFails: true, until: 1 }
    ),
    "connecting fails": make({ min: 1 }, { connectFails: true, callers: 2, until: 2 }),
    "each item is checked": make({ bypass: 0 }, { checkFails: true, refresh: true, until: 1 }),
    "each item is reset, and used twice": make({ isReset: true, maxUses: 2 }, { resetFails: true, invalidate: true }),
    "items grow old": make({ maxLifetime: 2 }, { callers: 2, until: 2 }),
    "idle items are checked": make({ keepAlive: 2, bypass: 0 }, { callers: 2, until: 2 }),
    "idle items are closed": make({ min: 1, idleTimeToLive: 1 }, { callers: 2, until: 2 }),
    "loans are too long": make({ leakThreshold: 1 }, { callers: 2, until: 2 })
  },
  operations: (world) => {
    const { events, isShut, items, now, pool, waiting } = world
    const present = waiting.length + at(world, "busy").length
    return [
      ...present < (events.callers ?? 3) ? [{ name: "a caller borrows", run: borrow }] : [],
      ...waiting.map((_, i) => ({
        name: `waiter ${i} leaves`,
        run: (world: World) => {
          const waiter = world.waiting[i]
          if (waiter === undefined) return
          must("a waiter can leave", world.pool.leave(waiter))
          must("a waiter leaves once", !world.pool.leave(waiter))
          world.waiting = without(world.waiting, waiter)
        }
      })),
      ...items.flatMap((item, i) => ofItem(world, item, i)),
      ...events.refresh === true && !isShut ? [{ name: "the owner refreshes", run: refresh }] : [],
      ...events.shut === true && !isShut ? [{ name: "the owner shuts", run: shut }] : [],
      ...now >= pool.wakesAt
        ? [{ name: "the shell sweeps", run: sweep }]
        : now < (events.until ?? 0)
        ? [{ name: "time passes", run: tick }]
        : []
    ]
  },
  laws: {
    "opening, idle, busy, checked, reset and closing items never exceed the limit": ({ items, pool }) =>
      items.length <= pool.limits.max,
    "each item is counted once, in its state": (world) =>
      world.pool.total === world.items.length &&
      states.every((state) => world.pool.count(state) === at(world, state).length),
    "each entry knows its state": ({ items }) => items.every(({ at, entry }) => entry.state === at),
    "it knows who waits": ({ pool, waiting }) => pool.waiting === waiting.length,
    "no caller waits while an item that may be lent is idle": (world) =>
      world.waiting.length === 0 || !at(world, "idle").some((item) => mayBeLent(world, item)),
    "each waiter has an item on its way, unless there can be none": (world) => {
      const { items, pool, waiting } = world
      if (waiting.length <= coming(world)) return true
      if (at(world, "idle").length > 0) return false
      if (items.length === pool.limits.max) return true
      // Connecting is backed off, and the shell is woken when that ends; or one connect finds out whether it works.
      return world.failures > 0 && (pool.wakesAt <= world.pausedUntil || at(world, "opening").length > 0)
    },
    "the minimum is kept, unless connecting fails": (world) =>
      world.isShut || lasting(world) >= world.pool.limits.min || world.items.length === world.pool.limits.max ||
      world.failures > 0,
    "nothing is idle or waits in a shut pool": (world) =>
      !world.isShut || (at(world, "idle").length === 0 && world.waiting.length === 0),
    "the shell sweeps when something is due": (world) => !isDue(world) || world.pool.wakesAt <= world.now,
    "it is empty when nothing is left of it": ({ items, pool, waiting }) =>
      pool.isEmpty === (items.length === 0 && waiting.length === 0)
  }
} satisfies Machine<World>
