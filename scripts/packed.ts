/**
 * Puts the documents into a package before npm packs it, and takes them out again: `node scripts/packed.ts put|remove FOLDER`.
 *
 * A user, or a user's coding agent, then has the pages of `docs/`, `AGENTS.md` (from `docs/agents.md`), `llms.txt` and the
 * changelog in `node_modules`. Links are rewritten so that they lead to files that are there: to the same package, or to another
 * package of ours beside it. A link to any other file of the repository becomes plain text.
 *
 * The package's README is rewritten too. Its original is kept in `node_modules/.cache` until `remove` puts it back.
 */
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, dirname, join, posix } from "node:path"
import { argv, chdir, cwd, exit } from "node:process"

const root = join(import.meta.dirname, "..")

/** Where a file of the repository is once it is installed, by its path in the package. Undefined if it is not there. */
const installedAt = (file: string, name: string): string | undefined => {
  if (file.startsWith("docs/") || file === "CHANGELOG.md" || file === "llms.txt") return file
  const [, of, path = ""] = /^packages\/([\w-]+)\/((?:src\/|README\.md).*)$/.exec(file) ?? []
  if (of === undefined) return undefined
  return of === name ? path : `../${of}/${path}`
}

const link = /\[([^\]]*)\]\(([^)\s]+)\)/g
const fence = /(^```.*?^```$)/gms

/** A document of the repository, with its links as they are in the package `name`, where its path is `to`. */
const rewritten = (file: string, name: string, to: string): string =>
  readFileSync(file, "utf8").split(fence).map((part) =>
    part.startsWith("```") ? part : part.replaceAll(link, (whole, text: string, href: string) => {
      const [path = "", fragment] = href.split("#")
      if (path === "" || /^[a-z]+:/.test(href)) return whole
      const target = installedAt(posix.join(posix.dirname(file), path), name)
      if (target === undefined) return text
      const relative = posix.relative(posix.dirname(to), target)
      return `[${text}](${relative}${fragment === undefined ? "" : `#${fragment}`})`
    })
  ).join("")

const remove = (folder: string, kept: string) => {
  if (existsSync(kept)) cpSync(kept, join(folder, "README.md"))
  for (const path of [kept, ...["docs", "AGENTS.md", "CHANGELOG.md", "llms.txt"].map((_) => join(folder, _))]) {
    rmSync(path, { recursive: true, force: true })
  }
}

const put = (folder: string, kept: string) => {
  remove(folder, kept)
  mkdirSync(dirname(kept), { recursive: true })
  cpSync(join(folder, "README.md"), kept)
  const pages = globSync("docs/**/*.md").map((page): [file: string, to: string] => [page, page])
  const documents: ReadonlyArray<[file: string, to: string]> = [
    [`${folder}/README.md`, "README.md"],
    ["docs/agents.md", "AGENTS.md"],
    ["CHANGELOG.md", "CHANGELOG.md"],
    ["llms.txt", "llms.txt"],
    ...pages
  ]
  for (const [file, to] of documents) {
    const text = rewritten(file, basename(folder), to)
    mkdirSync(dirname(join(folder, to)), { recursive: true })
    writeFileSync(join(folder, to), text)
  }
}

const [action, where = ""] = argv.slice(2)
const name = basename(join(cwd(), where))
chdir(root)
const folder = `packages/${name}`
const kept = join("node_modules/.cache/packed", `${name}.md`)
if (action === "put") put(folder, kept)
else if (action === "remove") remove(folder, kept)
else {
  console.error("Say put or remove, and the folder of a package")
  exit(2)
}
