/** The dashboard that the package ships for Grafana. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { onTestFinished } from "vitest"
import { unknownNames } from "./support/liveScrape.ts"

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number }
  readonly targets?: ReadonlyArray<{ readonly expr: string }>
}

interface Dashboard {
  readonly panels: ReadonlyArray<Panel>
  readonly annotations: { readonly list: ReadonlyArray<{ readonly expr: string }> }
}

const read = (path: string) => readFileSync(fileURLToPath(import.meta.resolve(`@clawback/telemetry/${path}`)), "utf8")
const text = read("grafana/pools.json")
const { annotations, panels }: Dashboard = JSON.parse(text)

/** The queries as Grafana sends them, with its variables replaced. */
const queries = [...panels.flatMap(({ targets = [] }) => targets), ...annotations.list].map(({ expr }) =>
  expr.replaceAll("$__rate_interval", "5m").replaceAll(/\$\w+/g, ".*")
)

const overlap = (a: Panel, b: Panel) =>
  a.gridPos.x < b.gridPos.x + b.gridPos.w && b.gridPos.x < a.gridPos.x + a.gridPos.w &&
  a.gridPos.y < b.gridPos.y + b.gridPos.h && b.gridPos.y < a.gridPos.y + a.gridPos.h

const hasPromtool = spawnSync("promtool", ["--version"]).error === undefined

describe("the dashboard (grafana/pools.json)", () => {
  it.live("queries only metrics and labels that a scrape of a live pool shows", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* unknownNames(queries.join("\n")), [])
    }))

  it("has panels that do not overlap, and ids that are not used twice", () => {
    assert.strictEqual(new Set(panels.map(({ id }) => id)).size, panels.length)
    for (const [index, panel] of panels.entries()) {
      assert.deepStrictEqual(panels.slice(0, index).filter((other) => overlap(panel, other)), [])
    }
  })

  it("marks the moments when one of the alerts fires", () => {
    const shown = /alertname=~"([\w|]+)"/.exec(annotations.list[0]?.expr ?? "")?.[1]?.split("|")
    const alerts = [...read("prometheus/alerts.yml").matchAll(/- alert: (\w+)/g)].map(([, name]) => name)
    assert.deepStrictEqual(shown, alerts)
  })

  it.skipIf(!hasPromtool)("has queries that Prometheus parses", () => {
    const rules = queries.map((expr, index) => ({ record: `query_${index}`, expr }))
    const file = join(mkdtempSync(join(tmpdir(), "clawback-dashboard-")), "queries.yml")
    onTestFinished(() => rmSync(dirname(file), { recursive: true }))
    writeFileSync(file, JSON.stringify({ groups: [{ name: "queries", rules }] }))
    execFileSync("promtool", ["check", "rules", file], { encoding: "utf8", stdio: "pipe" })
  })
})
