/**
 * The callers, the shell and the clock around the machine of a pool, as a model for its enumeration.
 *
 * It records each item from what the machine told its shell to do. It has no rule of the machine's own.
 */
import type { Entry, Reason, State } from "../../packages/core/src/internal/pool/entry.ts"
import type { PoolMachine } from "../../packages/core/src/internal/pool/machine.ts"
import type { Command, Commands } from "../../packages/core/src/internal/pool/rules.ts"
import { must } from "./enumerate.ts"

export class Waiter {
  isWaiting = false
  before: Waiter | undefined = undefined
  after: Waiter | undefined = undefined
}

/** What the shell knows of one place. `free`: the machine is about to decide what becomes of it. */
export interface Item {
  readonly entry: Entry<true>
  at: State | "free"
  openedAt: number
  /** When it was opened, checked, reset or returned last. */
  knownAt: number
  usedAt: number
  takenAt: number
  uses: number
  /** Whether its borrower has waited for it, and may have gone meanwhile. */
  wasAwaited: boolean
  isReported: boolean
  /** Why it must not be lent any more. */
  ends: Reason | undefined
}

/** What may happen, besides borrowing and returning. */
export interface Events {
  /** How many callers there are at most. Default: 3. */
  readonly callers?: number
  readonly invalidate?: boolean
  readonly refresh?: boolean
  readonly shut?: boolean
  readonly connectFails?: boolean
  readonly checkFails?: boolean
  readonly resetFails?: boolean
  /** The last moment. Default: 0. */
  readonly until?: number
}

export interface World {
  readonly pool: PoolMachine<true, Waiter>
  readonly events: Events
  now: number
  /** In the order in which they were put on their way. */
  items: Array<Item>
  /** In the order in which they came. */
  waiting: Array<Waiter>
  failures: number
  /** No connect begins before this moment. */
  pausedUntil: number
  isShut: boolean
}

export const without = <A>(from: ReadonlyArray<A>, one: A): Array<A> => from.filter((other) => other !== one)

export const at = ({ items }: World, state: Item["at"]): ReadonlyArray<Item> =>
  items.filter((item) => item.at === state)

export const coming = (world: World): number =>
  [...at(world, "opening"), ...at(world, "validating"), ...at(world, "resetting")]
    .filter(({ ends }) => ends === undefined).length

export const isOld = ({ now, pool: { limits } }: World, { openedAt }: Item): boolean =>
  now - openedAt >= limits.maxLifetime

const isKnown = ({ now, pool: { limits } }: World, { knownAt }: Item): boolean => now - knownAt <= limits.bypass

export const mayBeLent = (world: World, item: Item): boolean =>
  item.ends === undefined && !isOld(world, item) && isKnown(world, item)

/** Places that hold an item, or will. */
export const lasting = (world: World): number => world.items.length - at(world, "closing").length

export const lent = (world: World, item: Item | undefined, wasAwaited: boolean): void => {
  must("only an open item is lent", item !== undefined)
  if (item === undefined) return
  must("an item has one borrower, and none while it is checked, reset or closed", ["idle", "free"].includes(item.at))
  must("an item that is to end is not lent", item.ends === undefined)
  must("an item that is lent is younger than its lifetime", !isOld(world, item))
  must("an item that is lent was known to work within the bypass window", isKnown(world, item))
  must("an item is not lent more often than it may be used", item.uses < world.pool.limits.maxUses)
  item.at = "busy"
  item.uses++
  item.takenAt = world.now
  item.wasAwaited = wasAwaited
  item.isReported = false
}

/** Whether an item may be closed for this reason. */
const isReason = (world: World, item: Item, reason: Reason): boolean => {
  const { limits } = world.pool
  if (item.ends !== undefined) return reason === item.ends
  if (reason === "lifetime") return isOld(world, item)
  return reason === "idle" && world.now >= item.usedAt + limits.idleTimeToLive && lasting(world) > limits.min
}

const open = (world: World, entry: Entry<true>): void => {
  const { items, now, pool: { limits } } = world
  must("nothing is opened after the pool was shut", !world.isShut)
  must("places never exceed the limit", items.length < limits.max)
  must("no connect begins while connecting is backed off", now >= world.pausedUntil)
  must("one connect at a time while connecting fails", world.failures === 0 || at(world, "opening").length === 0)
  must(
    "an item is opened only for a waiter or for the minimum",
    coming(world) < world.waiting.length || lasting(world) < limits.min
  )
  items.push({
    entry,
    at: "opening",
    openedAt: 0,
    knownAt: 0,
    usedAt: 0,
    takenAt: 0,
    uses: 0,
    wasAwaited: false,
    isReported: false,
    ends: undefined
  })
}

const reject = (world: World, { waiter, why }: Command<true, Waiter> & { readonly _tag: "Reject" }): void => {
  must("the first waiter is rejected first", waiter === world.waiting.shift())
  must("a waiter is told why it is rejected", (why === "shut") === world.isShut)
  if (why === "shut") return
  const others = lasting(world) - at(world, "opening").length
  must(
    "a waiter is rejected for a failed connect only where nothing else can serve it",
    others === 0 && world.waiting.length >= coming(world)
  )
}

/** The shell does what the machine says. */
export const perform = (world: World, commands: Commands<true, Waiter>): void => {
  for (const command of commands) {
    if (command._tag === "Open") {
      open(world, command.entry)
      continue
    }
    if (command._tag === "Reject") {
      reject(world, command)
      continue
    }
    const item = world.items.find(({ entry }) => entry === command.entry)
    must("commands are about items that exist", item !== undefined)
    if (item === undefined) continue
    const { at } = item
    switch (command._tag) {
      case "Lend":
        must("the first waiter is served first", command.waiter === world.waiting.shift())
        lent(world, item, true)
        break
      case "Validate":
        must("only an item that nobody uses is checked", at === "idle" || at === "free")
        item.at = "validating"
        break
      case "Reset":
        must("an item is reset after its use", at === "free" && world.pool.limits.isReset)
        must("an item that is to end is not reset", item.ends === undefined && !isOld(world, item))
        item.at = "resetting"
        break
      case "Close":
        must("only an item that nobody uses is closed", at === "idle" || at === "free")
        must("an item is closed for a reason that holds", isReason(world, item, command.reason))
        item.ends = command.reason
        item.at = "closing"
        break
      case "Abort":
        must("only work whose result is not wanted is aborted", item.ends !== undefined)
        must("only work is aborted", at === "opening" || at === "validating" || at === "resetting")
        break
      case "Leak":
        must(
          "a leak is a loan that is too long",
          at === "busy" && world.now - item.takenAt >= world.pool.limits.leakThreshold
        )
        must("a leak is reported once", !item.isReported)
        item.isReported = true
        break
    }
  }
  for (const item of world.items) if (item.at === "free") item.at = "idle"
}
