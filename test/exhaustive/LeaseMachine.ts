/**
 * Two or three holders of one key, and the store that keeps it. They acquire, repeat, renew and release at any moment, with steps
 * that are late and answers that get lost. The store may come back empty, and its wall clock may be set back.
 *
 * Time passes in steps of one. The holders' own view of their leases is a part of the world.
 */
import * as Machine from "../../packages/core/src/internal/lease/machine.ts"
import { type Machine as Enumerated, must, type Operation } from "../support/enumerate.ts"

const ttl = 3
const margin = 1
const longest = 4
/** How many grants are asked for, after which nobody begins anew. */
const mostGrants = 3

interface Holder {
  readonly id: string
  /** When a request was sent that the store has not got. */
  askedAt: number | undefined
  /** What the store should have. */
  token: number | undefined
  expiresAt: number
  tenure: Machine.Tenure | undefined
}

interface World {
  readonly limit: number
  /** What may go wrong here. */
  readonly fault: "none" | "answers" | "restart" | "clock"
  readonly holders: Array<Holder>
  state: Machine.State
  now: number
  /** How far the wall clock is from the monotonic one. */
  skew: number
  startedAt: number
  restarts: number
  grants: number
  highest: number
}

const make = (limit: number, fault: World["fault"]) => (): World => ({
  limit,
  fault,
  grants: 0,
  holders: ["a", "b", "c"].slice(0, limit + 1).map((id) => ({
    id,
    askedAt: undefined,
    token: undefined,
    expiresAt: -1,
    tenure: undefined
  })),
  state: Machine.empty,
  now: 0,
  skew: 0,
  startedAt: -ttl,
  restarts: 0,
  highest: 0
})

const moment = ({ now, skew, startedAt }: World): Machine.Now => ({
  millis: now,
  micros: (now + skew) * 100,
  up: now - startedAt
})

const isLive = ({ now }: World, { expiresAt, token }: Holder): boolean => token !== undefined && expiresAt > now

const live = (world: World): number => world.holders.filter((holder) => isLive(world, holder)).length

const holderOf = (world: World, id: string): Holder => world.holders.find((holder) => holder.id === id) as Holder

/** The answer arrives at the holder. */
const hear = (world: World, holder: Holder, token: number): void => {
  const { askedAt = world.now } = holder
  holder.tenure ??= new Machine.Tenure({ token, ttl, margin }, askedAt)
  holder.tenure.renewed(askedAt)
  if (holder.tenure.expire(world.now)) holder.tenure = undefined
}

/** The store gets a request. */
const acquire = (id: string, isHeard: boolean) => (world: World): void => {
  const holder = holderOf(world, id)
  const wasLive = isLive(world, holder)
  const before = live(world)
  const [after, answer] = Machine.acquire(
    world.state,
    { key: "", holder: "", id, limit: world.limit, ttl },
    moment(world)
  )
  world.state = after
  if (answer._tag === "Busy") {
    must("a store that is busy says when to ask again", answer.retryIn > 0 && answer.retryIn <= ttl)
    must("nobody is rejected while there is room", before >= world.limit || world.now - world.startedAt < ttl)
    must("a holder is not rejected", !wasLive)
    return
  }
  must("a repeated request gets the grant that it has", !wasLive || answer.token === holder.token)
  if (!wasLive) {
    must("no more hold a key than its limit", before < world.limit)
    must("each token is higher than all before it", answer.token > world.highest)
    must("a store that was restarted grants nothing new at first", world.now - world.startedAt >= ttl)
    world.grants++
    world.highest = Math.max(world.highest, answer.token)
  }
  holder.token = answer.token
  holder.expiresAt = world.now + ttl
  if (isHeard) hear(world, holder, answer.token)
}

const renew = (id: string, isHeard: boolean) => (world: World): void => {
  const holder = holderOf(world, id)
  const { token = 0 } = holder.tenure?.term ?? {}
  const wasLive = isLive(world, holder) && holder.token === token
  const [after, isRenewed] = Machine.renew(world.state, { id, token, ttl }, moment(world))
  world.state = after
  must("a late renewal revives nothing", isRenewed === wasLive)
  if (isRenewed) {
    holder.expiresAt = world.now + ttl
    if (isHeard) hear(world, holder, token)
  } else if (isHeard && holder.tenure?.refuse() === true) {
    must("a refused lease is lost", !holder.tenure.isHeld)
    holder.tenure = undefined
  }
}

