/** Writes the table of `docs/across-protocols.md` from the rules that the encoders obey. */
import { readFileSync, writeFileSync } from "node:fs"
import { crossingsTable, placeOfTable } from "../test/support/crossingsTable.ts"

const page = "docs/across-protocols.md"
writeFileSync(page, readFileSync(page, "utf8").replace(placeOfTable, () => crossingsTable()))
