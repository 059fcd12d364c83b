/**
 * How far a shutdown has come, who is still in flight and what is still to be done: a state machine without clock or
 * effect.
 *
 * Phases only go forward. Work that was admitted stays in flight until it leaves, once, and it is counted once as ended
 * or as interrupted; what is registered for a phase is taken by that phase, once, or withdrawn.
 */

/** In this order. */
export const phases = ["unready", "stop", "drain", "persist", "interrupt", "close"] as const

export type Phase = typeof phases[number]

export type State = "running" | Phase | "done"

const order: ReadonlyArray<State> = ["running", ...phases, "done"]

const rank = (state: State): number => order.indexOf(state)

/** One piece of work in flight. */
export class Ticket<out W = unknown> {
  readonly work: W
  readonly parent: Ticket<W> | undefined
  /** Whether the drain waits for it. */
  isAwaited: boolean

  constructor(work: W, parent: Ticket<W> | undefined) {
    this.work = work
    this.parent = parent
    this.isAwaited = parent?.isAwaited ?? true
  }
}

export interface Registration<out F> {
  readonly phase: Phase
  readonly finalizer: F
}

export class Stopping<W, F> {
  state: State = "running"
  /** A second request: the drain is skipped. */
  isHurried = false
  /** A third request: whatever is left is left. */
  isAbandoned = false
  private requests = 0
  private awaited = 0
  private readonly inFlight = new Set<Ticket<W>>()
  private readonly registered = new Set<Registration<F>>()
  private ended = 0
  private interrupted: Array<W> = []

  /** Whether work may begin: while running, and inside of work that is in flight until that is interrupted. */
  admits(inside: Ticket<W> | undefined): boolean {
    const at = rank(this.state)
    return at < rank("stop") || (inside !== undefined && this.inFlight.has(inside) && at < rank("interrupt"))
  }

  admit(work: W, inside: Ticket<W> | undefined): Ticket<W> | undefined {
    if (!this.admits(inside)) return undefined
    const ticket = new Ticket(work, inside !== undefined && this.inFlight.has(inside) ? inside : undefined)
    this.inFlight.add(ticket)
    if (ticket.isAwaited) this.awaited++
    return ticket
  }

  /** False where it has left before, or was never in flight here: then nothing changes. */
  leave(ticket: Ticket<W>, isInterrupted: boolean): boolean {
    if (!this.inFlight.delete(ticket)) return false
    if (ticket.isAwaited) this.awaited--
    if (this.state === "running") return true
    if (isInterrupted) this.interrupted.push(ticket.work)
    else this.ended++
    return true
  }

  /** The drain does not wait for work that waits for the shutdown, nor for what that is inside of. */
  excuse(ticket: Ticket<W> | undefined): void {
    for (let at = ticket; at !== undefined; at = at.parent) {
      if (!at.isAwaited || !this.inFlight.has(at)) continue
      at.isAwaited = false
      this.awaited--
    }
  }

  get isDrained(): boolean {
    return this.awaited === 0
  }

  get live(): ReadonlyArray<W> {
    return Array.from(this.inFlight, ({ work }) => work)
  }

  /** What has left since this was asked before. */
  takeLeft(): { readonly ended: number; readonly interrupted: ReadonlyArray<W> } {
    const left = { ended: this.ended, interrupted: this.interrupted }
    this.ended = 0
    this.interrupted = []
    return left
  }

  /** Whether this begins it. */
  begin(): boolean {
    if (this.state !== "running") return false
    this.state = "unready"
    return true
  }

  /** The first request begins the shutdown or joins it, the second hurries it, the third abandons it. */
  request(): "begun" | "joined" | "hurried" | "abandoned" | "over" {
    if (this.state === "done") return "over"
    this.requests++
    if (this.requests === 1) return this.begin() ? "begun" : "joined"
    if (this.requests === 2) {
      this.isHurried = true
      return "hurried"
    }
    this.isAbandoned = true
    return "abandoned"
  }

  /** Goes on to the next phase. */
  next(): State {
    this.state = order[Math.min(rank(this.state) + 1, order.length - 1)] ?? "done"
    return this.state
  }

  /** Whether nothing is to be done, or waited for any longer, in a phase. */
  skips(phase: Phase): boolean {
    return this.isAbandoned || (this.isHurried && (phase === "unready" || phase === "drain"))
  }

  /** False where its phase has begun: it comes too late to be taken. */
  register(registration: Registration<F>): boolean {
    if (rank(registration.phase) <= rank(this.state)) return false
    this.registered.add(registration)
    return true
  }

  withdraw(registration: Registration<F>): boolean {
    return this.registered.delete(registration)
  }

  /** What is registered for the present phase, the last one first. */
  take(): ReadonlyArray<F> {
    const taken = Array.from(this.registered).filter(({ phase }) => phase === this.state).toReversed()
    for (const registration of taken) this.registered.delete(registration)
    return taken.map(({ finalizer }) => finalizer)
  }
}
