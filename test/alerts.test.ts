/** The alert rules that the package ships: each fires on what it is for, and is silent otherwise. */
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { unknownNames } from "./support/liveScrape.ts"

const rulesFile = fileURLToPath(import.meta.resolve("@clawback/telemetry/prometheus/alerts.yml"))
const rules = readFileSync(rulesFile, "utf8")
const alerts = [...rules.matchAll(/- alert: (\w+)/g)].map(([, name = ""]) => name)
const hasPromtool = spawnSync("promtool", ["--version"]).error === undefined

/** Series by their names and labels. Values are one a minute, in promtool's notation: `5x30` is 5, and then 30 times 5. */
type Series = Readonly<Record<string, string>>

const origin = `clawback_connection_pool_name="https://api.example.com"`
const connections = (used: string, max: number): Series => ({
  [`clawback_connection_open{${origin},clawback_connection_state="used"}`]: used,
  [`clawback_connection_open{${origin},clawback_connection_state="idle"}`]: "40x30",
  [`clawback_connection_max{${origin}}`]: `${max}x30`
})
const pool = `clawback_pool_name="database"`
/** A pool of 20. */
const items = (busy: string, opening: string): Series => ({
  [`clawback_pool_items{${pool},clawback_pool_item_state="busy"}`]: busy,
  [`clawback_pool_items{${pool},clawback_pool_item_state="opening"}`]: opening,
  [`clawback_pool_items{${pool},clawback_pool_item_state="idle"}`]: "10x30",
  [`clawback_pool_items_max{${pool}}`]: "20x30"
})
/** The age in seconds of the oldest session of a kind. */
const age = (kind: string, values: string): Series => ({
  [`clawback_session_age_seconds{clawback_session_kind="${kind}"}`]: values
})
const postgres = (states: Readonly<Record<string, string>>, max: number): Series => ({
  ...Object.fromEntries(
    Object.entries(states).map(([state, values]) => [`pg_stat_activity_count{datname="app",state="${state}"}`, values])
  ),
  "pg_settings_max_connections{}": `${max}x30`
})

interface Case {
  /** The alert fires after half an hour of each of these. */
  readonly fires: ReadonlyArray<Series>
  /** It is silent during half an hour of each of these. */
  readonly silent: ReadonlyArray<Series>
}

