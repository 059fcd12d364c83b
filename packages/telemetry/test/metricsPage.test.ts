import { Metrics } from "@clawback/core/Conventions"
import type * as Instrument from "@clawback/core/Instrument"
import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"

const rows = readFileSync(new URL("../../../docs/telemetry.md", import.meta.url), "utf8")
  .split("\n")
  .map((line) => line.split("|").slice(1, -1).map((cell) => cell.trim()))

describe("the page of metrics (docs/telemetry.md)", () => {
  it.each(Object.values<Instrument.Instrument>(Metrics))("describes $name", (metric) => {
    const { description, kind, labels, name, unit } = metric
    const shown = labels.length === 0 ? "–" : labels.map((label) => `\`${label}\``).join(", ")
    assert.deepInclude(rows, [`\`${name}\``, kind, `\`${unit}\``, shown, description])
  })

  it("describes no metric that does not exist", () => {
    const names = rows.filter(([, kind]) => kind === "counter" || kind === "gauge" || kind === "histogram")
    assert.strictEqual(names.length, Object.keys(Metrics).length)
  })
})
