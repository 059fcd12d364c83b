/** The enumeration of interleavings counts and finds correctly. `simulate` enumerates the machines themselves. */
import { assert, describe, it } from "vitest"
import { enumerate, type Machine, must } from "./support/enumerate.ts"

/** Each user reads a number, then writes it plus one: so an increment can be lost. */
interface World {
  number: number
  readonly read: Array<number | undefined>
  written: number
}

const counting = (users: number, isAtomic: boolean): Machine<World> => ({
  name: "counting",
  worlds: { start: () => ({ number: 0, read: Array.from({ length: users }, () => undefined), written: 0 }) },
  operations: ({ read }) =>
    [...read.keys()].flatMap((user) => {
      if (read[user] === undefined) {
        return {
          name: `${user} reads`,
          run: (world: World) => {
            world.read[user] = world.number
          }
        }
      }
      if (read[user] === -1) return []
      return {
        name: `${user} writes`,
        run: (world: World) => {
          world.number = isAtomic ? world.number + 1 : (world.read[user] ?? 0) + 1
          world.read[user] = -1
          world.written++
          must("nothing is written twice", world.written <= users)
        }
      }
    }),
  laws: { "nothing is lost": ({ number, written }) => number === written }
})

describe("The enumeration of a machine", () => {
  it("counts each interleaving, and each state once", () => {
    // Two steps of each of two users: 4 over 2. What each has read is part of the state.
    assert.deepStrictEqual(enumerate(counting(2, true)), { interleavings: 6, states: 11, broken: undefined })
    assert.strictEqual(enumerate(counting(3, true)).interleavings, 90)
  })

  it("ends at the twelfth step", () => {
    const endless: Machine<{ at: number }> = {
      name: "endless",
      worlds: { start: () => ({ at: 0 }) },
      operations: () => [-1, 1].map((step) => ({ name: String(step), run: (world) => void (world.at += step) })),
      laws: {}
    }
    assert.deepStrictEqual(enumerate(endless), { interleavings: 2 ** 12, states: 25, broken: undefined })
  })

  it("finds the interleaving that breaks a law, by the shortest path", () => {
    const { broken } = enumerate(counting(3, false))
    assert.deepStrictEqual(broken, {
      law: "nothing is lost",
      detail: "",
      path: ["start", "0 reads", "1 reads", "0 writes", "1 writes"]
    })
  })

  it("distinguishes a machine that throws from a broken law", () => {
    const throwing: Machine<{ at: number }> = {
      name: "throwing",
      worlds: { start: () => ({ at: 0 }) },
      operations: () => [{
        name: "goes on",
        run: (world) => {
          if (++world.at === 3) throw new Error("broken")
        }
      }],
      laws: {}
    }
    assert.deepStrictEqual(enumerate(throwing).broken, {
      law: "it throws nothing",
      detail: "Error: broken",
      path: ["start", "goes on", "goes on", "goes on"]
    })
  })

  it("merges two states only if no step can distinguish them", () => {
    interface Shared {
      readonly one: { value: number }
      readonly other: { value: number }
      hasWritten: boolean
    }
    const shared: Machine<Shared> = {
      name: "shared",
      worlds: {
        "one thing": () => {
          const one = { value: 0 }
          return { one, other: one, hasWritten: false }
        },
        "two things": () => ({ one: { value: 0 }, other: { value: 0 }, hasWritten: false })
      },
      operations: ({ hasWritten }) =>
        hasWritten ? [] : [{
          name: "writes",
          run: (world) => {
            world.one.value++
            world.hasWritten = true
          }
        }],
      laws: { "the other stays": ({ other }) => other.value === 0 }
    }
    assert.deepStrictEqual(enumerate(shared).broken?.path, ["one thing", "writes"])
  })
})
