/**
 * Which files of the repository are pages of the site, and where. The pages are the documents themselves, not copies.
 *
 * A file that a page links to, and that is no page, is shown as its source, under `source/`.
 */
import { existsSync, globSync, readFileSync, statSync } from "node:fs"
import { join, posix } from "node:path"

export const root = join(import.meta.dirname, "../..")

/** The page of each document, by its path in the repository. */
export const pages: Readonly<Record<string, string>> = Object.fromEntries([
  ["README.md", "index.md"],
  ...["CHANGELOG", "CONTRIBUTING", "SECURITY"].map((name) => [`${name}.md`, `${name.toLowerCase()}.md`]),
  ...globSync("docs/**/*.md", { cwd: root }).map((file) => [file, file.slice("docs/".length)]),
  ...globSync("packages/*/README.md", { cwd: root }).map((file) => [file, file.replace("/README.md", ".md")])
])

/** The page of any other file. Its name has no dot, which servers would take for an extension. */
const sourcePage = (file: string) => `source/${file.replaceAll(".", "-")}.md`

const link = /\[[^\]]*\]\(([^)\s]+)\)/g
const fence = /^```.*?^```$/gms

/** The path in the repository to which a link of a document leads. Undefined if it leads elsewhere. */
const target = (from: string, href: string): string | undefined => {
  if (/^[a-z]+:|^#/.test(href)) return undefined
  const path = posix.join(posix.dirname(from), href.replace(/#.*$/, ""))
  return existsSync(join(root, path)) && statSync(join(root, path)).isFile() ? path : undefined
}

/** The files that are shown as their source, and the page of each. */
export const sources: ReadonlyMap<string, string> = new Map(
  Object.keys(pages).flatMap((page) =>
    [...readFileSync(join(root, page), "utf8").replace(fence, "").matchAll(link)].flatMap(([, href = ""]) => {
      const file = target(page, href)
      return file === undefined || pages[file] !== undefined ? [] : [[file, sourcePage(file)] as const]
    })
  )
)

/** A link of a document as the site needs it. */
export const siteLink = (from: string, href: string): string => {
  const file = target(from, href)
  const page = file === undefined ? undefined : pages[file] ?? sources.get(file)
  const [hash = ""] = /#.*$/.exec(href) ?? []
  return page === undefined ? href : `/${page}${hash}`
}

interface Group {
  readonly text: string
  readonly items: Array<{ readonly text: string; readonly link: string }>
}

/** The groups of pages, as `llms.txt` lists them. */
export const sidebar = (): Array<Group> => {
  const groups: Array<Group> = []
  for (const line of readFileSync(join(root, "llms.txt"), "utf8").split("\n")) {
    const [, heading] = /^## (.*)$/.exec(line) ?? []
    if (heading !== undefined) groups.push({ text: heading, items: [] })
    const [, text, href] = /^- \[(.*?)\]\(([^)]*)\)/.exec(line) ?? []
    if (text !== undefined && href !== undefined) {
      groups.at(-1)?.items.push({ text: text.replaceAll("`", ""), link: siteLink("llms.txt", href) })
    }
  }
  return groups
}
