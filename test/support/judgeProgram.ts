/**
 * Judges mutants, one after the other. `scripts/mutate.ts` starts it and sends the jobs.
 *
 * Modules are loaded once for all mutants, except those that a mistake affects.
 */
// Not the package as a whole, which loads what the mutants change.
import * as Simulation from "@clawback/testing/Simulation"
import type { Table } from "../differential/Differential.ts"
import { enumerate, type Machine, throwsNothing } from "./enumerate.ts"
import type { Mutant } from "./mutant.ts"
import { importWith } from "./mutantWorlds.ts"
import * as Scenarios from "./scenarios.ts"

export interface Job {
  readonly module: string
  /** Undefined: the module as it is. */
  readonly mutant: Mutant | undefined
}

export interface Verdict {
  readonly outcome: "killed" | "survived" | "invalid"
  readonly detail: string
}

const seeds = 2000

/** A program that crashes, or that chance has a say in, breaks no property of its own. */
const isProof = ({ property, seed }: Simulation.Failure) =>
  seed !== undefined && property !== Simulation.properties.succeeds &&
  property !== Simulation.properties.isDeterministic

const explore = (scenario: Simulation.Scenario): Verdict => {
  const report = Simulation.explore(scenario, { seeds, stopAtFirst: true })
  const failure = report.failures.find(isProof) ?? report.failures.find((_) => _.seed !== undefined)
  if (failure === undefined) return { outcome: "survived", detail: `no property failed in ${report.seeds} seeds` }
  return { outcome: isProof(failure) ? "killed" : "invalid", detail: `${failure.property} (seed ${failure.seed})` }
}

const walk = (machine: Machine<object>): Verdict => {
  const { broken, states } = enumerate(machine)
  if (broken === undefined) return { outcome: "survived", detail: `no law was broken in ${states} states` }
  const detail = `${broken.law} (${[...broken.path, broken.detail].filter((part) => part !== "").join(", ")})`
  return { outcome: broken.law === throwsNothing ? "invalid" : "killed", detail }
}

const compare = async (table: Table): Promise<Verdict> => {
  const found = await table.find()
  if (found === undefined) return { outcome: "survived", detail: `nothing differs in ${table.pairs} pairs` }
  const { mode, operations, program, step, what, wrapper } = found
  const where = step === undefined ? "left alone" : `${mode}, operations ${operations}, step ${step}`
  return { outcome: "killed", detail: `${program} in ${wrapper} (${where}): ${what}`.slice(0, 300) }
}

const judge = async ({ module, mutant }: Job): Promise<Verdict> => {
  const file = Scenarios.fileOf(module)
  const { default: original } = await import(file)
  const subject = mutant === undefined ? original : await importWith(file, mutant)
  if (subject === undefined) return { outcome: "invalid", detail: "the file was never loaded" }
  if (Scenarios.isTable(module)) return compare(subject)
  return Scenarios.isMachine(module) ? walk(subject) : explore(subject)
}

process.on("message", async (job: Job) => {
  const verdict = await judge(job).catch((error: unknown): Verdict => ({
    outcome: "invalid",
    detail: error instanceof Error ? error.message : String(error)
  }))
  process.send?.(verdict)
})
