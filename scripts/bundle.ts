/**
 * Builds the JavaScript of `core` and `providers` from their sources. A runtime takes about as long to find and load a file as
 * to run it, and a call needs some 150 modules of ours. So the modules that every call needs are one file of each package.
 * Other modules are in one file if the same public modules need them. `tsc` writes the declarations.
 *
 * Guarantees: each module is in one file, so there is one copy of it. Each public module has its own file. A public module
 * loads no protocol that its source does not import. Builds the packages in the current folder.
 */
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join, relative, resolve } from "node:path"
import { exit } from "node:process"
import { type OutputChunk, rolldown } from "rolldown"
import { specifiers } from "./imports.ts"

const read = (file: string): string | undefined => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return undefined
  }
}

/** The modules of `core` that `providers` imports. */
const imported = new Set(
  globSync("packages/providers/src/**/*.ts").flatMap((file) => specifiers(file))
    .filter((specifier) => specifier.startsWith("@clawback/core/"))
    .map((specifier) => `${basename(specifier)}.ts`)
)

/** Whether a call needs a module. A call also needs all that such a module imports. */
const needed: Readonly<Record<string, (module: string) => boolean>> = {
  core: (module) => imported.has(module),
  providers: (module) => module === "Provider.ts" || /^internal\/(?:framing|http|json|model)\//.test(module)
}

/** All that is loaded with a file or a module, itself included. */
const reached = (start: string, imports: (from: string) => ReadonlyArray<string>): ReadonlySet<string> => {
  const found = new Set([start])
  for (const one of found) for (const next of imports(one)) found.add(next)
  return found
}

const isProtocol = (module: string): boolean => module.includes("/internal/protocols/")

/** The protocols that are loaded with a public module, though its source does not import them. */
const foreign = (chunks: ReadonlyArray<OutputChunk>, imports: ReadonlyMap<string, ReadonlyArray<string>>) => {
  const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]))
  return chunks.flatMap(({ facadeModuleId: entry, fileName, isEntry }) => {
    if (!isEntry || entry === null) return []
    const wanted = reached(entry, (module) => imports.get(module) ?? [])
    return [...reached(fileName, (file) => byName.get(file)?.imports ?? [])]
      .flatMap((file) => byName.get(file)?.moduleIds ?? [])
      .filter((module) => isProtocol(module) && !wanted.has(module))
      .map((module) => `${fileName} also loads ${relative(".", module)}`)
  })
}

/** Writes what has changed, so that a program that runs meanwhile finds all its files. */
const write = (dist: string, built: ReadonlyMap<string, string>): void => {
  for (const [file, text] of built) {
    const path = join(dist, file)
    if (read(path) === text) continue
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, text)
  }
  for (const file of globSync("**/*.js{,.map}", { cwd: dist })) if (!built.has(file)) rmSync(join(dist, file))
}

/** Builds a package. Returns the number of its faults. */
const bundle = async (name: string, isNeeded: (module: string) => boolean): Promise<number> => {
  const sources = resolve("packages", name, "src")
  const dist = join(sources, "../dist")
  const entries = globSync(`${sources}/*.ts`).map((file) => [basename(file, ".ts"), file] as const)
  const imports = new Map<string, ReadonlyArray<string>>()
  const build = await rolldown({
    input: Object.fromEntries(entries.filter(([entry]) => entry !== "index")),
    external: (id) => /^(?:effect|@clawback)\//.test(id),
    plugins: [{ name: "imports", moduleParsed: ({ id, importedIds }) => void imports.set(id, importedIds) }]
  })
  const { output } = await build.generate({
    dir: dist,
    chunkFileNames: "internal/[name].js",
    sourcemap: true,
    // The sources are published, too.
    sourcemapExcludeSources: true,
    comments: { annotation: true, jsdoc: false, legal: false },
    codeSplitting: { groups: [{ name: "call", test: (id) => isNeeded(relative(sources, id)) }] }
  })
  const built = new Map(output.map((file) => [file.fileName, file.type === "chunk" ? file.code : String(file.source)]))
  // It only names the others.
  built.set("index.js", readFileSync(join(sources, "index.ts"), "utf8").replaceAll(".ts\"", ".js\""))
  write(dist, built)
  const faults = foreign(output.filter((file) => file.type === "chunk"), imports)
  for (const fault of faults) console.error(`packages/${name}/dist/${fault}`)
  return faults.length
}

let faults = 0
for (const [name, isNeeded] of Object.entries(needed)) faults += await bundle(name, isNeeded)
exit(faults === 0 ? 0 : 1)
