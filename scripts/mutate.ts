/**
 * Proves the scenarios: each mistake of `test/simulations/mutants.ts` must break a property within 2,000 seeds, and
 * without one none may: `npm run mutate [-- --module M]`.
 *
 * A mistake that crashes, or that is never loaded, shows nothing about a property: it is invalid, and so a failure. The
 * last line is one JSON object; the exit code is 1 unless every mutant was killed.
 */
// Not the package as a whole, which loads what the mutants change.
import * as Simulation from "@clawback/testing/Simulation"
import { execFile } from "node:child_process"
import { availableParallelism } from "node:os"
import { argv, execArgv, execPath, exit } from "node:process"
import { parseArgs } from "node:util"
import { mutants } from "../test/simulations/mutants.ts"
import { apply, type Mutant } from "../test/support/mutant.ts"
import * as Scenarios from "../test/support/scenarios.ts"

const seeds = 2000

/** A program that crashes, or that chance has a say in, breaks no property of its own. */
const isProof = ({ property, seed }: Simulation.Failure) =>
  seed !== undefined && property !== Simulation.properties.succeeds &&
  property !== Simulation.properties.isDeterministic

interface Verdict {
  readonly outcome: "killed" | "survived" | "invalid"
  readonly detail: string
}

const explore = async (module: string, isLoaded: () => boolean): Promise<Verdict> => {
  const report = Simulation.explore(await Scenarios.load(module), { seeds, stopAtFirst: true })
  const failure = report.failures.find(isProof) ?? report.failures.find((_) => _.seed !== undefined)
  if (!isLoaded()) return { outcome: "invalid", detail: "the file was never loaded" }
  if (failure === undefined) return { outcome: "survived", detail: `no property failed in ${report.seeds} seeds` }
  return { outcome: isProof(failure) ? "killed" : "invalid", detail: `${failure.property} (seed ${failure.seed})` }
}

/** Explores in a process of its own, since a module that is loaded stays so. */
const judge = (...flags: ReadonlyArray<string>) =>
  new Promise<Verdict>((resolve) => {
    execFile(execPath, [...execArgv, import.meta.filename, ...flags], { timeout: 300_000 }, (error, stdout, stderr) => {
      if (error === null) return resolve(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""))
      const reason = stderr.split("\n").find((line) => /^\w*Error/.test(line)) ?? stderr.split("\n")[0] ?? ""
      resolve({ outcome: "invalid", detail: error.killed === true ? "it never ended" : reason })
    })
  })

const { values } = parseArgs({
  args: argv.slice(2),
  options: { module: { type: "string" }, mutant: { type: "string" }, control: { type: "string" } }
})

if (values.mutant !== undefined || values.control !== undefined) {
  const mutant = values.mutant === undefined ? undefined : mutants[Number(values.mutant)]
  const applied = mutant === undefined ? { isLoaded: true } : apply(mutant)
  console.log(JSON.stringify(await explore(mutant?.module ?? values.control ?? "", () => applied.isLoaded)))
  exit(0)
}

const isChosen = ({ module }: Mutant) => values.module === undefined || module === values.module
const controls = [...new Set(mutants.filter(isChosen).map(({ module }) => module))]
const jobs = [
  ...controls.map((module) => ({ name: `${module} as it is`, mutant: undefined, flags: ["--control", module] })),
  ...mutants.flatMap((mutant, i) =>
    isChosen(mutant) ? [{ name: `${mutant.module}: ${mutant.rule}`, mutant, flags: ["--mutant", String(i)] }] : []
  )
]

if (values.module !== undefined && jobs.length === 0) {
  console.error(`No mistake is listed for ${values.module}, so nothing would be proven`)
  exit(2)
}

const killed: Array<Mutant> = []
const survived: Array<string> = []
const invalid: Array<string> = []
const work = async () => {
  for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
    const { outcome, detail } = await judge(...job.flags)
    const verdict = job.mutant !== undefined ? outcome : outcome === "survived" ? "green" : "red"
    console.log(`${verdict.padEnd(8)}  ${job.name}\n          ${detail}`)
    if (job.mutant === undefined) { if (outcome !== "survived") invalid.push(`${job.name}: ${detail}`) }
    else if (outcome === "killed") killed.push(job.mutant)
    else (outcome === "survived" ? survived : invalid).push(`${job.name}: ${detail}`)
  }
}
const total = jobs.length - controls.length
await Promise.all(Array.from({ length: availableParallelism() }, work))

console.log(JSON.stringify({ mutants: total, killed: killed.length, survived, invalid }))
exit(killed.length === total && invalid.length === 0 ? 0 : 1)
