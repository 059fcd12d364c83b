/**
 * Visits every interleaving of a machine's users, up to a number of steps, and checks its laws in each state.
 *
 * A world is the machine and a model of its users. Two equal worlds continue in the same way. So each is visited once, and the
 * interleavings that lead through it are counted.
 */
/** One thing that a user, or the world around, may do next. */
export interface Operation<W> {
  readonly name: string
  /** Acts on the world that it is given, which may be a copy of the one that it was enabled in. */
  readonly run: (world: W) => void
}

export interface Machine<W extends object> {
  readonly name: string
  /** The worlds to begin in, by a name. */
  readonly worlds: Readonly<Record<string, () => W>>
  /** What may be done next. */
  readonly operations: (world: W) => ReadonlyArray<Operation<W>>
  /** What must hold in each state. */
  readonly laws: Readonly<Record<string, (world: W) => boolean>>
  /** Immutable things that worlds share. They are not copied. */
  readonly atoms?: ReadonlyArray<object>
}

/** A law that was broken, and the shortest path of operations to that. */
interface Broken {
  readonly law: string
  readonly detail: string
  readonly path: ReadonlyArray<string>
}

export interface Enumerated {
  readonly interleavings: number
  readonly states: number
  readonly broken: Broken | undefined
}

/** The law that every machine has to keep. */
export const throwsNothing = "it throws nothing"

class LawBroken extends Error {}

/** What must hold within one operation. */
export const must = (law: string, holds: boolean): void => {
  if (!holds) throw new LawBroken(law)
}

/** A copy, made without any constructor, in which whatever was one thing still is one thing. */
const copy = <A>(value: A, made: Map<object, object>): A => {
  if (typeof value !== "object" || value === null) return value
  const known = made.get(value)
  if (known !== undefined) return known as A
  if (value instanceof Set) {
    const set = new Set()
    made.set(value, set)
    for (const one of value) set.add(copy(one, made))
    return set as A
  }
  if (value instanceof Map) {
    const map = new Map()
    made.set(value, map)
    for (const [key, one] of value) map.set(copy(key, made), copy(one, made))
    return map as A
  }
  const target = Array.isArray(value)
    ? value.slice()
    : Object.assign(Object.create(Object.getPrototypeOf(value)), value)
  made.set(value, target)
  for (const key of Object.keys(target)) {
    const one = target[key]
    if (typeof one === "object" && one !== null) target[key] = copy(one, made)
  }
  return target
}

/** A number for each text and each class that worlds hold. */
const words = new Map<unknown, number>()

const wordOf = (of: unknown): number => {
  const known = words.get(of)
  if (known !== undefined) return known
  words.set(of, words.size)
  return words.size - 1
}

/** What kind of thing a number stands for in a digest. */
const mark = { number: 1, word: 2, again: 3, object: 4, end: 5 } as const

/** 96 bits: three lanes that are mixed as Murmur3 does, each with numbers of its own. */
class Digest {
  private a = 0x9747b28c | 0
  private b = 0x1b873593
  private c = 0x2545f491

  add(kind: number, value: number): void {
    const k = Math.imul(value, 0xcc9e2d51) ^ Math.imul(kind, 0x27d4eb2f)
    const turned = (k << 15) | (k >>> 17)
    const a = this.a ^ Math.imul(turned, 0x1b873593)
    this.a = Math.imul((a << 13) | (a >>> 19), 5) + 0xe6546b64 | 0
    const b = this.b ^ Math.imul(turned ^ value, 0x85ebca6b)
    this.b = Math.imul((b << 17) | (b >>> 15), 9) + 0x38495ab5 | 0
    const c = this.c ^ Math.imul(k + kind | 0, 0xc2b2ae35)
    this.c = Math.imul((c << 11) | (c >>> 21), 5) + this.a | 0
  }

  get text(): string {
    return String.fromCharCode(
      this.a & 0xffff,
      this.a >>> 16,
      this.b & 0xffff,
      this.b >>> 16,
      this.c & 0xffff,
      this.c >>> 16
    )
  }
}

