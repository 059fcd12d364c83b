/**
 * Programs as users write them do the same in our wrappers as in plain Effect (see `test/differential`).
 *
 * Each runs on plain Effect and in each wrapper. Without an interruption, its output, result and acquisitions must be the same.
 * Then its main fiber is interrupted at a step, its scope is closed by another fiber, or its sessions are revoked. It must
 * end as plain Effect can end at some step, or by a declared error. It must release each thing once, and must not hang.
 *
 * `npm run prove -- differential [--scale small|full]`: full, the default, strikes at every step, with five ways to divide
 * work into steps. Small strikes at some. `--only PROGRAM --wrapper WRAPPER [--mode MODE --operations N --step N]` runs one
 * pair, or one run of it; `--kind KIND` runs the programs of one kind.
 */
import { spawn } from "node:child_process"
import { availableParallelism } from "node:os"
import { argv, execArgv, execPath, exit } from "node:process"
import { text } from "node:stream/consumers"
import { setImmediate } from "node:timers/promises"
import { parseArgs } from "node:util"
import { Comparison, type Difference } from "../differential/compare.ts"
import { declared } from "../differential/declared.ts"
import type { Mode } from "../differential/program.ts"
import { type Pair, pairs, programs } from "../differential/table.ts"

const { values } = parseArgs({
  args: argv.slice(2),
  options: {
    scale: { type: "string", default: "full" },
    only: { type: "string" },
    kind: { type: "string" },
    wrapper: { type: "string" },
    mode: { type: "string" },
    operations: { type: "string" },
    step: { type: "string" },
    /** Which part of the table, of how many: `0/2`. */
    part: { type: "string" }
  }
})
const { kind, mode, only, operations, part, scale, step, wrapper } = values

const effort = scale === "small"
  ? { operations: [2048], steps: 1 }
  : { operations: [3, 4, 5, 7, 2048], steps: Infinity }

const [at = 0, parts = 1] = part?.split("/").map(Number) ?? []
const isChosen = (pair: Pair) =>
  (only === undefined || pair.program.name === only) && (kind === undefined || pair.program.kind === kind) &&
  (wrapper === undefined || pair.wrapper.name === wrapper) && programs.indexOf(pair.program) % parts === at
const chosen = pairs.filter(isChosen)

interface Figures {
  readonly runs: number
  readonly counts: ReadonlyArray<number>
  readonly differences: number
  readonly held: number
}

/** How to see it again. */
const replay = ({ mode, operations, program, step, wrapper }: Difference) =>
  `npm run prove -- differential --only "${program}" --wrapper "${wrapper}" --mode ${mode} --operations ${operations}` +
  (step === undefined ? "" : ` --step ${step}`)

const compare = async (): Promise<Figures> => {
  const comparison = new Comparison()
  for (const pair of chosen) {
    const before = comparison.differences.length
    // Without a turn of the event loop, what was reached by a weak reference is never collected.
    await setImmediate()
    if (mode === undefined) await comparison.pair(pair.program, pair.wrapper, effort)
    else {
      const setting = { ...pair, mode: mode as Mode, operations: Number(operations ?? 2048) }
      await comparison.one(step === undefined ? setting : { ...setting, step: Number(step) })
    }
    const found = comparison.differences.slice(before)
    for (const [mode, [first, ...more]] of Object.entries(Object.groupBy(found, ({ mode }) => mode))) {
      if (first === undefined) continue
      console.error(`${first.program} in ${first.wrapper}, ${mode}: ${1 + more.length} runs differ. ${first.what}`)
      console.error(`  ${replay(first)}`)
    }
  }
  return {
    runs: comparison.runs,
    counts: declared.map((one) => comparison.counts.get(one) ?? 0),
    differences: comparison.differences.filter(({ kind }) => kind === "outcome").length,
    held: comparison.differences.filter(({ kind }) => kind === "held").length
  }
}

/** The same by as many processes as there are processors. */
const divide = async (): Promise<Figures> => {
  const count = availableParallelism()
  const figures = await Promise.all(Array.from({ length: count }, async (_, at): Promise<Figures> => {
    const flags = [...execArgv, import.meta.filename, ...argv.slice(2), "--part", `${at}/${count}`]
    const child = spawn(execPath, flags, { stdio: ["ignore", "pipe", "inherit"] })
    return JSON.parse((await text(child.stdout)).trim().split("\n").at(-1) ?? "")
  }))
  const sum = (of: (figures: Figures) => number) => figures.reduce((sum, one) => sum + of(one), 0)
  return {
    runs: sum(({ runs }) => runs),
    counts: declared.map((_, i) => sum(({ counts }) => counts[i] ?? 0)),
    differences: sum(({ differences }) => differences),
    held: sum(({ held }) => held)
  }
}

const isWhole = part === undefined && scale !== "small" && only === undefined && kind === undefined
const figures = await (isWhole ? divide() : compare())
if (part !== undefined) console.log(JSON.stringify(figures))
else {
  const { counts, differences, held, runs } = figures
  const met = differences === 0 && held === 0 && runs > 0
  console.log(JSON.stringify({
    name: "differential",
    met,
    programs: new Set(chosen.map(({ program }) => program)).size,
    pairs: chosen.length,
    runs,
    declared: declared.map(({ difference, reason }, i) => ({ difference, reason, count: counts[i] ?? 0 })),
    differences,
    held
  }))
  exit(met ? 0 : 1)
}
