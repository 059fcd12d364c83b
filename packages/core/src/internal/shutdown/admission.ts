/** How work gets in flight, and leaves. Its session is opened and closed by the caller. */
import * as Effect from "effect/Effect"
import * as Session from "../../Session.ts"
import type { SessionRevoked } from "../../SessionError.ts"
import { SessionRegistry } from "../../SessionRegistry.ts"
import { whyEnded } from "../session/lifecycle.ts"
import type { Coordinator } from "./coordinator.ts"
import { InFlight } from "./inFlight.ts"
import type { Ticket } from "./machine.ts"
import type { Admitted, ShuttingDown } from "./model.ts"

export class Admission {
  private ticket: Ticket<Admitted> | undefined
  private isOver = false
  private readonly info: Session.Info
  private readonly shutdown: Coordinator

  constructor(info: Session.Info, shutdown: Coordinator) {
    this.info = info
    this.shutdown = shutdown
  }

  /** Enters inside of the session, whose release must call `leave`. */
  readonly enter = Effect.withFiber<Ticket<Admitted>, ShuttingDown | SessionRevoked>((fiber) => {
    const session = fiber.getRef(Session.Current)
    if (session === undefined) {
      return Effect.die(new Error(`There is no session for the ${this.info.kind} ${this.info.name}`))
    }
    // The session may have been released by force before its work came this far.
    if (this.isOver) return Effect.fail(whyEnded(session))
    this.ticket = this.shutdown.admit({ session, registry: fiber.getRef(SessionRegistry) }, fiber.getRef(InFlight))
    return this.ticket === undefined
      ? Effect.fail(this.shutdown.rejection(this.info))
      : Effect.succeed(this.ticket)
  })

  private get revoked(): SessionRevoked | undefined {
    return this.ticket?.work.session.revoked
  }

  /** Revoked work was cut short, unless it succeeded all the same. */
  leave(hasSucceeded: boolean): void {
    this.isOver = true
    if (this.ticket === undefined) return
    this.shutdown.leave(this.ticket, !hasSucceeded && this.revoked !== undefined)
  }
}
