import * as Shutdown from "@clawback/core/Shutdown"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Connections } from "./connections.ts"

/** Has a shutdown stop a server in the phases `stop`, `interrupt` and `close`, for as long as the scope is open. */
export const stopWithShutdown = (connections: Connections, name: string): Effect.Effect<void, never, Scope.Scope> => {
  const inPhase = (phase: "stop" | "interrupt" | "close", run: () => void) =>
    Shutdown.addFinalizer({ phase, name: `${name}: ${phase}` })(Effect.sync(run))
  return Effect.all([
    inPhase("stop", () => connections.stop()),
    inPhase("interrupt", () => connections.abandon()),
    inPhase("close", () => connections.destroy())
  ], { discard: true })
}
