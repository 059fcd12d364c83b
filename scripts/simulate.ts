/**
 * Runs the scenarios of `test/simulations` and enumerates the machines of `test/exhaustive`:
 * `npm run simulate -- [--seeds N | --seconds S] [--module M] [--seed S]`.
 *
 * `--seconds` divides the time among the scenarios: each runs seeds from 1 on during its share, and at least 200. `--seed`
 * replays one seed and prints its trace. The last line is one JSON object. If a property failed, the exit code is 1, and the
 * command that replays the failure is printed.
 */
import { Simulation } from "@clawback/testing"
import { argv, exit } from "node:process"
import { parseArgs } from "node:util"
import { enumerate } from "../test/support/enumerate.ts"
import * as Scenarios from "../test/support/scenarios.ts"

const { values } = parseArgs({
  args: argv.slice(2),
  options: {
    seeds: { type: "string" },
    seconds: { type: "string" },
    module: { type: "string" },
    seed: { type: "string" }
  }
})

const number = (flag: "seeds" | "seconds" | "seed"): number | undefined => {
  const text = values[flag]
  if (text === undefined) return undefined
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  console.error(`--${flag} wants a number from 1 up, not ${text}`)
  return exit(2)
}

const seed = number("seed")
const seconds = number("seconds")
const seeds = number("seeds") ?? (seconds === undefined ? 2000 : Number.MAX_SAFE_INTEGER)
/** Fewer would show nothing, however slow the machine is. */
const fewest = 200

const modules = values.module === undefined
  ? Scenarios.modules()
  : [values.module].filter((_) => !Scenarios.isMachine(_))
const machines = seed !== undefined ? [] : Scenarios.machines().filter((_) => (values.module ?? _) === _)

/** In a broken world every seed may fail; the first ones say enough. */
const shown = 20

const secondsSince = (startedAt: number) => (performance.now() - startedAt) / 1000

interface Failure {
  readonly module: string
  readonly seed?: number | undefined
  readonly property: string
  readonly detail: string
}

const failures: Array<Failure> = []
const enumerated: Record<string, { readonly interleavings: number; readonly states: number }> = {}
for (const module of machines) {
  const startedAt = performance.now()
  const { broken, interleavings, states } = enumerate(await Scenarios.loadMachine(module))
  console.log(
    `${module}: ${interleavings} interleavings, ${states} states in ${secondsSince(startedAt).toFixed(1)} s; ` +
      (broken === undefined ? "no law broken" : "a law is broken")
  )
  enumerated[module] = { interleavings, states }
  if (broken === undefined) continue
  console.error(`  ${broken.law} ${broken.detail}\n    ${broken.path.join("\n    ")}`)
  failures.push({ module, property: broken.law, detail: broken.path.join(", ") })
}

const results: Array<Simulation.Report> = []
const explored: Record<string, number> = {}
let hash: string | undefined
const startedAt = performance.now()
for (const [i, module] of modules.entries()) {
  const scenario = await Scenarios.load(module)
  if (seed !== undefined) {
    const outcome = Simulation.replay(scenario, seed)
    for (const line of outcome.trace) console.log(line)
    console.log(`${module}, seed ${seed}: trace ${outcome.hash}, ${outcome.failures.length} properties failed`)
    hash = outcome.hash
    results.push({ ...outcome, name: module, seeds: 1, distinctTraces: 1 })
    continue
  }
  const begunAt = performance.now()
  const share = seconds === undefined ? Infinity : (seconds - secondsSince(startedAt)) / (modules.length - i)
  const report = Simulation.explore(scenario, {
    seeds,
    isEnough: (seeds) => seeds >= fewest && secondsSince(begunAt) >= share
  })
  console.log(
    `${module}: ${report.seeds} seeds, ${report.distinctTraces} distinct traces, ${report.steps} steps ` +
      `in ${secondsSince(begunAt).toFixed(1)} s; ${report.failures.length} failures`
  )
  for (const { detail, property, seed } of report.failures.slice(0, shown)) {
    console.error(`  ${property}: ${detail}`)
    if (seed !== undefined) console.error(`    npm run simulate -- --module ${module} --seed ${seed}`)
  }
  results.push(report)
  explored[module] = report.seeds
}

const sums = (counts: ReadonlyArray<Readonly<Record<string, number>>>) => {
  const all: Record<string, number> = {}
  for (const [name, count] of counts.flatMap((_) => Object.entries(_))) all[name] = (all[name] ?? 0) + count
  return all
}

for (const { failures: found, name } of results) {
  for (const failure of found) failures.push({ module: name, ...failure })
}
console.log(JSON.stringify({
  modules,
  hash,
  seeds: results.reduce((sum, report) => sum + report.seeds, 0),
  explored,
  distinctTraces: results.reduce((sum, report) => sum + report.distinctTraces, 0),
  interrupts: sums(results.map((report) => report.interrupts)),
  faults: sums(results.map((report) => report.faults)),
  enumerated,
  failed: failures.length,
  failures: failures.slice(0, shown)
}))
exit(failures.length === 0 ? 0 : 1)