const cases: Readonly<Record<string, Case>> = {
  PoolSaturated: {
    fires: [items("19x30", "0x30"), items("9x30", "10x30")],
    silent: [items("16x30", "2x30"), items("20x8 4x22", "0x30")]
  },
  CallersWaitForPool: {
    fires: [{ [`clawback_pool_pending_requests{${pool}}`]: "2x30" }],
    silent: [{ [`clawback_pool_pending_requests{${pool}}`]: "0 9 9 9 0 0 9 9 9 0x21" }]
  },
  PoolTimeouts: {
    fires: [{ [`clawback_pool_timeouts_total{${pool}}`]: "0x26 1x3" }],
    silent: [{ [`clawback_pool_timeouts_total{${pool}}`]: "7x30" }]
  },
  PoolLeakSuspected: {
    fires: [{ [`clawback_pool_leaks_total{${pool}}`]: "3x20 4x9" }],
    silent: [{ [`clawback_pool_leaks_total{${pool}}`]: "3x30" }]
  },
  LoanIsOld: {
    fires: [age("borrow", "1000+60x30")],
    silent: [age("borrow", "0+60x30"), age("resource", "10000+60x30")]
  },
  PoolAbandonsItems: {
    fires: [{ [`clawback_pool_abandoned_total{${pool}}`]: "0x20 1x9" }],
    silent: [{ [`clawback_pool_abandoned_total{${pool}}`]: "1x30" }]
  },
  ConnectionsSaturated: {
    fires: [connections("120x30", 128)],
    silent: [connections("88x30", 128), connections("128x8 20x22", 128)]
  },
  RequestsWaitForConnections: {
    fires: [{ [`clawback_connection_pending_requests{${origin}}`]: "3x30" }],
    silent: [
      { [`clawback_connection_pending_requests{${origin}}`]: "0x30" },
      { [`clawback_connection_pending_requests{${origin}}`]: "0 9 9 9 0 0 9 9 9 0x21" }
    ]
  },
  ConnectionTimeouts: {
    fires: [
      { [`clawback_connection_timeouts_total{${origin}}`]: "7x26 8x3" },
      // The first one that there ever was.
      { [`clawback_connection_timeouts_total{${origin}}`]: "_x27 1x2", "up{}": "1x30" }
    ],
    // Prometheus is newer than the program.
    silent: [{ [`clawback_connection_timeouts_total{${origin}}`]: "7x30", "up{}": "1x30" }]
  },
  PostgresIdleInTransaction: {
    fires: [
      { [`pg_stat_activity_max_tx_duration{datname="app",state="idle in transaction"}`]: "0+60x30" },
      { [`pg_stat_activity_max_tx_duration{datname="app",state="idle in transaction (aborted)"}`]: "0+60x30" }
    ],
    silent: [
      { [`pg_stat_activity_max_tx_duration{datname="app",state="idle in transaction"}`]: "5x30" },
      { [`pg_stat_activity_max_tx_duration{datname="app",state="active"}`]: "0+60x30" }
    ]
  },
  PostgresConnectionsExhausted: {
    fires: [postgres({ idle: "10x30", active: "5x30", "idle in transaction": "70x30" }, 100)],
    silent: [postgres({ idle: "30x30", active: "30x30", "idle in transaction": "15x30" }, 100)]
  },
  TransactionIsIdle: {
    fires: [{ [`clawback_postgres_idle_in_transaction_time_seconds{${pool}}`]: "40x30" }],
    silent: [
      { [`clawback_postgres_idle_in_transaction_time_seconds{${pool}}`]: "20x30" },
      { [`clawback_postgres_idle_in_transaction_time_seconds{${pool}}`]: "0 40 0x28" }
    ]
  }
}

const folder = mkdtempSync(join(tmpdir(), "clawback-alerts-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Fails unless exactly these alerts fire at the end of half an hour of the series, or at any time of it. */
const check = (series: Series, when: "end" | "ever", expected: ReadonlyArray<string>) => {
  const firing = `ALERTS{alertstate="firing"}`
  const file = join(folder, "test.yml")
  writeFileSync(
    file,
    JSON.stringify({
      rule_files: [rulesFile],
      evaluation_interval: "1m",
      tests: [{
        interval: "1m",
        input_series: Object.entries(series).map(([series, values]) => ({ series, values })),
        promql_expr_test: [{
          expr: `count by (alertname) (${when === "end" ? firing : `max_over_time(${firing}[30m])`})`,
          eval_time: "29m",
          exp_samples: expected.map((alert) => ({ labels: `{alertname="${alert}"}`, value: 1 }))
        }]
      }]
    })
  )
  execFileSync("promtool", ["test", "rules", file], { encoding: "utf8", stdio: "pipe" })
}

describe("the alert rules (prometheus/alerts.yml)", () => {
  it("have a case here and a paragraph in docs/alerts.md each", () => {
    const page = readFileSync(new URL("../docs/alerts.md", import.meta.url), "utf8")
    const headings = [...page.matchAll(/^### (\w+)$/gm)].map(([, name]) => name)
    assert.deepStrictEqual(headings, alerts)
    assert.deepStrictEqual(Object.keys(cases), alerts)
    for (const alert of alerts) assert.include(rules, `runbook: docs/alerts.md#${alert.toLowerCase()}\n`)
  })

  it.live("use only metrics and labels that a scrape of a live pool shows", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* unknownNames(rules), [])
    }))

  it.skipIf(!hasPromtool).each(Object.entries(cases))(
    "%s fires, and is silent otherwise",
    (alert, { fires, silent }) => {
      for (const series of fires) check(series, "end", [alert])
      for (const series of silent) check(series, "ever", [])
    }
  )
})
