/**
 * The commands of one connection that everybody shares: a state machine without clock and effect.
 *
 * A command waits until the connection is up and fewer than `maxInFlight` others are under way. Then it is sent. Redis answers in
 * the order of sending. All commands have the same limit of time, so the oldest one is due first.
 *
 * A command that was sent stays under way until its answer comes or the connection is lost, also if its caller has left.
 */

/** What the machine keeps of a command. */
export interface Due {
  /** Monotonic milliseconds. */
  readonly deadline: number
}

export interface Limits {
  readonly maxInFlight: number
  readonly maxWaiting: number
}

const firstOf = <A>(set: ReadonlySet<A>): A | undefined => {
  for (const first of set) return first
  return undefined
}

const none: ReadonlyArray<never> = []

export class Machine<C extends Due> {
  private state: "down" | "up" | "closed" = "down"
  /** In the order of their arrival. */
  private readonly waiting = new Set<C>()
  private readonly sent = new Set<C>()
  private readonly limits: Limits

  constructor(limits: Limits) {
    this.limits = limits
  }

  get isUp(): boolean {
    return this.state === "up"
  }

  get inFlight(): number {
    return this.sent.size
  }

  get waiters(): number {
    return this.waiting.size
  }

  /** When the next command is due, if there is any. */
  get nextDeadline(): number | undefined {
    const deadlines = [firstOf(this.sent), firstOf(this.waiting)].flatMap((command) => command?.deadline ?? [])
    return deadlines.length === 0 ? undefined : Math.min(...deadlines)
  }

  /** Takes a command. Returns what to do with it. */
  submit(command: C): "send" | "wait" | "full" | "closed" {
    if (this.state === "closed") return "closed"
    if (this.state === "up" && this.waiting.size === 0 && this.sent.size < this.limits.maxInFlight) {
      this.sent.add(command)
      return "send"
    }
    if (this.waiting.size >= this.limits.maxWaiting) return "full"
    this.waiting.add(command)
    return "wait"
  }

  /** Moves as many commands on as may be sent. */
  private send(): ReadonlyArray<C> {
    if (this.state !== "up" || this.waiting.size === 0) return none
    const next: Array<C> = []
    for (const command of this.waiting) {
      if (this.sent.size >= this.limits.maxInFlight) break
      this.waiting.delete(command)
      this.sent.add(command)
      next.push(command)
    }
    return next
  }

  /** The connection is up. Returns the commands to send. */
  up(): ReadonlyArray<C> {
    if (this.state === "closed") return none
    this.state = "up"
    return this.send()
  }

  /** A command was answered. Returns the commands to send. What is not under way changes nothing. */
  answered(command: C): ReadonlyArray<C> {
    return this.sent.delete(command) ? this.send() : none
  }

  /** The caller has left. Returns whether the command was not sent, and never will be. */
  abandon(command: C): boolean {
    return this.waiting.delete(command)
  }

  /** The connection is lost. Returns the commands that were sent, and get no answer. */
  down(): ReadonlyArray<C> {
    if (this.state !== "closed") this.state = "down"
    const lost = [...this.sent]
    this.sent.clear()
    return lost
  }

  /**
   * Looks for commands that are due. Returns those that were not sent, and now never are. If one was sent, the connection is
   * stuck: every answer comes after that of the oldest.
   */
  due(now: number): { readonly expired: ReadonlyArray<C>; readonly isStuck: boolean } {
    const expired: Array<C> = []
    for (const command of this.waiting) {
      if (command.deadline > now) break
      this.waiting.delete(command)
      expired.push(command)
    }
    const oldest = firstOf(this.sent)
    return { expired, isStuck: oldest !== undefined && oldest.deadline <= now }
  }

  /** Takes no more commands. Returns those that wait. Those that were sent are lost with the connection. */
  close(): ReadonlyArray<C> {
    this.state = "closed"
    const left = [...this.waiting]
    this.waiting.clear()
    return left
  }
}
