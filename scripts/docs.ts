/**
 * The docs site, over the documents of this repository: `npm run docs` serves it, and shows each change at once.
 *
 * `npm run docs -- build` writes it to `dist/site`. `npm run docs -- check` also follows every link of the built pages, and looks
 * for every page in the index of the search. VitePress is installed in `site/` when it is first needed.
 */
import { existsSync, globSync, readFileSync } from "node:fs"
import { join, posix } from "node:path"
import { argv, exit } from "node:process"
import { pathToFileURL } from "node:url"
import { installIn } from "./npm.ts"

const root = join(import.meta.dirname, "..")
const site = join(root, "site")
const built = join(root, "dist/site")

interface VitePress {
  readonly build: (folder: string) => Promise<void>
  readonly createServer: (folder: string) => Promise<{
    readonly listen: () => Promise<unknown>
    readonly printUrls: () => void
  }>
}

/** VitePress in this process, so that a signal ends both. It has no types before it is installed. */
const vitepress = async (): Promise<VitePress> => {
  installIn(site)
  return await import(pathToFileURL(join(site, "node_modules/vitepress/dist/node/index.js")).href)
}

const decoded = (text: string) => decodeURIComponent(text.replaceAll("&amp;", "&"))

/** The links of the built pages that lead to no page, file or heading. */
const deadLinks = (pages: ReadonlyMap<string, string>): ReadonlyArray<string> =>
  [...pages].flatMap(([page, html]) =>
    [...html.matchAll(/ (?:href|src)="([^"]*)"/g)].flatMap(([, link = ""]) => {
      if (/^([a-z]+:|\/\/)/.test(link)) return []
      const [path = "", hash = ""] = decoded(link).split("#")
      const file = path === "" ? page : posix.join("/", path.startsWith("/") ? "" : posix.dirname(page), path)
      const target = [file, `${file}.html`, posix.join(file, "index.html")].find((_) =>
        existsSync(join(built, _)) && /\.\w+$/.test(_)
      )
      if (target === undefined) return [`${page}: ${link} leads to no page`]
      if (hash === "" || pages.get(target)?.includes(` id="${hash}"`) === true) return []
      return [`${page}: ${link} leads to no heading`]
    })
  )

/** The pages that the search cannot find. */
const unsearched = (pages: ReadonlyMap<string, string>): ReadonlyArray<string> => {
  const index = globSync("assets/chunks/@localSearchIndex*.js", { cwd: built })
    .map((file) => readFileSync(join(built, file), "utf8")).join("")
  return [...pages.keys()].filter((page) => !page.startsWith("/source/") && page !== "/404.html")
    .filter((page) => !index.includes(`"${page.replace(/^\/index\.html$/, "/")}#`))
    .map((page) => `${page} is not in the index of the search`)
}

const check = (): number => {
  const pages = new Map(
    globSync("**/*.html", { cwd: built }).map((file) => [`/${file}`, readFileSync(join(built, file), "utf8")])
  )
  const faults = [...deadLinks(pages), ...unsearched(pages)]
  for (const fault of faults) console.error(fault)
  console.log(`Site: ${pages.size} pages, ${faults.length} faults`)
  return faults.length === 0 ? 0 : 1
}

switch (argv[2]) {
  case undefined: {
    const server = await (await vitepress()).createServer(site)
    await server.listen()
    server.printUrls()
    break
  }
  case "build":
    await (await vitepress()).build(site)
    break
  case "check":
    await (await vitepress()).build(site)
    exit(check())
    break
  default:
    console.error("Say build or check, or nothing to serve the site")
    exit(2)
}
