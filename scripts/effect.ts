/**
 * Effect's diagnostics over the whole repository: floating effects, missing `return yield*`, clocks and randomness used
 * directly, service keys.
 *
 * `npm exec` fetches the tool, which is too large (155 MB) for every install. The tool accepts an `include` that matches
 * nothing, so this check also fails if it did not read one of our TypeScript files.
 */
import { spawnSync } from "node:child_process"
import { globSync } from "node:fs"
import { relative } from "node:path"
import { exit } from "node:process"

interface Report {
  readonly diagnostics: ReadonlyArray<{
    readonly file: string
    readonly line: number
    readonly column: number
    readonly severity: "error" | "warning" | "message"
    readonly name: string
    readonly message: string
  }>
  readonly files: ReadonlyArray<{ readonly file: string; readonly detectedEffect: string }>
}

const command =
  "exec --yes --package=@effect/tsgo@0.45.0 -- effect-tsgo diagnostics --project tsconfig.json --format json"
const run = spawnSync("npm", [...command.split(" "), "--list-files"], {
  encoding: "utf8",
  maxBuffer: 2 ** 28,
  stdio: ["ignore", "pipe", "inherit"]
})
if (run.error !== undefined) throw run.error
const report: Report = JSON.parse(run.stdout)

/** The programs of strangers stay as strangers write them. */
const own = report.diagnostics.filter(({ file }) => !relative(".", file).startsWith("test/hostile/"))
for (const { column, file, line, message, name, severity } of own) {
  console.error(`${relative(".", file)}:${line}:${column} ${severity} effect(${name}): ${message}`)
}

const seen = new Set(report.files.filter((_) => _.detectedEffect === "v4").map((_) => relative(".", _.file)))
const blind = globSync(["{packages/*/,}{src,test}/**/*.ts", "{examples,scripts}/**/*.ts", "*.config.ts"])
  .filter((file) => !seen.has(file))
for (const file of blind) console.error(`${file} error: no tsconfig includes this file, so nothing checks it`)

const failures = own.filter((_) => _.severity !== "message").length + blind.length
console.log(`Effect diagnostics: ${seen.size} files, ${failures} failures`)
exit(failures === 0 ? 0 : 1)
