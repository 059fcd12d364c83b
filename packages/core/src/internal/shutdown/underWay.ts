/** Work that was not admitted, and that the end of its program may cut short. */
import * as Exit from "effect/Exit"
import type { Session } from "../../Session.ts"
import type { SessionRegistry } from "../../SessionRegistry.ts"
import { kernelOf } from "../session/kernel.ts"
import { nearest, SessionRecord } from "../session/record.ts"

export class UnderWay {
  readonly session: SessionRecord
  readonly registry: SessionRegistry
  private exit: Exit.Exit<unknown, unknown> | undefined

  /** Learns from the session's release how the work ended. */
  constructor(session: SessionRecord, registry: SessionRegistry) {
    this.session = session
    this.registry = registry
    session.overhear((exit) => {
      this.exit = exit
    })
  }

  /** Whether the work has ended without success. Work that goes on is not cut short. */
  get isCutShort(): boolean {
    return this.exit !== undefined && Exit.isFailure(this.exit)
  }
}

/** The work under way in a registry, outside of admitted work. Work inside of other such work is part of that. */
export const outside = (registry: SessionRegistry, admitted: ReadonlyArray<Session>): ReadonlyArray<UnderWay> => {
  const known = new Set(admitted.filter((session) => session instanceof SessionRecord))
  const working = kernelOf(registry).underWay
  const all = new Set([...known, ...working])
  return working
    .filter((session) => !known.has(session) && nearest(all, session) === undefined)
    .map((session) => new UnderWay(session, registry))
}
