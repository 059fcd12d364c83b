/** A page for each file that a document links to, with its text. */
import { readFileSync } from "node:fs"
import { extname, join } from "node:path"
import { root, sources } from "../.vitepress/pages.ts"

export default {
  paths: () =>
    [...sources].map(([file, page]) => ({
      params: { path: page.replace(/^source\/|\.md$/g, "") },
      content: `# \`${file}\`\n\n\`\`\`\`\`\`${extname(file).slice(1)}\n${
        readFileSync(join(root, file), "utf8")
      }\`\`\`\`\`\`\n`
    }))
}
