/** The docs site. `npm run docs` serves it. */
import { relative } from "node:path"
import type { Plugin } from "vite"
import { defineConfig } from "vitepress"
import { fragment } from "../../scripts/headings.ts"
import { pages, root, sidebar, siteLink } from "./pages.ts"

/** The pages lie outside of this folder, from where they would not find what is installed here. */
const fromHere: Plugin = {
  name: "from here",
  enforce: "pre",
  resolveId(id, importer, options) {
    if (!/^vue(\/|$)/.test(id)) return null
    // On the server's side it is Node that resolves it, from the folder of the built pages.
    if (options.ssr === true) return { id, external: true }
    if (importer === undefined || importer.includes("/node_modules/")) return null
    return this.resolve(id, import.meta.filename, { ...options, skipSelf: true })
  }
}

/** A closed ring: what is taken comes back. */
const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">
<circle cx="8" cy="8" r="5.5" fill="none" stroke="#3451b2" stroke-width="3"/></svg>`

/** Room for lines of code of 120 characters, where the window has it. */
const style =
  "html:root { --vp-code-font-size: 0.85em } .VPDoc .content, .VPDoc .content-container { max-width: 1000px !important }"

export default defineConfig({
  title: "Clawback",
  description: "An Effect SDK for programs that call language models: what is taken is given back",
  head: [["link", { rel: "icon", href: `data:image/svg+xml,${encodeURIComponent(icon)}` }], ["style", {}, style]],
  srcDir: root,
  srcExclude: ["**/node_modules/**", "**/dist/**", "test/**", ".changeset/**", "site/node_modules/**"],
  outDir: `${root}/dist/site`,
  cacheDir: `${root}/node_modules/.cache/vitepress`,
  rewrites: { ...pages, "site/source/:path*": "source/:path*" },
  lastUpdated: false,
  vite: { publicDir: false, server: { fs: { allow: [root] } }, plugins: [fromHere] },
  markdown: {
    theme: { light: "github-light", dark: "github-dark" },
    anchor: { slugify: fragment, getTokensText: (tokens) => tokens.map(({ content }) => content).join("") },
    config: (md) => {
      md.core.ruler.push("repository links", ({ env, tokens }) => {
        const from = relative(root, env.realPath ?? env.path)
        for (const token of tokens.flatMap(({ children }) => children ?? [])) {
          if (token.type === "link_open") token.attrSet("href", siteLink(from, token.attrGet("href") ?? ""))
        }
      })
    }
  },
  themeConfig: {
    nav: [
      { text: "Start", link: "/getting-started" },
      { text: "Recipes", link: "/recipes/server" },
      { text: "Proof", link: "/proof" },
      { text: "Changelog", link: "/changelog" }
    ],
    sidebar: sidebar(),
    outline: [2, 3],
    search: { provider: "local" },
    externalLinkIcon: true
  }
})