/** Equal for worlds that nothing could tell apart: things are numbered in the order in which they are come upon. */
const keyOf = (world: object, atoms: ReadonlyArray<object>): string => {
  const seen = new Map<unknown, number>()
  for (const atom of atoms) seen.set(atom, seen.size)
  const digest = new Digest()
  const write = (value: unknown): void => {
    if (typeof value === "number" && (value | 0) === value) return digest.add(mark.number, value)
    if (typeof value === "function") throw new Error(`A world holds the function ${value.name}, which is no state`)
    if (typeof value !== "object" || value === null) return digest.add(mark.word, wordOf(value))
    const known = seen.get(value)
    if (known !== undefined) return digest.add(mark.again, known)
    seen.set(value, seen.size)
    digest.add(mark.object, wordOf(value.constructor))
    if (value instanceof Set || Array.isArray(value)) { for (const one of value) write(one) }
    else if (value instanceof Map) {
      for (const [key, one] of value) {
        write(key)
        write(one)
      }
    } else {
      for (const key of Object.keys(value)) {
        digest.add(mark.word, wordOf(key))
        write((value as Record<string, unknown>)[key])
      }
    }
    digest.add(mark.end, 0)
  }
  write(world)
  return digest.text
}

interface State<W> {
  readonly from: State<W> | undefined
  readonly by: string
  /** Until it has been gone on with. */
  world: W | undefined
  next: Array<number>
}

const pathTo = <W>(state: State<W>): ReadonlyArray<string> =>
  state.from === undefined ? [state.by] : [...pathTo(state.from), state.by]

/** How many ways lead through the graph from the first states on, of `steps` steps or to where nothing more can be done. */
const countWays = <W>(states: ReadonlyArray<State<W>>, starts: number): number => {
  let ended = 0
  let now = new Float64Array(states.length).fill(1, 0, starts)
  for (let step = 0; step < steps; step++) {
    const then = new Float64Array(states.length)
    for (const [i, { next }] of states.entries()) {
      const ways = now[i] ?? 0
      if (ways === 0) continue
      if (next.length === 0) ended += ways
      for (const one of next) then[one] = (then[one] ?? 0) + ways
    }
    now = then
  }
  return now.reduce((sum, ways) => sum + ways, ended)
}

/** How far every machine is walked. */
const steps = 12

/** A machine with more states than this is not small, and would take all memory there is. */
const mostStates = 100_000

/** One machine as it is walked. */
class Walk<W extends object> {
  readonly states: Array<State<W>> = []
  broken: Broken | undefined
  private readonly numbers = new Map<string, number>()
  private readonly machine: Machine<W>
  private readonly atoms: ReadonlyArray<object>

  constructor(machine: Machine<W>) {
    this.machine = machine
    this.atoms = machine.atoms ?? []
  }

  /** The number of the state that a world is in. */
  numberOf(world: W, from: State<W> | undefined, by: string): number {
    const { numbers, states } = this
    const key = keyOf(world, this.atoms)
    const known = numbers.get(key)
    if (known !== undefined) return known
    const number = states.length
    if (number === mostStates) throw new Error(`There are more than ${mostStates} states: make the worlds smaller`)
    numbers.set(key, number)
    const state = { from, by, world, next: [] }
    states.push(state)
    for (const [law, holds] of Object.entries(this.machine.laws)) {
      if (!holds(world)) this.broken ??= { law, detail: "", path: pathTo(state) }
    }
    return number
  }

  /** Goes on from a state in every way that there is, until a law is broken. */
  goOn(state: State<W>): void {
    const { world } = state
    if (world === undefined) return
    for (const { name, run } of this.machine.operations(world)) {
      if (this.broken !== undefined) return
      const after = copy(world, new Map(this.atoms.map((atom) => [atom, atom])))
      try {
        run(after)
      } catch (error) {
        const [law, detail] = error instanceof LawBroken ? [error.message, ""] : [throwsNothing, String(error)]
        this.broken = { law, detail, path: [...pathTo(state), name] }
        return
      }
      state.next.push(this.numberOf(after, state, name))
    }
    state.world = undefined
  }
}

/** Ends with the first law that is broken; no path to a broken law is shorter. */
export const enumerate = <W extends object>(machine: Machine<W>): Enumerated => {
  const walk = new Walk(machine)
  const { states } = walk
  for (const [name, make] of Object.entries(machine.worlds)) walk.numberOf(make(), undefined, name)
  const starts = states.length
  let from = 0
  for (let step = 0; step < steps; step++) {
    const to = states.length
    for (const state of states.slice(from, to)) walk.goOn(state)
    from = to
  }
  const { broken } = walk
  return { interleavings: broken === undefined ? countWays(states, starts) : 0, states: states.length, broken }
}
