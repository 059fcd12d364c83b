/** The figures of one client. */
import { Attribute, Metrics as All } from "@clawback/core/Conventions"
import * as Instrument from "@clawback/core/Instrument"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

const clients = Instrument.bounded(Attribute.redisName, 64)

export class Metrics {
  /** Connections that were opened, by the shared link and by subscriptions. */
  opened = 0
  /** Connections that were lost. */
  lost = 0
  /** Commands that had no answer in time. */
  timeouts = 0
}

/** Shows the figures until the scope closes. */
export const make = (name: string): Effect.Effect<Metrics, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.contextWith((context: Context.Context<never>) =>
      Effect.sync(() => {
        const metrics = new Metrics()
        const use = Instrument.use(clients, { [Attribute.redisName]: name }, context)
        const stops = [
          Instrument.observe(All.redisOpened, use.labels, context, () => metrics.opened),
          Instrument.observe(All.redisLost, use.labels, context, () => metrics.lost),
          Instrument.observe(All.redisTimeouts, use.labels, context, () => metrics.timeouts)
        ]
        return { metrics, stop: () => [...stops, use.release].forEach((stop) => stop()) }
      })
    ),
    ({ stop }) => Effect.sync(stop)
  ).pipe(Effect.map(({ metrics }) => metrics))
