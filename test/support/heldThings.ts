/** Things that sessions of a simulation hold: the book by which it is judged what was taken, given back, and when. */
import { Simulation } from "@clawback/testing"
import { Context, Data, Effect } from "effect"

export interface Thing {
  readonly id: number
  readonly parent: Thing | undefined
  readonly tenant: string | undefined
  isHeld: boolean
  /** Giving back has failed once, and will not again. */
  hasFailed: boolean
  /** How many things inside of it are held. */
  children: number
}

/** Not given by us: the world is out of things. */
export class OutOfThings extends Data.TaggedError("OutOfThings")<{}> {}

/** The thing inside of which a fiber works, as the book knows it: the sessions' own idea of it is on trial here. */
export const Inside = Context.Reference<Thing | undefined>("test/Inside", { defaultValue: () => undefined })

export class Book {
  taken = 0
  returned = 0
  readonly heldBy = new Map<string, number>()

  /** Takes time, or fails. */
  readonly take = (tenant: string | undefined) =>
    Effect.gen({ self: this }, function*() {
      if (yield* Simulation.fault("nothing to acquire", 0.05)) return yield* new OutOfThings()
      if (yield* Simulation.fault("acquisition is slow", 0.1)) yield* Simulation.latency(10, 80)
      else yield* Effect.yieldNow
      const parent = yield* Inside
      const thing: Thing = { id: ++this.taken, parent, tenant, isHeld: true, hasFailed: false, children: 0 }
      if (parent !== undefined) parent.children++
      if (tenant !== undefined) this.heldBy.set(tenant, (this.heldBy.get(tenant) ?? 0) + 1)
      return thing
    }).pipe(Simulation.phase("acquiring"))

  /** Takes time, and may fail at first. */
  readonly put = (thing: Thing) => {
    return Effect.gen({ self: this }, function*() {
      yield* Simulation.check("nothing is given back twice", thing.isHeld, () => `thing ${thing.id}`)
      yield* Simulation.check(
        "children are given back before their parent",
        thing.children === 0,
        () => `thing ${thing.id}`
      )
      if (!thing.hasFailed && (yield* Simulation.fault("release fails at first", 0.05))) {
        thing.hasFailed = true
        return yield* new OutOfThings()
      }
      if (yield* Simulation.fault("release is slow", 0.1)) yield* Simulation.latency(10, 80)
      else yield* Effect.yieldNow
      if (!thing.isHeld) return
      thing.isHeld = false
      this.returned++
      if (thing.parent !== undefined) thing.parent.children--
      if (thing.tenant !== undefined) this.heldBy.set(thing.tenant, (this.heldBy.get(thing.tenant) ?? 0) - 1)
    }).pipe(Simulation.phase("releasing"))
  }
}
