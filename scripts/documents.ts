/**
 * Checks the documents: no README is longer than its limit, every relative link leads to a file and a heading, and `llms.txt`
 * lists every page of `docs/`. A document that the packages contain names no command or file that only the repository has, or
 * says that it is for a checkout.
 *
 * Words are counted as `wc -w` does. Reads the `.md` files and `llms.txt` files of the current folder, outside of `node_modules`
 * and `dist`.
 */
import { existsSync, globSync, readFileSync } from "node:fs"
import { dirname, join, matchesGlob } from "node:path"
import { exit } from "node:process"
import { fragment } from "./headings.ts"

/** The most words that a file may have, by its path. */
const limits: Readonly<Record<string, number>> = { "README.md": 700, "packages/*/README.md": 900 }

const fence = /^```.*?^```$/gms
const link = /\[[^\]]*\]\(([^)\s]+)\)/g
const heading = /^#+ (.+)$/gm

const fragments = (file: string) =>
  [...readFileSync(file, "utf8").replace(fence, "").matchAll(heading)].map(([, title = ""]) => fragment(title))

const lengthFaults = (file: string, text: string): ReadonlyArray<string> => {
  const words = text.split(/\s+/).filter((word) => word !== "").length
  return Object.entries(limits)
    .filter(([glob, limit]) => matchesGlob(file, glob) && words > limit)
    .map(([, limit]) => `${file}: ${words} words, ${limit} are allowed`)
}

const linkFaults = (file: string, text: string): ReadonlyArray<string> =>
  [...text.replace(fence, "").matchAll(link)].flatMap(([, to = ""]) => {
    if (/^[a-z]+:/.test(to)) return []
    const [path = "", name] = to.split("#")
    const target = path === "" ? file : join(dirname(file), path)
    if (!existsSync(target)) return `${file}: ${to} leads to no file`
    if (name === undefined || (target.endsWith(".md") && fragments(target).includes(name))) return []
    return `${file}: ${to} leads to no heading`
  })

/** Pages that the list of all pages lacks. */
const unlistedFaults = (file: string, text: string): ReadonlyArray<string> => {
  if (file !== "llms.txt") return []
  const listed = new Set([...text.matchAll(link)].map(([, to]) => to))
  return globSync("docs/**/*.md").filter((page) => !listed.has(page)).map((page) => `llms.txt: does not list ${page}`)
}

/** The documents that `scripts/packed.ts` puts into the packages. */
const packed = ["docs/**/*.md", "packages/*/README.md", "CHANGELOG.md", "llms.txt"]

/** A command of the repository, or a file that no package contains. */
const unpacked =
  /\bnpm (?:run|start|test|ci)\b[\w -]*|\bnpx vitest\b|(?<![\w/.])(?:\.\.\/)*(?:examples|scripts|site|test|packages\/benchmarks)\/[\w.-]+/g

const checkout = /\ba\s+checkout\s+of\s+the\s+repository\b/

const unpackedFaults = (file: string, text: string): ReadonlyArray<string> => {
  if (!packed.some((glob) => matchesGlob(file, glob)) || checkout.test(text)) return []
  return [...text.matchAll(unpacked)].map(([what]) =>
    `${file}: "${what}" is not in the packages: say what their reader can do, or that it needs a checkout of the repository`
  )
}

const files = globSync("**/{*.md,llms.txt}", { exclude: ["**/node_modules", "**/dist"] }).toSorted()
const faults = files.flatMap((file) => {
  const text = readFileSync(file, "utf8")
  return [
    ...lengthFaults(file, text),
    ...linkFaults(file, text),
    ...unlistedFaults(file, text),
    ...unpackedFaults(file, text)
  ]
})

if (faults.length > 0) {
  console.error(faults.join("\n"))
  exit(1)
}
console.log(`Documents: ${files.length} within their limits, and every link leads somewhere`)
