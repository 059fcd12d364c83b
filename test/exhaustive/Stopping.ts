/**
 * A shutdown goes through its phases. One world has work, which may wait for the shutdown. One has finalizers that are
 * registered, withdrawn and taken. One has requests that join, hurry and abandon the shutdown.
 */
import { type Registration, Stopping, type Ticket } from "../../packages/core/src/internal/shutdown/machine.ts"
import { type Phase, phases } from "../../packages/core/src/internal/shutdown/phases.ts"
import { type Machine, must, type Operation } from "../support/enumerate.ts"

const order = ["running", ...phases, "done"] as const

interface Work {
  readonly ticket: Ticket<number>
  /** The piece that it was admitted inside of, if that was in flight. */
  readonly inside: number | undefined
  isInFlight: boolean
  isExcused: boolean
}

interface World {
  readonly stopping: Stopping<number, number>
  /** What the state should be, counted in `order`. */
  at: number
  requests: number
  /** Each is admitted once at most. */
  readonly work: Array<Work | undefined>
  /** What has left since it was asked for. */
  ended: number
  interrupted: Array<number>
  /** Those that are registered, in that order. */
  registered: Array<Registration<number>>
  /** How many finalizers there have been, so that each is told from the others. */
  made: number
  readonly limits: Limits
}

/** How many of each there may be. */
interface Limits {
  readonly pieces: number
  readonly finalizers: number
  readonly requests: number
}

const make = (limits: Limits) => (): World => ({
  stopping: new Stopping(),
  at: 0,
  requests: 0,
  work: Array.from({ length: limits.pieces }, () => undefined),
  ended: 0,
  interrupted: [],
  registered: [],
  made: 0,
  limits
})

const isBefore = ({ at }: World, phase: Phase): boolean => at < order.indexOf(phase)

const inFlight = ({ work }: World, piece: number | undefined): Work | undefined => {
  const known = piece === undefined ? undefined : work[piece]
  return known?.isInFlight === true ? known : undefined
}

const admit = (piece: number, inside: number | undefined) => (world: World) => {
  const around = inFlight(world, inside)
  const ticket = world.stopping.admit(piece, inside === undefined ? undefined : world.work[inside]?.ticket)
  const isAdmitted = isBefore(world, "stop") || (around !== undefined && isBefore(world, "interrupt"))
  must(
    "work is admitted until admission stops, and inside of other work until that is interrupted",
    isAdmitted === (ticket !== undefined)
  )
  if (ticket === undefined) return
  must("what begins inside of work in flight belongs to it", ticket.parent === around?.ticket)
  world.work[piece] = {
    ticket,
    inside: around === undefined ? undefined : inside,
    isInFlight: true,
    isExcused: around?.isExcused ?? false
  }
}

const leave = (piece: number, isInterrupted: boolean) => (world: World) => {
  const work = world.work[piece]
  if (work === undefined) return
  must("work leaves once", world.stopping.leave(work.ticket, isInterrupted) === work.isInFlight)
  if (work.isInFlight && world.at > 0) {
    if (isInterrupted) world.interrupted.push(piece)
    else world.ended++
  }
  work.isInFlight = false
}

const excuse = (piece: number) => (world: World) => {
  world.stopping.excuse(world.work[piece]?.ticket)
  for (let at = world.work[piece]; at !== undefined; at = at.inside === undefined ? undefined : world.work[at.inside]) {
    if (at.isInFlight) at.isExcused = true
  }
}

const takeLeft = (world: World) => {
  const { ended, interrupted } = world.stopping.takeLeft()
  must("what has left is counted once", ended === world.ended && interrupted.join() === world.interrupted.join())
  world.ended = 0
  world.interrupted = []
}

const begin = (world: World) => {
  must("a shutdown begins once", world.stopping.begin() === (world.at === 0))
  world.at = Math.max(world.at, 1)
}

const request = (world: World) => {
  const answer = world.stopping.escalate()
  const isOver = world.at === order.length - 1
  if (!isOver) world.requests++
  const first = world.at === 0 ? "begun" : "joined"
  const expected = isOver ? "over" : world.requests === 1 ? first : world.requests === 2 ? "hurried" : "abandoned"
  must("the first request begins or joins, the second hurries, the third abandons", answer === expected)
  if (answer === "begun") world.at = 1
}

const next = (world: World) => {
  world.at++
  must("phases go forward, one by one", world.stopping.next() === order[world.at])
}

