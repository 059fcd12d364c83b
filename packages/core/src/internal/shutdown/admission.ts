/** How work comes to be in flight, and out of it: in a session that whoever admits it opens and closes. */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Session from "../../Session.ts"
import type { SessionRevoked } from "../../SessionError.ts"
import { SessionRegistry } from "../../SessionRegistry.ts"
import type { Shutdown } from "../../Shutdown.ts"
import type { Ticket } from "./machine.ts"
import type { Work } from "./phases.ts"

/** Nothing is begun any more. It was refused before it did anything. */
export class ShuttingDown extends Schema.TaggedError<ShuttingDown>("@clawback/core/ShuttingDown")("ShuttingDown", {
  kind: Schema.String,
  /** What it is called. */
  work: Schema.String
}) {
  override get message() {
    return `The process is shutting down, so the ${this.kind} ${this.work} was not begun. Send it to another replica, ` +
      "or again once this one is back."
  }
}

/** The admitted work inside of which a fiber works. */
export const InFlight = Context.Reference<Ticket<Work> | undefined>("@clawback/core/Shutdown/InFlight", {
  defaultValue: () => undefined
})

export class Admission {
  private ticket: Ticket<Work> | undefined
  private isOver = false
  private readonly info: Session.Info
  private readonly shutdown: Shutdown

  constructor(info: Session.Info, shutdown: Shutdown) {
    this.info = info
    this.shutdown = shutdown
  }

  /** Taken inside of the session, whose release is registered by then. */
  readonly take = Effect.withFiber<Ticket<Work>, ShuttingDown>((fiber) => {
    const session = fiber.getRef(Session.Current)
    // The session may have been released by force before its work came this far.
    this.ticket = session === undefined || this.isOver ? undefined : this.shutdown.admitUnsafe(
      { session, registry: fiber.getRef(SessionRegistry) },
      fiber.getRef(InFlight)
    )
    return this.ticket === undefined
      ? Effect.fail(this.shutdown.refusalUnsafe(this.info))
      : Effect.succeed(this.ticket)
  })

  /** Why the work was told to end, if it was. */
  get revoked(): SessionRevoked | undefined {
    return this.ticket?.work.session.revoked
  }

  /** To be done as the session is released. What was revoked was cut short, unless it had succeeded all the same. */
  giveBack(hasSucceeded: boolean): Effect.Effect<void> {
    return Effect.sync(() => {
      this.isOver = true
      if (this.ticket === undefined) return
      this.shutdown.leaveUnsafe(this.ticket, !hasSucceeded && this.revoked !== undefined)
    })
  }
}
