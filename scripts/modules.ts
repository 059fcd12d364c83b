/**
 * Every source file has at most 250 lines of code, without comments and blank lines. Every public module begins with its
 * documentation and a blank line: without that line, `tsc` takes it for a comment of the first import, and drops both from the
 * declarations. The documentation ends with `@stable` or `@experimental`; `docs/stability.md` says what each promises. Checks
 * the packages in the current folder.
 */
import { globSync, readFileSync } from "node:fs"
import { exit } from "node:process"

const most = 250

const comment = /^[ \t]*\/\*.*?\*\/[ \t]*$|^[ \t]*\/\/[^\n]*/gms

const faults: Array<string> = []
let longest = 0
const files = globSync("packages/*/src/**/*.ts").filter((file) => !file.startsWith("packages/benchmarks/")).toSorted()

for (const file of files) {
  const text = readFileSync(file, "utf8")
  const lines = text.replace(comment, "").split("\n").filter((line) => line.trim() !== "").length
  longest = Math.max(longest, lines)
  if (lines > most) faults.push(`${file}: has ${lines} lines of code, and may have ${most}: split it by concept`)
  const isPublic = /^packages\/[\w-]+\/src\/\w+\.ts$/.test(file) && !file.endsWith("/index.ts")
  if (!isPublic) continue
  const [documentation] = /^\/\*\*(?:(?!\*\/).)*\*\/\n\n/s.exec(text) ?? []
  if (documentation === undefined) faults.push(`${file}: must begin with its documentation and a blank line`)
  else if (!/\n \* @(?:stable|experimental)\n \*\/\n\n$/.test(documentation)) {
    faults.push(`${file}: its documentation must end with the line " * @stable" or " * @experimental"`)
  }
}

for (const fault of faults) console.error(fault)
console.log(`Modules: ${files.length} files, the longest with ${longest} lines of code, ${faults.length} faults`)
exit(faults.length === 0 ? 0 : 1)
