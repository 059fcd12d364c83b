/**
 * Checks what a user gets: packs every package, checks its shape with publint, and installs the tarballs into an empty project.
 * There, every public module must load, every private one must be rejected, and the types must compile with TypeScript 7 and 5.
 * Each package has the documents, dashboards and alert rules, and the documents' links lead to installed files. Where a session
 * was opened is shown by lines of the user's alone.
 *
 * The project has `@clawback/core` at a later patch than the other packages, and must still have one copy of each package of ours:
 * a second copy of core would have a registry of its own.
 */
import { execFileSync } from "node:child_process"
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { execPath, exit } from "node:process"
import { publint } from "publint"
import { formatMessage } from "publint/utils"

const readJson = (path: string) => JSON.parse(readFileSync(path, "utf8"))

const run = (command: string, args: ReadonlyArray<string>, cwd: string) => {
  try {
    return execFileSync(command, args, { cwd, encoding: "utf8", timeout: 120_000, stdio: ["ignore", "pipe", "pipe"] })
  } catch (error) {
    if (!(error instanceof Error && "stdout" in error)) throw error
    console.error(`${error.message}\n${error.stdout}`)
    return exit(1)
  }
}

/** The packages that a user may leave out, unless a module that needs them is imported. */
const optionalPeers = new Set<string>()

const packages = globSync("packages/*/package.json").toSorted().flatMap((path) => {
  const { name, peerDependenciesMeta = {}, private: isPrivate } = readJson(path)
  for (const peer of Object.keys(peerDependenciesMeta)) optionalPeers.add(peer)
  if (isPrivate === true) return []
  const folder = path.slice(0, -"/package.json".length)
  const modules = globSync(`${folder}/src/*.ts`).map((file) => basename(file, ".ts")).filter((_) => _ !== "index")
  const internals = globSync(`${folder}/src/internal/**/*.ts`)
    .map((file) => file.slice(`${folder}/src/`.length, -".ts".length))
  return [{ name, folder, modules, refused: ["index", "internal/any", ...internals] }]
})

const project = mkdtempSync(join(tmpdir(), "clawback-consumer-"))
process.once("exit", () => rmSync(project, { recursive: true, force: true }))

const pack = (cwd: string, ...args: ReadonlyArray<string>) => {
  const all = ["pack", "--json", "--foreground-scripts=false", "--pack-destination", project, ...args]
  const [packed] = Object.values<{ filename: string; files: Array<{ path: string }> }>(
    JSON.parse(run("npm", all, cwd))
  )
  if (packed === undefined) throw new Error(`npm packed nothing of ${cwd} ${args.join(" ")}`)
  return packed
}

/** Packs a tarball again as the next patch, and returns its file. */
const asNextPatch = (filename: string): string => {
  run("tar", ["xzf", filename], project)
  const manifest = readJson(join(project, "package/package.json"))
  const version = manifest.version.replace(/\d+$/, (patch: string) => `${Number(patch) + 1}`)
  writeFileSync(join(project, "package/package.json"), JSON.stringify({ ...manifest, version }))
  const { filename: next } = pack(join(project, "package"), "--ignore-scripts")
  rmSync(join(project, "package"), { recursive: true })
  return next
}

const documents = ["AGENTS.md", "CHANGELOG.md", "README.md", "llms.txt", ...globSync("docs/**/*.md")]

/** Files that a package ships beside its modules. */
const assets = (folder: string) => globSync("{prometheus,grafana}/*", { cwd: folder })

const tarballs: Record<string, string> = {}
let faults = 0
for (const { folder, modules, name } of packages) {
  const packed = pack(".", "--workspace", folder)
  tarballs[name] = `file:${packed.filename}`

  const { buffer } = new Uint8Array(readFileSync(join(project, packed.filename)))
  const { messages, pkg } = await publint({ pack: { tarball: buffer }, strict: true })
  for (const message of messages) {
    console.error(`${folder}/package.json ${message.type}: ${formatMessage(message, pkg)}`)
  }

  const stale = packed.files.map(({ path }) => /^dist\/(\w+)\.js$/.exec(path)?.[1])
    .filter((module) => module !== undefined && module !== "index" && !modules.includes(module))
  for (const module of stale) console.error(`${folder}/dist/${module}.js has no source: delete ${folder}/dist`)
  const bare = modules.filter((module) => !readFileSync(`${folder}/dist/${module}.d.ts`, "utf8").startsWith("/**"))
  for (const module of bare) console.error(`${folder}/dist/${module}.d.ts has lost the module's documentation`)
  const missing = [...documents, ...assets(folder)].filter((document) =>
    !packed.files.some(({ path }) => path === document)
  )
  for (const document of missing) console.error(`${folder}: the tarball has no ${document}`)
  faults += messages.length + stale.length + bare.length + missing.length
}
tarballs["@clawback/core"] = `file:${asNextPatch(tarballs["@clawback/core"]?.slice("file:".length) ?? "")}`
if (faults > 0) exit(1)

