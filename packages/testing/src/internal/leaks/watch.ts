/** Watches what a program acquires from this process and from a registry, and reports what is left. */
import * as SessionObserver from "@clawback/core/SessionObserver"
import type * as SessionRegistry from "@clawback/core/SessionRegistry"
import type * as NodeProbes from "@clawback/node/NodeProbes"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { callers } from "./callers.ts"
import type { Running } from "./fibers.ts"
import { Births, type Descriptor, kernel, keyOf } from "./handles.ts"
import type { Peers } from "./peers.ts"
import * as Pools from "./pools.ts"
import { Leak } from "./report.ts"
import * as Trail from "./trail.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>

const sessionId = (id: number | undefined) => id === undefined ? undefined : `session ${id}`
const fiberId = (id: number | undefined) => id === undefined ? undefined : `fiber ${id}`
const descriptorId = ({ fd }: Descriptor) => `descriptor ${fd}`

const unique = (lines: ReadonlyArray<string>) => [...new Set(lines)]

export class Watch {
  readonly births = new Births()
  private readonly requests = new Pools.Watcher()
  private readonly registry: SessionRegistry.SessionRegistry
  /** Where each session was opened. */
  private readonly places = new Map<number, Trail.Place | undefined>()
  /** The session of a connection, by the fiber that holds it. */
  private readonly connections = new WeakMap<AnyFiber, number>()
  private before: ReadonlySet<string> = new Set()
  private sessionsBefore: ReadonlySet<number> = new Set()

  constructor(registry: SessionRegistry.SessionRegistry) {
    this.registry = registry
  }

  /** From now on, until the scope closes. */
  readonly start: Effect.Effect<void, never, Scope.Scope> = Effect.gen({ self: this }, function*() {
    yield* Effect.acquireRelease(
      Effect.sync(() => {
        this.requests.start()
        this.births.start()
        return [Trail.watch(), SessionObserver.onChange(this.registry, (change) => this.hear(change))]
      }),
      (stops) =>
        Effect.sync(() => {
          for (const stop of stops) stop()
          this.births.stop()
          this.requests.stop()
        })
    )
    this.sessionsBefore = new Set((yield* this.registry.list()).map(({ id }) => id))
    const open = yield* kernel
    // A connection that waits for a request had no owner before.
    const idle = Pools.idle()
    this.before = new Set(open.filter(({ socket }) => !idle.has(socket?.localPort ?? 0)).map(keyOf))
  })

  private hear(change: SessionRegistry.Change): void {
    if (change._tag === "Closed") this.places.delete(change.session.id)
    if (change._tag !== "Opened") return
    const { id, kind } = change.session
    const fiber = Fiber.getCurrent()
    this.places.set(id, Trail.here())
    if (kind === "connection" && fiber !== undefined) this.connections.set(fiber, id)
  }

  /** What was opened since, is still open, and does not belong to a peer. */
  look(peers: Peers, running: () => ReadonlyArray<Running> = () => []): Effect.Effect<ReadonlyArray<Leak>> {
    return Effect.gen({ self: this }, function*() {
      // First, since it takes a while: a fiber that was forked last starts during it, and is seen.
      const open = yield* kernel
      const listening = new Set(open.map(({ socket }) => socket?.state === "LISTEN" ? socket.localPort : undefined))
      const sessions = (yield* this.registry.list()).filter(({ id }) => !this.sessionsBefore.has(id))
      const fibers = running()
      const known = new Set([
        ...sessions.map(({ id }) => sessionId(id)),
        ...fibers.map(({ fiber }) => fiberId(fiber.id))
      ])
      /** The first one that was left too. */
      const nearest = (...ids: ReadonlyArray<string | undefined>) => ids.find((id) => id !== undefined && known.has(id))
      const idle = Pools.idle()
      const held = open.filter((one) => !this.before.has(keyOf(one)) && !peers.owns(one)).map((descriptor) => {
        const birth = this.births.of(descriptor.fd)
        const holder = birth?.fiber
        const { socket } = descriptor
        return {
          descriptor,
          where: birth?.where ?? [],
          isAccepted: socket !== undefined && socket.state !== "LISTEN" &&
            (birth?.isAccepted === true || listening.has(socket.localPort)),
          parent: nearest(sessionId(holder && this.connections.get(holder)), fiberId(holder?.id))
        }
      }).filter(({ descriptor: { socket }, isAccepted, parent }) =>
        socket === undefined || parent !== undefined || !idle.has(isAccepted ? socket.remotePort : socket.localPort)
      )
      /** The other end of the connection, or the server that accepted it. */
      const opposite = ({ localPort, remotePort }: NodeProbes.Socket) =>
        (held.find(({ descriptor: { socket } }) =>
          socket?.localPort === remotePort && socket.remotePort === localPort
        ) ?? held.find(({ descriptor: { socket } }) => socket?.state === "LISTEN" && socket.localPort === localPort))
          ?.descriptor

      return [
        ...sessions.map(({ id, kind, name, owner, parent, state }) =>
          new Leak({
            kind: "session",
            id: `session ${id}`,
            parent: nearest(sessionId(parent), fiberId(owner.fiber)),
            what: `${kind} ${name}, number ${id}, ${state}`,
            where: unique([...callers(owner.site ?? "", 0), ...this.places.get(id)?.lines ?? []])
          })
        ),
        ...fibers.map(({ fiber, parent, session, where }) =>
          new Leak({
            kind: "fiber",
            id: `fiber ${fiber.id}`,
            parent: nearest(fiberId(parent), sessionId(session)),
            what: `#${fiber.id}`,
            where
          })
        ),
        ...held.map(({ descriptor, isAccepted, parent, where }) => {
          const { fd, socket, target } = descriptor
          const id = descriptorId(descriptor)
          if (socket === undefined) return new Leak({ kind: "descriptor", id, parent, what: `${fd}, ${target}`, where })
          const { localPort, remotePort, state } = socket
          const other = isAccepted ? opposite(socket) : undefined
          return new Leak({
            kind: "socket",
            id,
            parent: other === undefined ? parent : descriptorId(other),
            what: state === "LISTEN"
              ? `that listens on port ${localPort}`
              : `${state}, from port ${localPort} to port ${remotePort}`,
            where: isAccepted
              ? [`accepted by the server on port ${localPort}`]
              : unique([...Pools.requestedAt(localPort), ...where])
          })
        }),
        ...this.requests.collected.map(({ what, where }, at) =>
          new Leak({
            kind: "socket",
            id: `request ${at}`,
            parent: undefined,
            what: `of ${what}, whose answer nobody read: only the garbage collector closed it`,
            where
          })
        )
      ]
    })
  }
}
