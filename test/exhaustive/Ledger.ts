/**
 * Three users of one ledger, of two tenants, open sessions inside each other's and inside closed ones, and close them, while a
 * tenant or a subtree is revoked.
 *
 * One world begins with a ledger that is about to compact: it removes the records of closed sessions.
 */
import { Ledger } from "../../packages/core/src/internal/session/ledger.ts"
import { nearest, SessionRecord } from "../../packages/core/src/internal/session/record.ts"
import { type Machine, must, type Operation } from "../support/enumerate.ts"

const users = [{ tenant: "a" }, { tenant: "a" }, { tenant: "b" }] as const
const tenants = ["a", "b"] as const

interface Opened {
  readonly entry: SessionRecord
  readonly user: number
  readonly tenant: string
  /** The session that it was opened inside of. */
  readonly inside: Opened | undefined
  isOpen: boolean
  isRevoked: boolean
}

interface World {
  readonly ledger: Ledger
  /** What each user opened last. */
  readonly last: Array<Opened | undefined>
  opened: number
  readonly limits: Limits
}

interface Limits {
  readonly users: number
  /** How many sessions are opened in all. */
  readonly sessions: number
}

const current = ({ last }: World): ReadonlyArray<Opened> =>
  last.filter((one) => one !== undefined).filter(({ isOpen }) => isOpen).toSorted((a, b) => a.entry.id - b.entry.id)

/** A session and all that it was opened inside of. */
const lineage = (session: Opened | undefined): ReadonlyArray<Opened> =>
  session === undefined ? [] : [session, ...lineage(session.inside)]

const isRevokedAround = (session: Opened | undefined): boolean => lineage(session).some(({ isRevoked }) => isRevoked)

/**
 * Takes back what an entry remembers of having been looked at: that is counted in revocations of the process, of which
 * those in other worlds are some.
 */
const settle = (world: World) => {
  for (const { entry } of world.last.flatMap(lineage)) {
    entry["soundAt"] = 0
    if (entry.isRevoked) entry["revocation"] = "revoked"
  }
}

const open = (user: number, inside: number | undefined) => (world: World) => {
  const tenant = users[user]?.tenant ?? "a"
  const parent = inside === undefined ? undefined : world.last[inside]
  must(
    "nothing is opened inside of what is revoked, and all else may be",
    (SessionRecord.revokedAround(parent?.entry) !== undefined) === isRevokedAround(parent)
  )
  settle(world)
  if (isRevokedAround(parent)) return
  const id = ++world.opened
  const caller = { tenant, subject: undefined, conversation: undefined, tags: undefined }
  const entry = world.ledger.open(
    { kind: tenant, name: "one" },
    parent?.entry,
    undefined,
    caller,
    0,
    undefined,
    id
  )
  must("ids count the sessions", entry.id === id && world.ledger.opened === id)
  must("a session keeps none that was closed around it", entry.parent?.isOpen !== false)
  must("a session keeps none that was closed around it", parent?.entry.parent?.isOpen !== false)
  world.last[user] = { entry, user, tenant, inside: alive(parent), isOpen: true, isRevoked: false }
  settle(world)
}

const close = (user: number) => (world: World) => {
  const session = world.last[user]
  if (session === undefined) return
  must("a session closes once", world.ledger.close(session.entry) === session.isOpen)
  must("a closed session holds nothing", session.entry.held === undefined && !session.entry.isOpen)
  session.isOpen = false
}

/** The nearest of a session and those around it that is open. */
const alive = (session: Opened | undefined): Opened | undefined => {
  let at = session
  while (at?.isOpen === false) at = at.inside
  return at
}

const revoke =
  (matches: (session: Opened) => boolean, from: (world: World) => number | undefined = () => undefined) =>
  (world: World) => {
    const sessions = current(world)
    const expected = new Set<Opened>()
    for (const session of sessions) {
      const outer = alive(session.inside)
      if (matches(session) || (outer !== undefined && expected.has(outer))) expected.add(session)
    }
    const byEntry = new Map(sessions.map((session) => [session.entry, session]))
    const taken = world.ledger.revoke(
      (entry) => {
        const session = byEntry.get(entry)
        return session !== undefined && matches(session)
      },
      "revoked",
      from(world)
    )
    must(
      "what matches is revoked, and everything inside of it, parents first",
      Array.from(taken, ({ id }) => id).join() === Array.from(expected, ({ entry }) => entry.id).join()
    )
    for (const session of expected) {
      session.isRevoked = true
      const outer = alive(session.inside)
      const known = outer !== undefined && expected.has(outer) ? outer.entry : undefined
      must("it knows what is around", nearest(taken, session.entry) === known)
    }
  }

