/**
 * Who waits for which batch of requests.
 *
 * Its law: a batch is given up in the step in which the last request of it is abandoned, and not before. A request may be
 * abandoned before its batch begins, too.
 */
export class Waiting<K extends object, B> {
  private readonly abandoned = new WeakSet<K>()
  private readonly batches = new WeakMap<K, { readonly batch: B; readonly left: Set<K> }>()

  /** A batch of these requests begins. False where nobody waits for any of them. */
  begin(requests: Iterable<K>, batch: B): boolean {
    const left = new Set<K>()
    for (const request of requests) if (!this.abandoned.has(request)) left.add(request)
    for (const request of left) this.batches.set(request, { batch, left })
    return left.size > 0
  }

  /** Nobody waits for this request any more. Answers with its batch where that was the last of it. */
  abandon(request: K): B | undefined {
    this.abandoned.add(request)
    const known = this.batches.get(request)
    if (known === undefined || !known.left.delete(request)) return undefined
    return known.left.size === 0 ? known.batch : undefined
  }
}
