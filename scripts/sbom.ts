/**
 * Writes `dist/sbom.cdx.json`: the packages that a user gets with all of ours, as a CycloneDX bill of materials.
 *
 * npm's own `npm sbom` lists the tree of a folder. In this repository it would leave out what is a development dependency too, such
 * as `effect`. So it runs where the packed packages alone are resolved. Needs `npm run build`.
 */
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const temporary = mkdtempSync(join(tmpdir(), "clawback-sbom-"))
process.once("exit", () => rmSync(temporary, { recursive: true, force: true }))
// npm takes the folder's name for the name of what the bill is of.
const project = join(temporary, "clawback")
mkdirSync(project)

const npm = (cwd: string, ...args: ReadonlyArray<string>) =>
  execFileSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })

const { devDependencies: { effect } } = JSON.parse(readFileSync("package.json", "utf8"))
const pack = ["pack", "--workspaces", "--json", "--foreground-scripts=false", "--pack-destination", project]
const packed = Object.values<{ name: string; filename: string; version: string }>(JSON.parse(npm(".", ...pack)))
const tarballs = packed.map(({ filename, name }) => [name, `file:${filename}`])
const dependencies = { ...Object.fromEntries(tarballs), effect }
writeFileSync(
  join(project, "package.json"),
  JSON.stringify({ name: "clawback", version: packed[0]?.version, private: true, dependencies })
)
npm(project, "install", "--package-lock-only", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error")
const bom = npm(project, "sbom", "--package-lock-only", "--sbom-format=cyclonedx", "--sbom-type=library")

mkdirSync("dist", { recursive: true })
writeFileSync("dist/sbom.cdx.json", bom.replaceAll(`file:${project}/`, "file:"))
const components: ReadonlyArray<{ readonly hashes?: ReadonlyArray<unknown> }> = JSON.parse(bom).components
console.log(`dist/sbom.cdx.json: ${components.length} packages, each with its version, licence, origin and hash`)
