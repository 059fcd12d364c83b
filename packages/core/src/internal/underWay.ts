/** Work that nobody admitted, and that the end of its program may cut short. */
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type { Session } from "../Session.ts"
import type { SessionRegistry } from "../SessionRegistry.ts"
import { Entry, nearest } from "./ledger.ts"

export class UnderWay {
  readonly session: Entry
  private readonly workers: ReadonlyArray<Fiber.Fiber<unknown, unknown>>

  constructor(session: Entry) {
    this.session = session
    this.workers = session.workers
  }

  /** Whether it has ended, and did not come to its own end. Work that goes on is neither. */
  get isCutShort(): boolean {
    return this.workers.some((fiber) => {
      const exit = fiber.pollUnsafe()
      return exit !== undefined && Exit.isFailure(exit)
    })
  }
}

/** What is under way in a registry outside of admitted work. What it does inside of that is told with it. */
export const outside = (registry: SessionRegistry, admitted: ReadonlyArray<Session>): ReadonlyArray<UnderWay> => {
  const known = admitted.filter((session) => session instanceof Entry)
  const working = registry.underWayUnsafe()
  const all = new Set([...known, ...working])
  return working
    .filter((session) => !known.includes(session) && nearest(all, session) === undefined)
    .map((session) => new UnderWay(session))
}