const release = (id: string, token: number | undefined) => (world: World): void => {
  const holder = holderOf(world, id)
  world.state = Machine.release(world.state, { id, token }, moment(world))
  if (token !== undefined && token !== holder.token) return
  holder.tenure?.release()
  holder.tenure = undefined
  holder.token = undefined
  holder.expiresAt = -1
  holder.askedAt = undefined
}

/** Somebody who knows the id of a grant and not its token. */
const pretend = (id: string) => (world: World): void => {
  const [, isRenewed] = Machine.renew(world.state, { id, token: -1, ttl }, moment(world))
  must("only its own holder renews a lease", !isRenewed)
  release(id, -1)(world)
}

/** A renewal that was sent long ago. */
const renewLate = (id: string) => (world: World): void => {
  const { token = 0 } = holderOf(world, id)
  const [, isRenewed] = Machine.renew(world.state, { id, token, ttl }, moment(world))
  must("a late renewal revives nothing", !isRenewed)
}

const tick = (world: World): void => {
  world.now++
  for (const holder of world.holders) if (holder.tenure?.expire(world.now) === true) holder.tenure = undefined
}

const restart = (world: World): void => {
  world.state = Machine.empty
  world.startedAt = world.now
  world.restarts++
  for (const holder of world.holders) {
    holder.expiresAt = -1
    holder.token = undefined
  }
}

const operationsOf = (
  { fault, grants }: World,
  { askedAt, id, tenure, token }: Holder
): ReadonlyArray<Operation<World>> => {
  const isKnown = tenure?.isHeld === true
  if (askedAt === undefined) {
    return [
      ...isKnown || grants < mostGrants
        ? [{ name: `${id} asks`, run: (world: World) => void (holderOf(world, id).askedAt = world.now) }]
        : [],
      ...isKnown ? [{ name: `${id} releases`, run: release(id, tenure.term.token) }] : [],
      ...token !== undefined && !isKnown ? [{ name: `${id} releases by its id`, run: release(id, undefined) }] : [],
      ...isKnown && fault === "answers" ? [{ name: `a stranger pretends to be ${id}`, run: pretend(id) }] : []
    ]
  }
  const arrive = (isHeard: boolean) => (world: World): void => {
    const step = isKnown ? renew(id, isHeard) : acquire(id, isHeard)
    step(world)
    holderOf(world, id).askedAt = undefined
  }
  return [
    { name: `the store answers ${id}`, run: arrive(true) },
    ...fault === "answers" ? [{ name: `the answer to ${id} gets lost`, run: arrive(false) }] : []
  ]
}

export default {
  name: "LeaseMachine",
  worlds: {
    "a lock": make(1, "answers"),
    "a lock whose store comes back empty": make(1, "restart"),
    "a lock whose store has its clock set back": make(1, "clock"),
    "two places": make(2, "none")
  },
  operations: (world) => [
    ...world.holders.flatMap((holder) => operationsOf(world, holder)),
    ...world.holders.flatMap((holder) =>
      holder.token !== undefined && !isLive(world, holder)
        ? [{ name: `a late renewal of ${holder.id} arrives`, run: renewLate(holder.id) }]
        : []
    ),
    ...world.now < (world.limit === 1 ? longest : longest - 2) ? [{ name: "time passes", run: tick }] : [],
    ...world.restarts === 0 && world.fault === "restart" ? [{ name: "the store comes back empty", run: restart }] : [],
    ...world.skew === 0 && world.limit === 1
      ? [{ name: "the wall clock is set back", run: (world: World) => void (world.skew = -1) }]
      : []
  ],
  laws: {
    "no more hold a key than its limit": (world) => live(world) <= world.limit,
    "no more believe to hold a key than its limit": ({ holders, limit, now }) =>
      holders.filter(({ tenure }) => tenure?.isHeld === true && tenure.until > now).length <= limit,
    "the store has who it should have": (world) => {
      const held = Machine.holders(world.state, moment(world))
      return held.length === live(world) && held.every(({ id, token }) => holderOf(world, id).token === token)
    },
    "the store counts down to the expiry": (world) =>
      Machine.holders(world.state, moment(world)).every(({ expiresIn, id }) =>
        holderOf(world, id).expiresAt === world.now + expiresIn
      ),
    "a holder stops before its lease can be granted again": (world) =>
      world.holders.every((holder) =>
        holder.tenure?.isHeld !== true || holder.tenure.term.token !== holder.token || holder.expiresAt === -1 ||
        world.now < holder.expiresAt
      ),
    "it knows when nobody holds it any more": (world) =>
      world.holders.every((holder) => !isLive(world, holder) || holder.expiresAt <= Machine.endsAt(world.state))
  }
} satisfies Enumerated<World>
