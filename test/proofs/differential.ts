/**
 * Programs as users write them do with our wrappers what they do without: uninterrupted the same, and struck at any step
 * (interrupted, their scope closed by another fiber, their sessions revoked) what plain Effect can also do at some step.
 *
 * `npm run prove -- differential [--scale small|full]`. One pair, or one step of it: `--only PROGRAM --wrapper WRAPPER
 * [--mode MODE] [--operations N] [--step N]`.
 */
import { argv, exit } from "node:process"
import { parseArgs } from "node:util"
import { Comparison } from "../differential/compare.ts"
import { declared } from "../differential/declared.ts"
import { pairs, programs } from "../differential/table.ts"

const { values } = parseArgs({
  args: argv.slice(2),
  options: {
    scale: { type: "string", default: "full" },
    only: { type: "string" },
    kind: { type: "string" },
    wrapper: { type: "string" },
    mode: { type: "string" },
    operations: { type: "string" },
    step: { type: "string" }
  }
})

const effort = values.scale === "small"
  ? { operations: [2048], steps: 3 }
  : { operations: [3, 4, 5, 7, 2048], steps: Infinity }

const chosen = pairs.filter(({ program, wrapper }) =>
  (values.kind === undefined || program.kind === values.kind) &&
  (values.only === undefined || program.name === values.only) &&
  (values.wrapper === undefined || wrapper.name === values.wrapper)
)

const comparison = new Comparison()
const startedAt = performance.now()
for (const { program, wrapper } of chosen) await comparison.pair(program, wrapper, effort)
const seconds = (performance.now() - startedAt) / 1000

const groups = new Map<string, Array<(typeof comparison.differences)[number]>>()
for (const difference of comparison.differences) {
  const key = `${difference.program} | ${difference.wrapper} | ${difference.mode}`
  groups.set(key, [...groups.get(key) ?? [], difference])
}
for (const [key, group] of groups) {
  const [first] = group
  if (first === undefined) continue
  console.error(`${key}: ${group.length} times; operations ${first.operations}, step ${first.step}: ${first.what}`)
}
console.log(`${seconds.toFixed(1)} s`)
console.log(JSON.stringify({
  name: "differential",
  met: comparison.differences.length === 0,
  programs: programs.length,
  pairs: chosen.length,
  runs: comparison.runs,
  declared: declared.map((one) => ({
    difference: one.difference,
    reason: one.reason,
    count: comparison.counts.get(one) ?? 0
  })),
  differences: comparison.differences.length
}))
exit(comparison.differences.length === 0 ? 0 : 1)
