/**
 * The phase of a shutdown, the work in flight and the finalizers: a state machine without clock or effect.
 *
 * Guarantees: phases only go forward. Admitted work stays in flight until it leaves, once, and is counted once, as ended or
 * as interrupted. A finalizer is withdrawn, or taken once by its phase and then settled once.
 */
import { type Phase, phases, type State } from "./phases.ts"

const order: ReadonlyArray<State> = ["running", ...phases, "done"]

const rank = (state: State): number => order.indexOf(state)

/** One piece of work in flight. */
export interface Ticket<out W = unknown> {
  readonly work: W
  /** The work inside of which this one was admitted. */
  readonly parent: Ticket<W> | undefined
  /** Whether the drain waits for it. */
  readonly isAwaited: boolean
}

class InFlight<out W> implements Ticket<W> {
  readonly work: W
  readonly parent: Ticket<W> | undefined
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

/** The first call begins the shutdown or joins it, the second hurries it, the third abandons it. */
export type Escalation = "begun" | "joined" | "hurried" | "abandoned" | "over"

export class Stopping<W, F> {
  private at: State = "running"
  /** After the second escalation, nothing waits for the drain. */
  private isHurried = false
  /** After the third escalation, nothing is waited for at all. */
  private hasBeenAbandoned = false
  private escalations = 0
  private awaited = 0
  private readonly inFlight = new Set<Ticket<W>>()
  private readonly registered = new Set<Registration<F>>()
  private readonly running = new Set<F>()
  private ended = 0
  private interrupted: Array<W> = []

  get state(): State {
    return this.at
  }

  get isAbandoned(): boolean {
    return this.hasBeenAbandoned
  }

  /** Whether work may begin: until `stop`, and inside of work in flight until `interrupt`. */
  admits(inside: Ticket<W> | undefined): boolean {
    const at = rank(this.at)
    return at < rank("stop") || (inside !== undefined && this.inFlight.has(inside) && at < rank("interrupt"))
  }

  admit(work: W, inside: Ticket<W> | undefined): Ticket<W> | undefined {
    if (!this.admits(inside)) return undefined
    const ticket = new InFlight(work, inside !== undefined && this.inFlight.has(inside) ? inside : undefined)
    this.inFlight.add(ticket)
    if (ticket.isAwaited) this.awaited++
    return ticket
  }

  /** Returns false if the work has left before, or was never in flight here: then nothing changes. */
  leave(ticket: Ticket<W>, isInterrupted: boolean): boolean {
    if (!this.inFlight.delete(ticket)) return false
    if (ticket.isAwaited) this.awaited--
    if (this.at === "running") return true
    if (isInterrupted) this.interrupted.push(ticket.work)
    else this.ended++
    return true
  }

  /** The drain does not wait for work that waits for the shutdown, nor for the work around that. */
  excuse(ticket: Ticket<W> | undefined): void {
    for (let at = ticket; at !== undefined; at = at.parent) {
      if (!at.isAwaited || !this.inFlight.has(at)) continue
      ;(at as InFlight<W>).isAwaited = false
      this.awaited--
    }
  }

  get isDrained(): boolean {
    return this.awaited === 0
  }

  get live(): ReadonlyArray<W> {
    return Array.from(this.inFlight, ({ work }) => work)
  }

  /** Returns what has left since the last call. */
  takeLeft(): { readonly ended: number; readonly interrupted: ReadonlyArray<W> } {
    const left = { ended: this.ended, interrupted: this.interrupted }
    this.ended = 0
    this.interrupted = []
    return left
  }

  /** Returns whether this call begins the shutdown. */
  begin(): boolean {
    if (this.at !== "running") return false
    this.at = "unready"
    return true
  }

  escalate(): Escalation {
    if (this.at === "done") return "over"
    this.escalations++
    if (this.escalations === 1) return this.begin() ? "begun" : "joined"
    if (this.escalations === 2) {
      this.isHurried = true
      return "hurried"
    }
    this.hasBeenAbandoned = true
    return "abandoned"
  }

  /** Goes on to the next phase. */
  next(): State {
    this.at = order[Math.min(rank(this.at) + 1, order.length - 1)] ?? "done"
    return this.at
  }

  /** Whether a phase does nothing, and waits no longer. */
  skips(phase: Phase): boolean {
    return this.hasBeenAbandoned || (this.isHurried && (phase === "unready" || phase === "drain"))
  }

  /** Returns false if the phase has begun: then nothing changes. */
  register(registration: Registration<F>): boolean {
    if (rank(registration.phase) <= rank(this.at)) return false
    this.registered.add(registration)
    return true
  }

  /** Returns false if the finalizer was taken or withdrawn before. */
  withdraw(registration: Registration<F>): boolean {
    return this.registered.delete(registration)
  }

  /** Returns the finalizers of the present phase, the last one first. They run until they are settled. */
  take(): ReadonlyArray<F> {
    const taken = Array.from(this.registered).filter(({ phase }) => phase === this.at).toReversed()
    for (const registration of taken) this.registered.delete(registration)
    const finalizers = taken.map(({ finalizer }) => finalizer)
    for (const finalizer of finalizers) this.running.add(finalizer)
    return finalizers
  }

  /** Returns false if the finalizer does not run. */
  settle(finalizer: F): boolean {
    return this.running.delete(finalizer)
  }

  runs(finalizer: F): boolean {
    return this.running.has(finalizer)
  }

  /** The finalizers that run at this moment. */
  get finalizing(): ReadonlyArray<F> {
    return [...this.running]
  }
}
