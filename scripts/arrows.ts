/**
 * Imports go one way: between packages as the table below says, and within a package without a circle, types included.
 *
 * A room under `internal` (`internal/session`) imports no public module that has its name (`Session`, `SessionRegistry`): these
 * are built on it. Checks the imports of the sources and the dependencies in each `package.json`, in the current folder.
 * Tests, examples and benchmarks may import anything.
 */
import { existsSync, globSync, readFileSync } from "node:fs"
import { basename, dirname, join, relative, resolve } from "node:path"
import { exit } from "node:process"
import { circles, neighbours, specifiers } from "./imports.ts"

const arrows: Readonly<Record<string, ReadonlyArray<string>>> = {
  core: [],
  node: ["core"],
  providers: ["core"],
  router: ["core", "providers"],
  agent: ["core"],
  telemetry: ["core", "node"],
  gateway: ["core", "node", "providers", "router", "agent", "telemetry"],
  testing: ["core", "node", "providers"]
}

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
    for (const specifier of specifiers(file)) {
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

const between = faults.length

/** A public module that is named after the room that a file is in. */
const own = /^(packages\/[\w-]+\/src)\/internal\/(\w+)\/.*$/

let rooms = 0
const sources = folders.flatMap((folder) => globSync(`packages/${folder}/src/**/*.ts`)).toSorted()
for (const file of sources) {
  const [, src, room] = own.exec(file) ?? []
  if (src === undefined || room === undefined) continue
  for (const path of neighbours(file)) {
    if (dirname(path) !== src || !basename(path).toLowerCase().startsWith(room.toLowerCase())) continue
    rooms++
    faults.push(`${file}: internal/${room} lies below ${basename(path)}, and may not import it`)
  }
}

const found = circles(sources)
for (const circle of found) faults.push(`A circle of imports, types included:\n  ${circle.join("\n  ")}`)

for (const fault of faults) console.error(fault)
console.log(
  `Arrows: ${folders.length} packages, ${count} imports of each other, ${between} that should not be; ` +
    `${sources.length} files, ${found.length} circles, ${rooms} imports from a room upwards`
)
exit(faults.length === 0 ? 0 : 1)
