/** The page on the proof names everything that is tested, so that a reader can see what is not. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { declared } from "./differential/declared.ts"
import { load, modules } from "./support/scenarios.ts"

const page = readFileSync(join(import.meta.dirname, "../docs/proof.md"), "utf8").replaceAll(/\s+/g, " ")

describe("docs/proof.md", () => {
  it.each(modules())("names every phase and fault of the scenario %s", async (module) => {
    const { faults = [], phases = [] } = await load(module)
    const row = page.split(`| \`${module}\` `)[1]?.split("` |")[0] ?? ""
    assert.deepStrictEqual([...phases, ...faults].filter((name) => !row.includes(name)), [])
  })

  it("names every intended difference from Effect", () => {
    const names = declared.flatMap(({ difference }) => difference.split(":")[0]?.split(", ") ?? [])
    assert.deepStrictEqual(names.filter((name) => !page.includes(`\`${name}\``)), [])
  })
})
