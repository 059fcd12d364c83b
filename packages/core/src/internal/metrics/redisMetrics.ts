/** The metrics of clients of Redis. */
import { Attribute } from "./attributes.ts"
import { define } from "./model.ts"

const labels = [Attribute.redisName] as const

export const redisMetrics = {
  redisOpened: define({
    kind: "counter",
    name: "clawback.redis.opened",
    unit: "{connection}",
    description: "Connections to Redis that were opened, without reserved ones",
    labels
  }),
  redisLost: define({
    kind: "counter",
    name: "clawback.redis.lost",
    unit: "{connection}",
    description: "Connections to Redis that were lost, without reserved ones",
    labels
  }),
  redisTimeouts: define({
    kind: "counter",
    name: "clawback.redis.timeouts",
    unit: "{command}",
    description: "Commands that Redis did not answer in time",
    labels
  })
} as const
