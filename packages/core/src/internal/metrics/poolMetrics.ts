/** The metrics of pools, modelled on OpenTelemetry's `db.client.connection.*`. */
import { Attribute } from "./attributes.ts"
import { define } from "./model.ts"

const seconds = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

const labels = [Attribute.poolName] as const

export const poolMetrics = {
  poolItems: define({
    kind: "gauge",
    name: "clawback.pool.items",
    unit: "{item}",
    description: "Items of a pool by what they do",
    labels: [Attribute.poolName, Attribute.itemState]
  }),
  poolMax: define({
    kind: "gauge",
    name: "clawback.pool.items.max",
    unit: "{item}",
    description: "Items that a pool may have",
    labels
  }),
  poolMin: define({
    kind: "gauge",
    name: "clawback.pool.items.min",
    unit: "{item}",
    description: "Items that a pool keeps open",
    labels
  }),
  poolPending: define({
    kind: "gauge",
    name: "clawback.pool.pending_requests",
    unit: "{request}",
    description: "Callers that wait for an item",
    labels
  }),
  poolTimeouts: define({
    kind: "counter",
    name: "clawback.pool.timeouts",
    unit: "{timeout}",
    description: "Callers that got no item in time",
    labels
  }),
  poolOpened: define({
    kind: "counter",
    name: "clawback.pool.opened",
    unit: "{item}",
    description: "Items that were opened",
    labels
  }),
  poolFailures: define({
    kind: "counter",
    name: "clawback.pool.connect_failures",
    unit: "{failure}",
    description: "Connects that failed",
    labels
  }),
  poolClosed: define({
    kind: "counter",
    name: "clawback.pool.closed",
    unit: "{item}",
    description: "Items that were closed, by reason",
    labels: [Attribute.poolName, Attribute.closeReason]
  }),
  poolLeaks: define({
    kind: "counter",
    name: "clawback.pool.leaks",
    unit: "{item}",
    description: "Items that were borrowed for longer than the leak threshold",
    labels
  }),
  poolAbandoned: define({
    kind: "counter",
    name: "clawback.pool.abandoned",
    unit: "{item}",
    description: "Connects, checks, resets and closes that did not end in time: their items may still be open",
    labels
  }),
  poolCreateTime: define({
    kind: "histogram",
    name: "clawback.pool.create_time",
    unit: "s",
    description: "Time that it took to open an item",
    labels,
    boundaries: seconds
  }),
  poolWaitTime: define({
    kind: "histogram",
    name: "clawback.pool.wait_time",
    unit: "s",
    description: "Time that callers waited for an item, where none was free at once",
    labels,
    boundaries: seconds
  }),
  poolUseTime: define({
    kind: "histogram",
    name: "clawback.pool.use_time",
    unit: "s",
    description: "Time that items were borrowed",
    labels,
    boundaries: seconds
  })
} as const
