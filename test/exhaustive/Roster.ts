/** Three users of a roster enter, leave, leave again, and close it. */
import { type Place, Roster } from "../../packages/core/src/internal/tasks/machine.ts"
import { type Machine, must, type Operation } from "../support/enumerate.ts"

const users = [0, 1, 2] as const

interface World {
  readonly roster: Roster<number>
  /** The place that each has or had last. */
  readonly places: Array<Place<number> | undefined>
  /** Users in the order in which they came, by what they should be doing. */
  running: Array<number>
  waiting: Array<number>
  isClosed: boolean
}

const make = (concurrency: number, capacity: number) => (): World => ({
  roster: new Roster(concurrency, capacity),
  places: users.map(() => undefined),
  running: [],
  waiting: [],
  isClosed: false
})

const enter = (user: number) => (world: World) => {
  const { roster, running, waiting } = world
  const place = roster.enter(user)
  must("once it is closed, nobody enters", (place === "closed") === world.isClosed)
  if (place === "closed") return
  const isFull = running.length === roster.concurrency && waiting.length === roster.capacity
  must("it is full only when no more may run and no more may wait", (place === "full") === isFull)
  if (place === "full") return
  world.places[user] = place
  ;(place.state === "running" ? running : waiting).push(user)
}

const leave = (user: number) => (world: World) => {
  const place = world.places[user]
  if (place === undefined) return
  const hasRun = world.running.includes(user)
  const isPresent = hasRun || world.waiting.includes(user)
  const next = world.roster.leave(place)
  world.running = world.running.filter((one) => one !== user)
  world.waiting = world.waiting.filter((one) => one !== user)
  must("who leaves again changes nothing", isPresent || next === undefined)
  must("a place that comes free goes to who has waited longest", next === (hasRun ? world.waiting[0] : undefined))
  if (next === undefined) return
  world.waiting.shift()
  world.running.push(next)
}

const close = (world: World) => {
  world.roster.close()
  world.isClosed = true
}

export default {
  name: "Roster",
  worlds: {
    "one runs, none waits": make(1, 0),
    "one runs, one waits": make(1, 1),
    "one runs, two wait": make(1, 2),
    "two run, none waits": make(2, 0),
    "two run, one waits": make(2, 1)
  },
  operations: ({ isClosed, places, running, waiting }) => {
    const all: Array<Operation<World>> = []
    for (const [user, place] of places.entries()) {
      const isPresent = running.includes(user) || waiting.includes(user)
      if (!isPresent) all.push({ name: `${user} enters`, run: enter(user) })
      if (place !== undefined) all.push({ name: `${user} leaves`, run: leave(user) })
    }
    if (!isClosed) all.push({ name: "it closes", run: close })
    return all
  },
  laws: {
    "no more run than may": ({ roster, running }) => running.length <= roster.concurrency,
    "no more wait than may": ({ roster, waiting }) => waiting.length <= roster.capacity,
    "nobody waits while there is room to run": ({ roster, running, waiting }) =>
      waiting.length === 0 || running.length === roster.concurrency,
    "it knows who is present": ({ roster, running, waiting }) =>
      roster.all.toSorted().join() === [...running, ...waiting].toSorted().join(),
    "each place knows its state": ({ places, running, waiting }) =>
      places.every((place, user) =>
        place === undefined ||
        place.state === (running.includes(user) ? "running" : waiting.includes(user) ? "waiting" : "left")
      )
  }
} satisfies Machine<World>
