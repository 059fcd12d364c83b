import * as Context from "effect/Context"
import type { Ticket } from "./machine.ts"
import type { Admitted } from "./model.ts"

/** The admitted work inside of which this fiber works. */
export const InFlight = Context.Reference<Ticket<Admitted> | undefined>("@clawback/core/Shutdown/InFlight", {
  defaultValue: () => undefined
})
