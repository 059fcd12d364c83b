/**
 * Checks what must be true before the packages of the current folder are published. `npm run release` runs it first.
 *
 * The addresses in each `package.json` are real, every changeset is in a version, all packages have that version, and the
 * changelog has a dated section for it.
 */
import { globSync, readFileSync } from "node:fs"
import { exit } from "node:process"

const manifests = globSync("packages/*/package.json").toSorted()
  .map((path) => ({ path, text: readFileSync(path, "utf8") }))
  .map(({ path, text }) => ({ path, text, manifest: JSON.parse(text) }))
  .filter(({ manifest }) => manifest.private !== true)

const [version, ...others] = [...new Set(manifests.map(({ manifest }) => manifest.version))]
const [heading = ""] = /^## .*$/m.exec(readFileSync("CHANGELOG.md", "utf8")) ?? []

const faults = [
  ...manifests.filter(({ text }) => /https:\/\/[\w.-]+\.example\b/.test(text))
    .map(({ path }) => `${path}: homepage, bugs and repository still have the address of an example`),
  ...globSync(".changeset/*.md").map((path) => `${path} is in no version yet: run npm run changeset version`),
  ...others.map((other) => `There are packages of version ${version} and ${other}: run npm run changeset version`),
  ...(heading.startsWith(`## ${version} (20`)
    ? []
    : [`CHANGELOG.md begins with "${heading}", not with "## ${version} (date)"`])
]

for (const fault of faults) console.error(fault)
if (faults.length === 0) console.log(`Release: ${manifests.length} packages of version ${version}`)
exit(faults.length === 0 ? 0 : 1)