const make = (limits: Limits, prepare: (world: World) => void = () => {}) => (): World => {
  const world: World = { ledger: new Ledger(), last: users.map(() => undefined), opened: 0, limits }
  prepare(world)
  return world
}

/** Two that are open, with as many closed ones between them as are just let be. */
const nearlyFull = (world: World) => {
  open(0, undefined)(world)
  for (let i = 0; i < 18; i++) {
    open(1, undefined)(world)
    if (i < 17) continue
    open(2, 0)(world)
  }
  const entries: Array<SessionRecord> = []
  world.ledger.forEach((entry) => entries.push(entry))
  const kept = new Set(world.last.map((one) => one?.entry))
  for (const entry of entries) if (!kept.has(entry)) world.ledger.close(entry)
}

export default {
  name: "Ledger",
  worlds: {
    "three users open a session each": make({ users: 3, sessions: 3 }),
    "two users open more than one": make({ users: 2, sessions: 4 }),
    "room is about to be made": make({ users: 3, sessions: 21 }, nearlyFull)
  },
  operations: (world) => {
    const { last, limits, opened } = world
    const all: Array<Operation<World>> = []
    for (const [user, own] of last.slice(0, limits.users).entries()) {
      if (own !== undefined) all.push({ name: `${user} closes`, run: close(user) })
      if (own?.isOpen === true) {
        const first = ({ last }: World) => last[user]?.entry.id
        all.push({ name: `${user} is revoked`, run: revoke((session) => session.user === user, first) })
      } else if (opened < limits.sessions) {
        all.push({ name: `${user} opens`, run: open(user, undefined) })
        for (const inside of last.keys()) {
          if (last[inside] !== undefined) {
            all.push({ name: `${user} opens inside of ${inside}`, run: open(user, inside) })
          }
        }
      }
    }
    if (current(world).length > 0) {
      all.push({ name: "tenant a is revoked", run: revoke(({ tenant }) => tenant === "a") })
    }
    return all
  },
  laws: {
    "it knows how many are open": (world) => world.ledger.size === current(world).length,
    "it lists what is open, oldest first": (world) => {
      const entries: Array<SessionRecord> = []
      world.ledger.forEach((entry) => entries.push(entry))
      const expected = current(world)
      return entries.length === expected.length && entries.every((entry, i) => entry === expected[i]?.entry)
    },
    "it begins to list where it is told to": (world) => {
      for (let from = 1; from <= world.opened; from++) {
        const ids: Array<number> = []
        world.ledger.forEach(({ id }) => ids.push(id), from)
        if (ids.join() !== current(world).flatMap(({ entry }) => entry.id >= from ? entry.id : []).join()) return false
      }
      return true
    },
    "it finds what is open, and nothing else": (world) => {
      for (let id = 1; id <= world.opened + 1; id++) {
        if (world.ledger.find(id) !== current(world).find(({ entry }) => entry.id === id)?.entry) return false
      }
      return true
    },
    "a tenant's sessions are counted, and not when they are closed": (world) =>
      tenants.every((name) => {
        const open = current(world).filter(({ tenant }) => tenant === name).length
        // All sessions of a tenant are of one kind here.
        return world.ledger.tenants.size(name) === open && world.ledger.tenants.size(name, name) === open
      }),
    "each kind is counted, when it opens and when it closes": (world) => {
      let opened = 0
      const isRight = tenants.every((name) => {
        const tally = world.last.find((one) => one?.tenant === name)?.entry.tally
        opened += tally?.opened ?? 0
        return tally === undefined ||
          tally.opened - tally.closed === current(world).filter(({ tenant }) => tenant === name).length
      })
      return isRight && opened === world.opened
    },
    "it knows the oldest of a kind": (world) =>
      world.last.every((one) =>
        one === undefined ||
        world.ledger.oldest(one.entry.tally) ===
          current(world).find(({ tenant }) => tenant === one.tenant)?.entry.openedAt
      ),
    "a session stands inside of the nearest one around that is open": (world) =>
      current(world).every(({ entry, inside }) => {
        let at = entry.parent
        while (at !== undefined && !at.isOpen) at = at.parent
        return at === alive(inside)?.entry
      }),
    "what is open stands after what it is inside of": (world) =>
      current(world).every(({ entry }) => entry.parent === undefined || entry.parent.id < entry.id),
    "what was revoked, and only that, says so": ({ last }) =>
      last.every((one) => one === undefined || one.entry.isRevoked === one.isRevoked)
  }
} satisfies Machine<World>
