/**
 * The simulator finds the leaks of three parts of Effect 4.1, and finds none in others.
 *
 * `npm run prove -- harness [--scale small|full]`. For each leak: the seeds tried, those that failed, and the first of
 * them replayed, twice in this process and once in another, with the same trace. The control does the same work with a part
 * that does not leak. Small stops at the first leak, and runs fewer seeds on the controls.
 */
import { Simulation } from "@clawback/testing"
import { execFileSync } from "node:child_process"
import { execPath, exit } from "node:process"
import * as EffectPartitionedSemaphore from "../simulations/effect/EffectPartitionedSemaphore.ts"
import * as EffectPool from "../simulations/effect/EffectPool.ts"
import * as EffectScopedCache from "../simulations/effect/EffectScopedCache.ts"
import { scale } from "../support/scale.ts"

const isSmall = scale() === "small"
const seeds = 20_000
const controlSeeds = isSmall ? 1000 : seeds

/** A seed may fail in several ways, and is one leak all the same. */
const leaksIn = ({ failures }: Simulation.Report) => new Set(failures.map(({ seed }) => seed)).size

/** The trace of a seed in a process of its own. */
const elsewhere = (module: string, seed: number): string => {
  const flags = ["scripts/simulate.ts", "--module", `effect/${module}`, "--seed", String(seed)]
  try {
    execFileSync(execPath, ["--conditions=@clawback/source", ...flags], { encoding: "utf8", stdio: "pipe" })
    return "nothing failed"
  } catch (error) {
    // It exits with 1, as a run with a failure has to.
    if (!(error instanceof Error && "stdout" in error)) throw error
    return JSON.parse(String(error.stdout).trim().split("\n").at(-1) ?? "").hash
  }
}

const leaks = [EffectPartitionedSemaphore, EffectScopedCache, EffectPool].map(({ control, default: leaky }) => {
  const found = Simulation.explore(leaky, { seeds, stopAtFirst: isSmall })
  const [first] = found.failures
  if (first?.seed === undefined) return { name: leaky.name, met: false, detail: `no leak in ${found.seeds} seeds` }
  const replays = [Simulation.replay(leaky, first.seed), Simulation.replay(leaky, first.seed)]
  const hashes = [...replays.map(({ hash }) => hash), elsewhere(leaky.name, first.seed)]
  const isReplayed = new Set(hashes).size === 1 &&
    replays.every(({ failures }) => failures.some(({ property }) => property === first.property))
  const clean = Simulation.explore(control, { seeds: controlSeeds })

  console.log(
    `${leaky.name}: ${found.failures.length} leaks in ${found.seeds} seeds; ${first.property}: ${first.detail}`
  )
  console.log(`  npm run simulate -- --module effect/${leaky.name} --seed ${first.seed}`)
  console.log(`  replayed here, here and in another process: traces ${hashes.join(", ")}`)
  console.log(`  control, ${control.name}: ${leaksIn(clean)} leaks in ${clean.seeds} seeds`)
  return {
    name: leaky.name,
    met: isReplayed && clean.failures.length === 0,
    seeds: found.seeds,
    leaks: leaksIn(found),
    firstSeed: first.seed,
    trace: hashes[0],
    control: { name: control.name, seeds: clean.seeds, leaks: leaksIn(clean) }
  }
})

const met = leaks.every((leak) => leak.met)
console.log(JSON.stringify({ name: "harness", met, leaks }))
exit(met ? 0 : 1)