const { devDependencies } = readJson("package.json")
const peers = Object.fromEntries(Array.from(optionalPeers, (name) => [name, devDependencies[name]]))
const dependencies = { ...tarballs, ...peers, effect: devDependencies.effect }
writeFileSync(
  join(project, "package.json"),
  JSON.stringify({
    private: true,
    type: "module",
    dependencies: {
      ...dependencies,
      "@types/node": devDependencies["@types/node"],
      typescript: devDependencies.typescript,
      "typescript-5": "npm:typescript@5.9.3"
    }
  })
)
run("npm", ["install", "--prefix", project, "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"], project)

const installed: Record<string, { resolved?: string }> = readJson(join(project, "package-lock.json")).packages
const foreign = Object.entries(installed)
  .filter(([path, { resolved }]) => path.includes("node_modules/@clawback/") && resolved?.startsWith("file:") !== true)
if (foreign.length > 0) throw new Error(`Not installed from our tarballs: ${foreign.map(([path]) => path).join(", ")}`)

const copies = globSync("**/node_modules/@clawback/*", { cwd: project }).toSorted()
const expected = packages.map(({ name }) => join("node_modules", name)).toSorted()
if (copies.join() !== expected.join()) {
  throw new Error(`One copy of each package was expected. Installed: ${copies.join(", ")}`)
}

run(execPath, [join(import.meta.dirname, "documents.ts")], join(project, "node_modules/@clawback"))

const specifiers = packages.flatMap(({ modules, name }) => [name, ...modules.map((module) => `${name}/${module}`)])
const refused = packages.flatMap((_) => _.refused.map((path) => `${_.name}/${path}`))
writeFileSync(
  join(project, "consumer.ts"),
  specifiers.map((specifier, i) => `export * as module${i} from "${specifier}"\n`).join("")
)
writeFileSync(
  join(project, "consumer.js"),
  `await import("./imports.js")
for (const specifier of ${JSON.stringify(refused)}) {
  const code = await import(specifier).then(() => "nothing", (error) => error.code)
  if (code !== "ERR_PACKAGE_PATH_NOT_EXPORTED") throw new Error(specifier + " should be refused, was met with " + code)
}
`
)
writeFileSync(join(project, "imports.js"), readFileSync(join(project, "consumer.ts")))
run(execPath, ["consumer.js"], project)

writeFileSync(
  join(project, "sites.js"),
  `import { Session, SessionRegistry } from "@clawback/core"
import { NodeTransport } from "@clawback/node"
import { OpenAi, Target } from "@clawback/providers"
import { Dialect, FaultyProvider } from "@clawback/testing"
import { Effect, Layer, Stream } from "effect"

const sites = {}
const look = Effect.map(SessionRegistry.list(), (all) => {
  for (const { kind, name, owner } of all) sites[kind === "own" ? name : kind] = owner.site ?? "unknown"
})
const program = Effect.gen(function*() {
  const { url } = yield* FaultyProvider.make({ handler: Dialect.handler({ say: () => "Because." }) })
  const target = OpenAi.target("gpt-5", { baseUrl: url + "/v1", credential: Dialect.credential("sk-test") })
  yield* Target.stream({ messages: [{ role: "user", content: "Why?" }] }).pipe(
    Stream.tap(() => look),
    Stream.runDrain,
    Effect.provide(Target.layer(target).pipe(Layer.provide(NodeTransport.layer())))
  )
  yield* Session.use({ kind: "own", name: "use" }, Effect.void, () => Effect.void, () => look)
  yield* look.pipe(Session.scoped({ kind: "own", name: "scoped" }))
})
await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(SessionRegistry.layer({ sampleAll: true }))))
console.log(JSON.stringify(sites))
`
)
const sites: Readonly<Record<string, string>> = JSON.parse(run(execPath, ["sites.js"], project))
const isKnown = (site = "") => /^at [^\n]*sites\.js:\d/.test(site)
const { scoped, use, ...ofCall } = sites
if (!isKnown(scoped) || !isKnown(use) || ["call", "exchange"].some((kind) => ofCall[kind] !== "unknown")) {
  throw new Error(`Where a session was opened must be shown by lines of the user's alone: ${JSON.stringify(sites)}`)
}

const strict = ["--noEmit", "--strict", "--target", "ES2024", "--module", "NodeNext", "--types", "node", "consumer.ts"]
for (const typescript of ["typescript", "typescript-5"]) {
  run(execPath, [join(project, "node_modules", typescript, "bin", "tsc"), ...strict], project)
}

console.log(
  `Packages: ${packages.length} packed, ${specifiers.length} imports and ${refused.length} refusals as they should be`
)
