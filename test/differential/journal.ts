/** The visible behaviour of a program: its output, and what it acquired and released. */
import { Effect, type Scope } from "effect"
import { inspect } from "node:util"

/** Something that a program acquired. It must be released once. */
export interface Thing {
  readonly name: string
  releases: number
}

/** How a program takes what it must give back: as Effect does it, or as we do. */
export type Acquire = <A, E, R, R2>(
  acquire: Effect.Effect<A, E, R>,
  release: (value: A) => Effect.Effect<unknown, never, R2>
) => Effect.Effect<A, unknown, R | R2 | Scope.Scope>

/** The same text for the same value, whatever its prototypes are. */
export const show = (value: unknown): string => {
  if (typeof value === "string") return value
  if (value === undefined) return "-"
  try {
    return JSON.stringify(value) ?? inspect(value)
  } catch {
    return inspect(value, { depth: 4, breakLength: Infinity })
  }
}

/** Lets others run, so many times. */
const turns = (count: number): Effect.Effect<void> =>
  count <= 0 ? Effect.void : Effect.flatMap(Effect.yieldNow, () => turns(count - 1))

export class Journal {
  readonly output: Array<string> = []
  readonly things: Array<Thing> = []
  private readonly acquire: Acquire

  constructor(acquire: Acquire) {
    this.acquire = acquire
  }

  /** Says something. */
  readonly say = (value: unknown): Effect.Effect<void> =>
    Effect.sync(() => {
      this.output.push(show(value))
    })

  /** Takes something that takes a while to take and to give back, for as long as the scope is open. */
  readonly hold = (name: string): Effect.Effect<Thing, unknown, Scope.Scope> => this.acquire(this.take(name), this.give)

  /** Takes something; whoever takes it so has to give it back by `give`. */
  readonly take = (name: string): Effect.Effect<Thing> =>
    Effect.andThen(
      turns(1),
      Effect.sync(() => {
        const thing = { name, releases: 0 }
        this.things.push(thing)
        return thing
      })
    )

  readonly give = (thing: Thing): Effect.Effect<void> =>
    Effect.andThen(
      Effect.yieldNow,
      Effect.sync(() => {
        thing.releases++
      })
    )

  /** What was not given back exactly once. */
  get amiss(): ReadonlyArray<string> {
    return this.things.filter(({ releases }) => releases !== 1).map(({ name, releases }) => `${name} ×${releases}`)
  }
}
