/** The page on stability lists the modules that are tagged as experimental, and no others. */
import { globSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { assert, it } from "vitest"

const root = join(import.meta.dirname, "..")

it("docs/stability.md lists each experimental module, and only these", () => {
  const page = readFileSync(join(root, "docs/stability.md"), "utf8")
  const [, section = ""] = /^## What is experimental$(.*?)^## /ms.exec(page) ?? []
  const listed = [...section.matchAll(/`(\w+)`/g)].map(([, name]) => name)
  const tagged = globSync(join(root, "packages/*/src/*.ts"))
    .filter((file) => readFileSync(file, "utf8").includes("\n * @experimental\n */\n\n"))
    .map((file) => basename(file, ".ts"))
  assert.isNotEmpty(tagged)
  assert.deepStrictEqual(listed.toSorted(), tagged.toSorted())
})
