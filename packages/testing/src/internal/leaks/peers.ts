/**
 * The other side of a test: a server that was made inside it.
 *
 * When it closes, it closes its connections, also those that the test forgot. So it closes only after the leaks were counted, and
 * its own handles are not leaks. If its scope closes before the test ends, it stops listening at once, as the test expects. Its
 * connections stay for a moment, in which a test that is about to end has ended.
 */
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"
import * as Scheduler from "effect/Scheduler"
import * as Scope from "effect/Scope"
import { type Births, type Descriptor, kernel, keyOf } from "./handles.ts"

/** If a test ends when its layer closes, the time between is shorter than this. */
const moment = Duration.millis(100)

const live = Context.get(Context.empty(), Clock.Clock)

/** Whether the work of a fiber is a peer's. */
const IsPeer = Context.Reference<boolean>("@clawback/testing/LeakCheck/IsPeer", { defaultValue: () => false })

interface Peer {
  readonly ports: Set<number>
  readonly descriptors: Set<string>
  /** What remains to be closed after its own scope was closed. */
  closing: Effect.Effect<void> | undefined
}

export class Peers {
  private readonly outside: Context.Context<never>
  private readonly births: Births
  private readonly peers = new Set<Peer>()
  private state: "running" | "ending" | "ended" = "running"

  /** With the context of the fiber that counts leaks. */
  constructor(outside: Context.Context<never>, births: Births) {
    this.outside = outside
    this.births = births
  }

  /** Fibers and sessions of a peer are not counted. */
  private unwatched<A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    const { outside } = this
    return effect.pipe(
      Effect.provideService(Scheduler.Scheduler, Context.get(outside, Scheduler.Scheduler)),
      Effect.provideService(Metric.FiberRuntimeMetrics, Context.get(outside, Metric.FiberRuntimeMetrics)),
      Effect.provideService(SessionRegistry.SessionRegistry, Context.get(outside, SessionRegistry.SessionRegistry)),
      Effect.provideService(IsPeer, true)
    )
  }

  /** What was opened since `before` belongs to the peer, except what another fiber has opened. */
  private claim(peer: Peer, before: ReadonlyArray<Descriptor>): Effect.Effect<void> {
    const known = new Set(before.map(keyOf))
    return Effect.map(kernel, (now) => {
      for (const descriptor of now) {
        const context = this.births.of(descriptor.fd)?.context
        if (known.has(keyOf(descriptor)) || (context !== undefined && !Context.get(context, IsPeer))) continue
        peer.descriptors.add(keyOf(descriptor))
        if (descriptor.socket?.state === "LISTEN") peer.ports.add(descriptor.socket.localPort)
      }
    })
  }

  /** Whether a closing peer holds this: it listens there, has accepted it, or has it in its own thread. */
  owns(descriptor: Descriptor): boolean {
    const { fd, socket } = descriptor
    for (const { closing, descriptors, ports } of this.peers) {
      if (closing === undefined) continue
      if (descriptors.has(keyOf(descriptor))) return true
      if (socket === undefined) continue
      if (ports.has(socket.localPort) || (ports.has(socket.remotePort) && this.births.of(fd) === undefined)) return true
    }
    return false
  }

  /** Makes a peer. `leave` makes it accept no more connections; after the test, that is not needed. */
  make<A, E, R>(
    make: Effect.Effect<A, E, R>,
    leave: (peer: A, isOver: boolean) => Effect.Effect<unknown, unknown>
  ): Effect.Effect<A, E, Exclude<R, Scope.Scope> | Scope.Scope> {
    return Effect.uninterruptibleMask((restore) =>
      Effect.gen({ self: this }, function*() {
        const peer: Peer = { ports: new Set(), descriptors: new Set(), closing: undefined }
        const scope = yield* Scope.make()
        let made: A | undefined
        this.peers.add(peer)
        const leaving = (isOver: boolean) => made === undefined ? Effect.void : Effect.ignore(leave(made, isOver))
        yield* Effect.addFinalizer((exit) => this.close(peer, leaving, Scope.close(scope, exit)))
        const before = yield* kernel
        made = yield* restore(this.unwatched(Scope.provide(make, scope)))
        yield* this.claim(peer, before)
        return made
      })
    )
  }

  private close(
    peer: Peer,
    leave: (isOver: boolean) => Effect.Effect<void>,
    closing: Effect.Effect<void>
  ): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.state === "ended") return closing
      peer.closing = closing
      if (this.state === "ending") return leave(true)
      const later = Effect.andThen(
        live.sleep(moment),
        Effect.suspend(() => this.state === "running" ? this.finish(peer) : Effect.void)
      )
      Effect.runForkWith(this.outside)(later)
      return leave(false)
    })
  }

  private finish(peer: Peer): Effect.Effect<void> {
    this.peers.delete(peer)
    return Effect.ignoreCause(peer.closing ?? Effect.void)
  }

  /** The test is over: from here on, peers stay until the leaks were counted. */
  ending(): void {
    this.state = "ending"
  }

  /** The leaks were counted. A peer that waits for clients that are left may take at most this long. */
  ended(patienceMillis: number): Effect.Effect<void> {
    return Effect.callback((resume) => {
      this.state = "ended"
      const run = Effect.runForkWith(this.outside)
      const patience = run(live.sleep(Duration.millis(patienceMillis)))
      patience.addObserver(() => resume(Effect.void))
      const closing = Effect.forEach([...this.peers], (peer) => this.finish(peer), { concurrency: "unbounded" })
      run(closing).addObserver(() => patience.interruptUnsafe())
    })
  }
}

/** The current check for leaks. */
export const Current = Context.Reference<Peers | undefined>("@clawback/testing/LeakCheck/Peers", {
  defaultValue: () => undefined
})

let ofProcess: Peers | undefined

/** The check for leaks in the whole process. */
export const setOfProcess = (peers: Peers | undefined): void => {
  ofProcess = peers
}

/** Makes a server that is the other side of the checked program. */
export const make = <A, E, R>(
  make: Effect.Effect<A, E, R>,
  leave: (peer: A, isOver: boolean) => Effect.Effect<unknown, unknown>
): Effect.Effect<A, E, R | Scope.Scope> =>
  Effect.flatMap(
    Current,
    (peers): Effect.Effect<A, E, R | Scope.Scope> => (peers ?? ofProcess)?.make(make, leave) ?? make
  )
