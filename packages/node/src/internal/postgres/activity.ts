/** What the connections of a pool do: transactions as sessions, and metrics of those that are idle in one. */
import { Attribute, Metrics } from "@clawback/core/Conventions"
import * as Instrument from "@clawback/core/Instrument"
import type * as Session from "@clawback/core/Session"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Connection } from "./connection.ts"

/** The session of a transaction on a connection. Its attributes are read when somebody looks. */
export const transactionOn = (connection: Connection, name: string): Session.Info => ({
  kind: "transaction",
  name,
  attributes: {
    backend: connection.processId,
    get idleMillis() {
      return Math.round(connection.idleInTransaction ?? 0)
    },
    get state() {
      return connection.idleInTransaction === undefined ? "active" : "idle"
    }
  }
})

const pools = Instrument.bounded(Attribute.poolName, 64)

export class Activity {
  private readonly connections = new Set<Connection>()

  /** Counts a connection until the scope closes. */
  add(connection: Connection): Effect.Effect<void, never, Scope.Scope> {
    return Effect.acquireRelease(
      Effect.sync(() => void this.connections.add(connection)),
      () => Effect.sync(() => this.connections.delete(connection))
    )
  }

  private get idleTimes(): ReadonlyArray<number> {
    return Array.from(this.connections, ({ idleInTransaction }) => idleInTransaction).filter((_) => _ !== undefined)
  }

  /** Shows its metrics under the name of a pool until the scope closes. */
  observe(name: string): Effect.Effect<void, never, Scope.Scope> {
    return Effect.flatMap(Effect.context<never>(), (context) =>
      Effect.asVoid(Effect.acquireRelease(
        Effect.sync(() => {
          const { labels, release } = Instrument.use(pools, { [Attribute.poolName]: name }, context)
          return [
            Instrument.observe(Metrics.postgresIdle, labels, context, () => this.idleTimes.length),
            Instrument.observe(Metrics.postgresIdleTime, labels, context, () => Math.max(0, ...this.idleTimes) / 1000),
            release
          ]
        }),
        (stops) =>
          Effect.sync(() => {
            for (const stop of stops) stop()
          })
      )))
  }
}