const register = (phase: Phase) => (world: World) => {
  const registration = { phase, finalizer: ++world.made }
  const isInTime = isBefore(world, phase)
  must("a finalizer is registered until its phase begins", world.stopping.register(registration) === isInTime)
  if (isInTime) world.registered.push(registration)
}

const withdraw = (i: number) => (world: World) => {
  const [registration] = world.registered.splice(i, 1)
  if (registration === undefined) return
  must("what is registered can be withdrawn", world.stopping.withdraw(registration))
  must("what was withdrawn is gone", !world.stopping.withdraw(registration))
}

const take = (world: World) => {
  const due = world.registered.filter(({ phase }) => phase === order[world.at]).toReversed()
  const taken = world.stopping.take()
  must(
    "each phase takes what is registered for it, the last one first",
    taken.join() === due.map((_) => _.finalizer).join()
  )
  for (const registration of due) must("what a phase has taken is gone", !world.stopping.withdraw(registration))
  world.registered = world.registered.filter((registration) => !due.includes(registration))
}

const ofWork = ({ work }: World): ReadonlyArray<Operation<World>> =>
  work.flatMap((known, piece): ReadonlyArray<Operation<World>> => {
    if (known === undefined) {
      // In the order of their numbers, as they are alike.
      if (piece > 0 && work[piece - 1] === undefined) return []
      return [undefined, ...work.keys()].filter((around) => around === undefined || around < piece).map((around) => ({
        name: `${piece} begins${around === undefined ? "" : ` inside of ${around}`}`,
        run: admit(piece, around)
      }))
    }
    return [
      { name: `${piece} ends`, run: leave(piece, false) },
      ...(known.isInFlight ? [{ name: `${piece} is interrupted`, run: leave(piece, true) }] : []),
      ...(known.isExcused ? [] : [{ name: `${piece} waits for the shutdown`, run: excuse(piece) }])
    ]
  })

const ofFinalizers = ({ limits, made, registered }: World): ReadonlyArray<Operation<World>> => [
  ...(made < limits.finalizers
    ? phases.filter((phase) => phase === "stop" || phase === "drain")
      .map((phase) => ({ name: `a finalizer for ${phase} is registered`, run: register(phase) }))
    : []),
  ...registered.map((_, i) => ({ name: `finalizer ${i} is withdrawn`, run: withdraw(i) })),
  { name: "the phase takes its finalizers", run: take }
]

export default {
  name: "Stopping",
  worlds: {
    work: make({ pieces: 3, finalizers: 0, requests: 0 }),
    finalizers: make({ pieces: 0, finalizers: 3, requests: 0 }),
    requests: make({ pieces: 1, finalizers: 0, requests: 4 })
  },
  operations: (world) => [
    ...ofWork(world),
    ...(world.limits.finalizers > 0 ? ofFinalizers(world) : []),
    ...(world.at > 0 && world.limits.pieces > 0 ? [{ name: "what has left is asked for", run: takeLeft }] : []),
    ...(world.at === 0 ? [{ name: "it begins", run: begin }] : []),
    ...(world.at > 0 && world.at < order.length - 1 ? [{ name: "it goes on", run: next }] : []),
    ...(world.requests < world.limits.requests ? [{ name: "it is requested", run: request }] : [])
  ],
  laws: {
    "it knows its phase": ({ at, stopping }) => stopping.state === order[at],
    "it is drained when it waits for nobody": ({ stopping, work }) =>
      stopping.isDrained === work.every((one) => one?.isInFlight !== true || one.isExcused),
    "the drain waits for nobody who waits for it, nor for what is around that": ({ work }) =>
      work.every((one) => one === undefined || one.ticket.isAwaited !== one.isExcused),
    "it knows what is in flight": ({ stopping, work }) =>
      stopping.live.join() === [...work.keys()].filter((piece) => work[piece]?.isInFlight === true).join(),
    "a second request skips unready and drain, a third one all that is left": ({ requests, stopping }) =>
      phases.every((phase) =>
        stopping.skips(phase) === (requests > 2 || (requests > 1 && (phase === "unready" || phase === "drain")))
      ),
    "it says what it would admit": (world) =>
      world.stopping.admits(undefined) === isBefore(world, "stop") &&
      world.work.every((one) =>
        one === undefined ||
        world.stopping.admits(one.ticket) === isBefore(world, one.isInFlight ? "interrupt" : "stop")
      )
  }
} satisfies Machine<World>
