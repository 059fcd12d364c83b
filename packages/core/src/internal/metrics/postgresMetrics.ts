/** The metrics of PostgreSQL clients, beside those of their pools. */
import { Attribute } from "./attributes.ts"
import { define } from "./model.ts"

const labels = [Attribute.poolName] as const

export const postgresMetrics = {
  postgresIdle: define({
    kind: "gauge",
    name: "clawback.postgres.idle_in_transaction",
    unit: "{connection}",
    description: "Connections in a transaction in which no statement runs",
    labels
  }),
  postgresIdleTime: define({
    kind: "gauge",
    name: "clawback.postgres.idle_in_transaction.time",
    unit: "s",
    description: "Time since the last statement of the connection that is idle in a transaction for longest",
    labels,
    combine: Math.max
  })
} as const
