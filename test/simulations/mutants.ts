/** Mistakes, each of which a property of its scenario must notice: `npm run mutate`. */
import type { Mutant } from "../support/mutant.ts"

const pool = "packages/core/src/internal/connectionPool.ts"
const connections = "packages/core/src/internal/connections.ts"
const transport = "packages/core/src/Transport.ts"

export const mutants: ReadonlyArray<Mutant> = [
  {
    module: "Transport",
    file: pool,
    find: "if (this.total >= this.max) return undefined",
    replace: "if (this.total > this.max) return undefined",
    rule: "opening, open and closing never exceed the limit"
  },
  {
    module: "Transport",
    file: pool,
    find: "    if (waiter !== undefined) return { waiter, grant: open }\n    this.total--",
    replace: "    this.total--",
    rule: "a wake is never lost"
  },
  {
    module: "Transport",
    file: connections,
    find: `if (waiter.grant._tag === "Open") gone(origin, pool, undefined)`,
    replace: `if (waiter.grant._tag === "Open") return`,
    rule: "who is interrupted while waiting gives back what it was woken with"
  },
  {
    module: "Transport",
    file: connections,
    find: "return Effect.onInterrupt(restore(Deferred.await(ready)), () => Effect.sync(() => fiber.interruptUnsafe()))",
    replace: "return restore(Deferred.await(ready))",
    rule: "a connection whose caller left while it was set up is closed"
  },
  {
    module: "Transport",
    file: connections,
    find: "atMost(Effect.andThen(connection.close, connection.closed), options.closeTimeout)",
    replace: "Effect.andThen(connection.close, connection.closed)",
    rule: "every close has a deadline"
  },
  {
    module: "Transport",
    file: connections,
    find: "        discard(grant.connection)\n        return checkout",
    replace: "        return checkout",
    rule: "a connection that the server has left is closed"
  },
  {
    module: "Transport",
    file: connections,
    find: "      if (isClosed) {\n        gone",
    replace: "      if (isClosed && options.max < 0) {\n        gone",
    rule: "nothing is opened once the transport is closed"
  },
  {
    module: "Transport",
    file: transport,
    find: "Effect.uninterruptibleMask((restore): Effect.Effect<Response, TransportError, Scope.Scope> => {",
    replace:
      "Effect.suspend((): Effect.Effect<Response, TransportError, Scope.Scope> => { const restore = <A, E, R>(self: Effect.Effect<A, E, R>) => self;",
    rule: "taking a connection and registering its release are one step"
  },
  {
    module: "Transport",
    file: transport,
    find: "const abort = Effect.andThen(exchange.abort, discard)",
    replace: "const abort = exchange.abort",
    rule: "a connection whose answer was given up is closed"
  }
]
