/** The things that sessions of a simulation hold: a record of what was acquired and released, and when. */
import type { Session, SessionRegistry } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Context, Data, Effect, type Scope } from "effect"

export interface Thing {
  readonly id: number
  readonly parent: Thing | undefined
  readonly tenant: string | undefined
  /** Lost is what could not be given back: its release died. */
  state: "held" | "returned" | "lost"
  /** Giving back has failed once, and will not again. */
  hasFailed: boolean
  /** Giving back takes longer than anybody waits for. */
  isStuck: boolean
  /** What was taken inside of it, however long ago. */
  readonly children: Set<Thing>
  /** The sessions inside of which it was taken. */
  readonly around: ReadonlyArray<number>
}

/** Reads a stream in a session of this name, which no other session has. */
export interface Reader {
  readonly name: string
  isGone: boolean
}

/** Not given by us: the world is out of things. */
export class OutOfThings extends Data.TaggedError("OutOfThings")<{}> {}

/** What a release dies of. */
export class Broken extends Data.TaggedError("Broken")<{}> {}

/** The thing inside of which a fiber works, as the book knows it: the sessions' own idea of it is on trial here. */
export const Inside = Context.Reference<Thing | undefined>("test/Inside", { defaultValue: () => undefined })

/** The ids of the sessions inside of which a fiber works, as the book knows them. */
export const Around = Context.Reference<ReadonlyArray<number>>("test/Around", { defaultValue: () => [] })

export class Book {
  taken = 0
  returned = 0
  lost = 0
  /** How many could not be given back in time. */
  stuck = 0
  /** Whether everything is being taken at once, from whoever it may be. */
  isSeized = false
  readonly held = new Set<Thing>()
  readonly heldBy = new Map<string, number>()
  /** Those who have gone, or soon will, without closing what they read. */
  readonly dropped = new Set<Reader>()

  /** The sessions that are revoked in this step, in which their fibers are interrupted one after the other. */
  readonly beingRevoked = new Set<number>()
  /** What a stream has opened after it was told to end: a part of its release. */
  readonly belated = new Set<number>()
  /** Whether a stream was told to end, by the id of its session. */
  private readonly isToldToEnd = new Map<number, () => boolean>()

  /** A stream begins in its session. */
  enter(session: Session.Session | undefined, scope: Scope.Scope) {
    if (session === undefined) return
    this.isToldToEnd.set(session.id, () => session.revoked !== undefined || scope.state._tag === "Closed")
  }

  /** Hears of a change in its step. */
  hear(change: SessionRegistry.Change) {
    if (change._tag === "Revoked") this.beingRevoked.add(change.session.id)
    if (change._tag !== "Opened") return
    const { id, parent = 0 } = change.session
    if (this.isToldToEnd.get(parent)?.() === true) this.belated.add(id)
  }

  /** The names of the sessions of readers that have gone. A session may be open before any of its stream has run. */
  get abandoned(): ReadonlySet<string> {
    return new Set([...this.dropped].flatMap(({ isGone, name }) => isGone ? [name] : []))
  }

  private named = 0

  /** A name that no other session of the run has. */
  readonly name = (kind: string) => `${kind} ${++this.named}`

  /** Waits its turn, in the part that may be interrupted, and takes. */
  readonly take = (tenant: string | undefined) => (restore: Session.Restore) =>
    Effect.gen({ self: this }, function*() {
      if (yield* Simulation.fault("acquisition waits its turn", 0.1)) {
        const comes = !(yield* Simulation.fault("the turn never comes", 0.3))
        yield* restore(comes ? Simulation.latency(0, 60) : Effect.never)
      }
      return yield* this.grab(tenant)
    }).pipe(Simulation.phase("acquiring"))

  /** Takes time, or fails. */
  readonly grab = (tenant: string | undefined) =>
    Effect.gen({ self: this }, function*() {
      if (yield* Simulation.fault("nothing to acquire", 0.05)) return yield* new OutOfThings()
      if (yield* Simulation.fault("acquisition is slow", 0.1)) yield* Simulation.latency(10, 80)
      else yield* Effect.yieldNow
      const parent = yield* Inside
      const thing: Thing = {
        id: ++this.taken,
        parent,
        tenant,
        state: "held",
        hasFailed: false,
        isStuck: false,
        children: new Set(),
        around: yield* Around
      }
      this.held.add(thing)
      parent?.children.add(thing)
      this.count(tenant, 1)
      return thing
    }).pipe(Simulation.phase("acquiring"))

  /** Takes time, and may fail at first, or die, or take longer than anybody waits. */
  readonly put = (thing: Thing) =>
    Effect.gen({ self: this }, function*() {
      yield* Simulation.check("nothing is given back twice", thing.state === "held", () => `thing ${thing.id}`)
      yield* Simulation.check(
        "children are given back before their parent",
        [...thing.children].every(({ isStuck, state }) => state !== "held" || isStuck),
        () => `thing ${thing.id}`
      )
      if (!thing.hasFailed && (yield* Simulation.fault("release fails at first", 0.05))) {
        thing.hasFailed = true
        return yield* new OutOfThings()
      }
      if (yield* Simulation.fault("release is stuck", 0.004)) {
        thing.isStuck = true
        this.stuck++
        yield* Simulation.latency(200_000, 300_000)
      } else if (yield* Simulation.fault("release is slow", 0.1)) yield* Simulation.latency(10, 80)
      else yield* Effect.yieldNow
      if (thing.state !== "held") return
      this.held.delete(thing)
      this.count(thing.tenant, -1)
      if (yield* Simulation.fault("release dies", 0.01)) {
        thing.state = "lost"
        this.lost++
        return yield* Effect.die(new Broken())
      }
      thing.state = "returned"
      this.returned++
    }).pipe(Simulation.phase("releasing"))

  private count(tenant: string | undefined, by: number) {
    if (tenant !== undefined) this.heldBy.set(tenant, (this.heldBy.get(tenant) ?? 0) + by)
  }
}
