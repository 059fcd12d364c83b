/**
 * Which of our packages leans on which: the arrows go one way, and this is the whole of them.
 *
 * Looks at what the sources import and at what each `package.json` depends on, in the current folder. Tests, examples
 * and benchmarks may import anything.
 */
import { existsSync, globSync, readFileSync } from "node:fs"
import { basename, dirname, join, relative, resolve } from "node:path"
import { exit } from "node:process"

const arrows: Readonly<Record<string, ReadonlyArray<string>>> = {
  core: [],
  node: ["core"],
  providers: ["core"],
  router: ["core", "providers"],
  conversations: ["core"],
  telemetry: ["core", "node"],
  gateway: ["core", "node", "providers", "router", "conversations", "telemetry"],
  testing: ["core", "node", "providers"]
}

/** In comments anything may stand, also in the middle of an import. */
const comment = /\/\*.*?\*\/|\/\/[^\n]*/gs
const statement = /^ *(?:import|export)\s(?:[^"'()=;]*\sfrom\s*)?"([^"]+)"|\bimport\(\s*"([^"]+)"/gm

const imported = (file: string): ReadonlyArray<string> =>
  [...readFileSync(file, "utf8").replace(comment, "").matchAll(statement)].flatMap(([, one, other]) =>
    one ?? other ?? []
  )

/** The package of ours that a specifier leads to. */
const target = (folder: string, file: string, specifier: string): string | undefined => {
  if (specifier.startsWith("@clawback/")) return specifier.split("/")[1]
  if (!specifier.startsWith(".")) return undefined
  const path = relative("packages", resolve(dirname(file), specifier))
  const [first = ""] = path.split("/")
  return first === folder ? undefined : first
}

const faults: Array<string> = []
const folders = globSync("packages/*/src").map((path) => basename(dirname(path))).filter((_) => _ !== "benchmarks")
let count = 0

for (const folder of folders.toSorted()) {
  const allowed = arrows[folder]
  if (allowed === undefined) {
    faults.push(`packages/${folder}: scripts/arrows.ts does not say what it may import`)
    continue
  }
  const say = (where: string, to: string) => {
    count++
    if (to === folder || allowed.includes(to)) return
    const may = allowed.length === 0 ? "none of our packages" : allowed.join(", ")
    faults.push(`${where}: ${folder} may import ${may}, so not ${to}`)
  }
  for (const file of globSync(`packages/${folder}/src/**/*.ts`).toSorted()) {
    for (const specifier of imported(file)) {
      const to = target(folder, file, specifier)
      if (to !== undefined) say(file, to)
    }
  }
  const path = join("packages", folder, "package.json")
  const { dependencies, optionalDependencies, peerDependencies } = existsSync(path)
    ? JSON.parse(readFileSync(path, "utf8"))
    : {}
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })) {
    if (name.startsWith("@clawback/")) say(path, name.slice("@clawback/".length))
  }
}

for (const fault of faults) console.error(fault)
console.log(`Arrows: ${folders.length} packages, ${count} imports of each other, ${faults.length} that should not be`)
exit(faults.length === 0 ? 0 : 1)
