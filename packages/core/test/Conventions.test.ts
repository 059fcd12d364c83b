import { Attribute, Metrics } from "@clawback/core/Conventions"
import * as Semantic from "@opentelemetry/semantic-conventions/incubating"
import { assert, describe, it } from "vitest"

const theirs = new Set<unknown>(Object.values(Semantic))
const names = [...Object.values(Attribute), ...Object.values(Metrics).map(({ name }) => name)]

describe("Conventions", () => {
  it.each(names.filter((name) => !name.startsWith("clawback.")))("has %s from OpenTelemetry", (name) => {
    assert.isTrue(theirs.has(name))
  })

  it("names each thing once", () => {
    assert.strictEqual(new Set(names).size, names.length)
  })

  it.each(Object.values(Metrics))("splits $name by what cannot grow with those it works for", ({ labels }) => {
    for (const label of labels) assert.notMatch(label, /tenant|subject|conversation|session\.id|user/)
  })

  it.each(Object.values(Metrics))("gives $name a unit, and bounds if it needs them", (instrument) => {
    assert.match(instrument.unit, /^(s|By|1|\{[a-z_]+\}(\/s)?)$/)
    assert.strictEqual("boundaries" in instrument, instrument.kind === "histogram")
  })
})
