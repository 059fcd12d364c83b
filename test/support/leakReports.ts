/** The leak reports of a simulated pool: what it logs of loans that are too long. */
import { Simulation } from "@clawback/testing"
import { Effect, Logger } from "effect"
import type { JumpingClock } from "./jumpingClock.ts"

interface Loan {
  /** The earliest moment at which it may have begun. */
  readonly earliest: number
  readonly beganAwake: number
  endedAt: number | undefined
  isReported: boolean
  /** It ended in a way that need not be reported. */
  isExempt: boolean
}

/** A session whose log entry says that it holds an item for too long. */
interface Entry {
  readonly session: number
  readonly site: unknown
}

const entryOf = (message: unknown): Entry | undefined => {
  const [text, details] = Array.isArray(message) ? message : []
  return typeof text === "string" && text.includes("is borrowed for more than") ? details as Entry : undefined
}

export class LeakReports {
  private readonly clock: JumpingClock
  private readonly threshold: number
  /** What a report must name: the file whose code borrows. */
  private readonly file: string
  private readonly loans = new Map<number, Loan>()
  private readonly reported = new Set<number>()
  /** The rules that were broken. */
  private readonly broken = new Map<string, string>()

  constructor(clock: JumpingClock, threshold: number, file: string) {
    this.clock = clock
    this.threshold = threshold
    this.file = file
  }

  /** Writes nothing: it notes what the pool reports. */
  readonly logger = Logger.make(({ message }) => {
    const entry = entryOf(message)
    if (entry !== undefined) this.note(entry)
  })

  private note({ session, site }: Entry): void {
    const loan = this.loans.get(session)
    if (this.reported.has(session)) this.broken.set("a loan is reported once", `session ${session}`)
    this.reported.add(session)
    if (typeof site !== "string" || !site.includes(this.file)) {
      this.broken.set("a report shows the place that borrowed", String(site))
    }
    // Others were lent in a scope, of which only their own fiber knows.
    if (loan === undefined) return
    loan.isReported = true
    const { clock } = this
    // What the borrower has given back at the moment of a leap, the pool may have got after it.
    const endedAt = loan.endedAt === undefined || loan.endedAt === clock.earliest ? clock.now : loan.endedAt
    const held = endedAt - loan.earliest
    if (held < this.threshold) this.broken.set("no loan is reported before the threshold", `after ${held} ms`)
  }

  /** A caller has got an item, in the first step with that. */
  begin(session: number): void {
    const { awake, earliest } = this.clock
    this.loans.set(session, { earliest, beganAwake: awake, endedAt: undefined, isReported: false, isExempt: false })
  }

  /** It gives the item back. A pool that began to close at `shutAwake` reports nothing after that. */
  end(session: number, shutAwake: number, isRevoked: boolean): void {
    const loan = this.loans.get(session)
    if (loan === undefined) return
    const { awake, now } = this.clock
    const dueAt = loan.beganAwake + this.threshold
    loan.endedAt = now
    loan.isExempt = isRevoked || awake <= dueAt || shutAwake <= dueAt
  }

  readonly check: Effect.Effect<void> = Effect.suspend(() => {
    for (const [session, { endedAt, isExempt, isReported }] of this.loans) {
      if (endedAt !== undefined && !isExempt && !isReported) {
        this.broken.set("a loan beyond the threshold is reported", `session ${session}`)
      }
    }
    return Effect.forEach(this.broken, ([property, detail]) => Simulation.check(property, false, detail), {
      discard: true
    })
  })
}
