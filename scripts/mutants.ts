/** Reports the mutants that cannot be applied: the text that they replace is not in its file, or is there twice. */
import { exit } from "node:process"
import { mutants as ofTable } from "../test/differential/mutants.ts"
import { mutants as ofMachines } from "../test/exhaustive/mutants.ts"
import { mutants as ofScenarios } from "../test/simulations/mutants.ts"
import { wrongWith } from "../test/support/mutant.ts"
import { fileOf } from "../test/support/scenarios.ts"

const mutants = [...ofScenarios, ...ofMachines, ...ofTable]

const problems = mutants.flatMap((mutant) => {
  fileOf(mutant.module)
  const problem = wrongWith(mutant)
  return problem === undefined ? [] : [`${mutant.module}: ${mutant.rule}\n  ${problem}`]
})
const rules = mutants.map(({ module, rule }) => `${module}: ${rule}`)
for (const rule of new Set(rules)) {
  if (rules.indexOf(rule) !== rules.lastIndexOf(rule)) problems.push(`${rule}\n  has more than one mutant`)
}

for (const problem of problems) console.error(problem)
console.log(`${mutants.length} mutants, ${problems.length} of them cannot be used`)
exit(problems.length === 0 ? 0 : 1)
