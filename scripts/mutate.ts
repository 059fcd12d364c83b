/**
 * Checks the scenarios, the machines and the table by mutants: `npm run mutate [-- --module M]`.
 *
 * Each mistake of `mutants.ts` in `test/simulations` must break a property within 2,000 seeds. Each one in `test/exhaustive` must
 * break a law in some interleaving. Each one in `test/differential` must make a program differ. Without a mistake, none of this
 * may happen. A mistake that crashes, or whose module is never loaded, is invalid, which is a failure too. The last line is one
 * JSON object; the exit code is 1 unless every mutant was killed.
 */
import { fork } from "node:child_process"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { argv, exit } from "node:process"
import { parseArgs } from "node:util"
import { mutants as ofTable } from "../test/differential/mutants.ts"
import { mutants as ofMachines } from "../test/exhaustive/mutants.ts"
import { mutants as ofScenarios } from "../test/simulations/mutants.ts"
import type { Job, Verdict } from "../test/support/judgeProgram.ts"

const { values } = parseArgs({ args: argv.slice(2), options: { module: { type: "string" } } })

const chosen = [...ofScenarios, ...ofMachines, ...ofTable].filter(({ module }) =>
  values.module === undefined || module === values.module
)
if (chosen.length === 0) {
  console.error(`No mistake is listed for ${values.module}, so nothing would be proven`)
  exit(2)
}

const controls = [...new Set(chosen.map(({ module }) => module))]
const jobs: Array<Job> = [
  ...controls.map((module) => ({ module, mutant: undefined })),
  ...chosen.map((mutant) => ({ module: mutant.module, mutant }))
]

/** One judge takes so many jobs, since what it has loaded stays. */
const jobsOfOne = 50
/** A mistake may have made something endless. */
const patience = 300_000

const judge = () => fork(join(import.meta.dirname, "../test/support/judgeProgram.ts"), { stdio: "pipe" })

/** One answer, or how the judge ended without. */
const ask = (child: ReturnType<typeof judge>, job: Job) =>
  new Promise<Verdict>((resolve) => {
    let said = ""
    child.stderr?.on("data", (chunk) => said += String(chunk))
    const patient = AbortSignal.timeout(patience)
    const onLate = () => child.kill("SIGKILL")
    patient.addEventListener("abort", onLate)
    const onExit = (_: number | null, signal: NodeJS.Signals | null) => {
      patient.removeEventListener("abort", onLate)
      const reason = said.split("\n").find((line) => /^\w*Error/.test(line)) ?? said.split("\n")[0] ?? ""
      resolve({ outcome: "invalid", detail: signal === "SIGKILL" ? "it never ended" : `it crashed: ${reason}` })
    }
    child.once("exit", onExit)
    child.once("message", (verdict: Verdict) => {
      patient.removeEventListener("abort", onLate)
      child.off("exit", onExit)
      child.stderr?.removeAllListeners("data")
      resolve(verdict)
    })
    child.send(job)
  })

const killed: Array<string> = []
const survived: Array<string> = []
const invalid: Array<string> = []
const note = ({ module, mutant }: Job, { detail, outcome }: Verdict) => {
  const name = `${module}${mutant === undefined ? " as it is" : `: ${mutant.rule}`}`
  const verdict = mutant !== undefined ? outcome : outcome === "survived" ? "green" : "red"
  console.log(`${verdict.padEnd(8)}  ${name}\n          ${detail}`)
  if (verdict === "green") return
  const list = verdict === "killed" ? killed : verdict === "survived" ? survived : invalid
  list.push(`${name}: ${detail}`)
}

const work = async () => {
  let child = judge()
  let taken = 0
  for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
    if (taken++ === jobsOfOne || child.exitCode !== null || child.signalCode !== null) {
      child.kill()
      child = judge()
      taken = 1
    }
    note(job, await ask(child, job))
  }
  child.kill()
}
await Promise.all(Array.from({ length: availableParallelism() }, work))

console.log(JSON.stringify({ mutants: chosen.length, killed: killed.length, survived, invalid }))
exit(killed.length === chosen.length && invalid.length === 0 ? 0 : 1)
