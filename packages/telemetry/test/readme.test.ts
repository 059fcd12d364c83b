import { Metrics } from "@clawback/core/Conventions"
import type * as Instrument from "@clawback/core/Instrument"
import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"

const rows = readFileSync(new URL("../README.md", import.meta.url), "utf8")
  .split("\n")
  .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()))

describe("the README", () => {
  it.each(Object.values<Instrument.Instrument>(Metrics))("tells of $name what it is", (metric) => {
    const { description, kind, labels, name, unit } = metric
    const shown = labels.length === 0 ? "–" : labels.map((label) => `\`${label}\``).join(", ")
    assert.deepInclude(rows, [`\`${name}\``, kind, `\`${unit}\``, shown, description])
  })

  it("tells of no metric that there is not", () => {
    const names = rows.filter(([, kind]) => kind === "counter" || kind === "gauge" || kind === "histogram")
    assert.strictEqual(names.length, Object.keys(Metrics).length)
  })
})
