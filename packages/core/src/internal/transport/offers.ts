/** Asks for a connection that is held for something that nobody uses. Returns whether it is sure to become free. */
export type Offer = () => boolean

/**
 * Who would give a connection up for a call that has to wait, from the oldest on.
 *
 * Each call that has to wait asks one after the other, until one is sure to give up: what is lost by that is lost for a
 * call that needs it. Nobody is asked twice. Where nobody is sure, those who come later are asked as they come, for as
 * long as somebody may still wait.
 */
export class Offers {
  private readonly open = new Set<Offer>()
  /** How many calls have to wait without anybody having been sure to give up for them. */
  private unmet = 0

  /** Returns how to take the offer back. */
  add(offer: Offer): () => void {
    if (this.unmet > 0) {
      if (offer()) this.unmet--
      return () => {}
    }
    this.open.add(offer)
    return () => void this.open.delete(offer)
  }

  /** For a call that has to wait. `waiting` is how many do already. */
  ask(waiting: number): void {
    if (waiting === 0) this.unmet = 0
    for (const offer of this.open) {
      this.open.delete(offer)
      if (offer()) return
    }
    this.unmet++
  }
}
