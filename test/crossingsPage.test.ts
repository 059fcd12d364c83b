/** The page on requests across protocols has the rules that the encoders obey. `npm run crossings` writes them there. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, it } from "vitest"
import { crossingsTable, placeOfTable } from "./support/crossingsTable.ts"

it("docs/across-protocols.md has the table of the rules as they are", () => {
  const page = readFileSync(join(import.meta.dirname, "../docs/across-protocols.md"), "utf8")
  assert.strictEqual(placeOfTable.exec(page)?.[0], crossingsTable())
})
