/**
 * Runs one program by its name: `node scripts/run.ts test/proofs/*.ts NAME [flags]`. The star stands for the name.
 *
 * The program is loaded into this process, so signals, exit code and open handles are its own. Its flags are in
 * `process.argv.slice(2)`, as if it had been started directly.
 */
import { globSync } from "node:fs"
import { resolve } from "node:path"
import { argv, exit } from "node:process"
import { pathToFileURL } from "node:url"

const [pattern = "", name = "", ...flags] = argv.slice(2)
const [before = "", after = ""] = pattern.split("*")
const names = globSync(pattern).map((path) => path.slice(before.length, path.length - after.length)).toSorted()

if (!names.includes(name)) {
  const known = names.length === 0 ? `There is none in ${before} yet.` : `Known names: ${names.join(", ")}`
  console.error(
    name === "" ? `Say which one to run. ${known}` : `${pattern.replace("*", name)} does not exist. ${known}`
  )
  exit(2)
}

const program = resolve(before + name + after)
argv.splice(1, argv.length - 1, program, ...flags)
await import(pathToFileURL(program).href)
