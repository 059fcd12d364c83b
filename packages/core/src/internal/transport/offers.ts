/** Offers to free a connection whose response is not read. Returns whether the connection is sure to become free. */
export type Offer = () => boolean

/**
 * The offers to free a connection for a call that has to wait, oldest first.
 *
 * Each call that has to wait takes up one offer after the other, until a connection is sure to become free. So no more is
 * lost than a call needs. An offer is taken up once. If no connection is sure to become free, later offers are taken up as
 * they are made, while calls may still wait.
 */
export class Offers {
  private readonly open = new Set<Offer>()
  /** How many calls wait without a connection that is sure to become free for them. */
  private unmet = 0

  /** Returns how to withdraw the offer. */
  add(offer: Offer): () => void {
    if (this.unmet > 0) {
      if (offer()) this.unmet--
      return () => {}
    }
    this.open.add(offer)
    return () => void this.open.delete(offer)
  }

  /** A call has to wait. `waiting` is how many wait already. */
  ask(waiting: number): void {
    if (waiting === 0) this.unmet = 0
    for (const offer of this.open) {
      this.open.delete(offer)
      if (offer()) return
    }
    this.unmet++
  }
}
