/**
 * Explores the scenarios of `test/simulations`: `npm run simulate -- --seeds N [--module M] [--seed S]`.
 *
 * `--seed S` replays one seed and prints its trace. The last line is one JSON object; the exit code is 1 if any property
 * failed, and what to type to see it again is printed.
 */
import { Simulation } from "@clawback/testing"
import { argv, exit } from "node:process"
import { parseArgs } from "node:util"
import * as Scenarios from "../test/support/scenarios.ts"

const { values } = parseArgs({
  args: argv.slice(2),
  options: {
    seeds: { type: "string", default: "2000" },
    module: { type: "string" },
    seed: { type: "string" }
  }
})

const number = (flag: string, text: string) => {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  console.error(`--${flag} wants a number from 1 up, not ${text}`)
  return exit(2)
}

const seeds = number("seeds", values.seeds)
const seed = values.seed === undefined ? undefined : number("seed", values.seed)
const modules = values.module === undefined ? Scenarios.modules() : [values.module]

/** In a broken world every seed may fail; the first ones say enough. */
const shown = 20

const results: Array<Simulation.Report> = []
let hash: string | undefined
for (const module of modules) {
  const scenario = await Scenarios.load(module)
  if (seed !== undefined) {
    const outcome = Simulation.replay(scenario, seed)
    for (const line of outcome.trace) console.log(line)
    console.log(`${module}, seed ${seed}: trace ${outcome.hash}, ${outcome.failures.length} properties failed`)
    hash = outcome.hash
    results.push({ ...outcome, name: module, seeds: 1, distinctTraces: 1 })
    continue
  }
  const startedAt = performance.now()
  const report = Simulation.explore(scenario, { seeds })
  const seconds = (performance.now() - startedAt) / 1000
  console.log(
    `${module}: ${report.seeds} seeds, ${report.distinctTraces} distinct traces, ${report.steps} steps ` +
      `in ${seconds.toFixed(1)} s; ${report.failures.length} failures`
  )
  for (const { detail, property, seed } of report.failures.slice(0, shown)) {
    console.error(`  ${property}: ${detail}`)
    if (seed !== undefined) console.error(`    npm run simulate -- --module ${module} --seed ${seed}`)
  }
  results.push(report)
}

const sums = (counts: ReadonlyArray<Readonly<Record<string, number>>>) => {
  const all: Record<string, number> = {}
  for (const [name, count] of counts.flatMap((_) => Object.entries(_))) all[name] = (all[name] ?? 0) + count
  return all
}

const failures = results.flatMap(({ failures, name }) => failures.map((failure) => ({ module: name, ...failure })))
console.log(JSON.stringify({
  modules,
  hash,
  seeds: results.reduce((sum, report) => sum + report.seeds, 0),
  distinctTraces: results.reduce((sum, report) => sum + report.distinctTraces, 0),
  interrupts: sums(results.map((report) => report.interrupts)),
  faults: sums(results.map((report) => report.faults)),
  failed: failures.length,
  failures: failures.slice(0, shown)
}))
exit(failures.length === 0 ? 0 : 1)
