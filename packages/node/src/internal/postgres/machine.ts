/**
 * What one connection does at this moment: a state machine without clock and effect.
 *
 * A connection runs one statement at a time, from its submission until the server is ready again. A statement that was
 * interrupted is cancelled. Then the connection is ready again once the server has said so and the request to cancel is
 * over. If it is unknown whether that request can still arrive, it might cancel a later statement, and the connection must close.
 */

/** Idle, in a transaction, or in one that has failed: the status byte of ReadyForQuery. */
export type TransactionStatus = "I" | "T" | "E"

export type State = "idle" | "running" | "cancelling" | "closed"

/** Of a request to cancel: not sent, perhaps on its way, or known to cancel nothing any more. */
type Request = "unsent" | "sent" | "over"

export class Machine {
  private current: State = "idle"
  private transactionStatus: TransactionStatus = "I"
  private isReady = true
  private request: Request | undefined

  get state(): State {
    return this.current
  }

  get isInTransaction(): boolean {
    return this.current !== "closed" && this.transactionStatus !== "I"
  }

  /** Whether the connection may go to another borrower. */
  get isReusable(): boolean {
    return this.current === "idle" && this.transactionStatus === "I"
  }

  /** Whether a request to cancel would still end something. */
  get isCancelWanted(): boolean {
    return this.current === "cancelling" && !this.isReady
  }

  /** Begins a statement. Returns false if the connection is not idle. */
  begin(): boolean {
    if (this.current !== "idle") return false
    this.current = "running"
    this.isReady = false
    return true
  }

  /** The server is ready for the next statement. */
  ready(status: TransactionStatus): void {
    if (this.current === "closed") return
    this.transactionStatus = status
    this.isReady = true
    if (this.current === "running") this.current = "idle"
    this.settle()
  }

  /** The running statement is interrupted. Returns false if none runs. */
  interrupt(): boolean {
    if (this.current !== "running") return false
    this.current = "cancelling"
    this.request = "unsent"
    return true
  }

  /** The request to cancel is about to be sent. */
  sent(): void {
    if (this.request === "unsent") this.request = "sent"
  }

  /** The request to cancel is over. If it was sent, `hasArrived` says whether the server has acted on it. */
  cancelled(hasArrived: boolean): void {
    if (this.request === undefined) return
    if (this.request === "sent" && !hasArrived) return this.close()
    this.request = "over"
    this.settle()
  }

  close(): void {
    this.current = "closed"
  }

  private settle(): void {
    if (this.current !== "cancelling" || !this.isReady || this.request !== "over") return
    this.current = "idle"
    this.request = undefined
  }
}
