import { Effect } from "effect"

/** Nanoseconds that one run of `body` takes, over `runs` of them in a row in this fiber. */
export const nanosPerRun = <E, R>(
  runs: number,
  body: () => Effect.Effect<unknown, E, R>
): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    let left = runs
    const start = performance.now()
    return Effect.map(
      Effect.whileLoop({ while: () => left-- > 0, body, step: () => {} }),
      () => (performance.now() - start) * 1e6 / runs
    )
  })

/** The value below which the share `q` of all values lies. */
export const quantile = (values: ReadonlyArray<number>, q: number): number =>
  values.toSorted((a, b) => a - b)[Math.round((values.length - 1) * q)] ?? NaN

/** Bytes that the heap grows by while `hold` keeps what it made, garbage excluded. */
export const heapGrowth = <E, R>(hold: Effect.Effect<unknown, E, R>): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    const before = heapUsed()
    return Effect.map(hold, () => heapUsed() - before)
  })

const heapUsed = (): number => {
  collector()()
  return process.memoryUsage().heapUsed
}

/**
 * Collects the young garbage, so that a measurement does not pay for the one before it, and makes what is still held
 * old. A full collection would also throw optimised code away, and the measurement would pay for that.
 */
const tidy = () => {
  collector()({ type: "minor" })
  collector()({ type: "minor" })
}

const collector = () => {
  if (globalThis.gc === undefined) throw new Error("Benchmarks run under node --expose-gc: npm run bench -- NAME")
  return globalThis.gc
}

/** What each case measured, in the order of the rounds. */
export type Samples<K extends string> = Record<K, ReadonlyArray<number>>

/**
 * Measures each case once a round, after some rounds of warm-up.
 *
 * The order is reversed from round to round, so that all cases suffer alike from other work and from their neighbours.
 */
export const interleave = <K extends string, E, R>(
  { rounds, warmUp }: { readonly rounds: number; readonly warmUp: number },
  cases: Record<K, Effect.Effect<number, E, R>>
): Effect.Effect<Samples<K>, E, R> =>
  Effect.gen(function*() {
    const entries = Object.entries(cases) as Array<[K, Effect.Effect<number, E, R>]>
    const samples = Object.fromEntries(entries.map(([name]) => [name, []])) as unknown as Record<K, Array<number>>
    for (let round = -warmUp; round < rounds; round++) {
      for (const [name, measure] of round % 2 === 0 ? entries : entries.toReversed()) {
        tidy()
        const sample = yield* measure
        if (round >= 0) samples[name].push(sample)
      }
    }
    return samples
  })
