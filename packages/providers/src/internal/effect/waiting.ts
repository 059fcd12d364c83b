/**
 * Counts the requests of each batch that a fiber still waits for.
 *
 * Guarantees: `abandon` returns a batch in the step that abandons its last request, once, and not earlier. A request can be
 * abandoned before its batch begins.
 */
export class Waiting<K extends object, B> {
  private readonly abandoned = new WeakSet<K>()
  private readonly batches = new WeakMap<K, { readonly batch: B; readonly left: Set<K> }>()

  /** Begins a batch of these requests. Returns false if all of them are abandoned already. */
  begin(requests: Iterable<K>, batch: B): boolean {
    const left = new Set<K>()
    for (const request of requests) if (!this.abandoned.has(request)) left.add(request)
    for (const request of left) this.batches.set(request, { batch, left })
    return left.size > 0
  }

  /** Abandons a request. Returns its batch if the request was the last one of it. */
  abandon(request: K): B | undefined {
    this.abandoned.add(request)
    const known = this.batches.get(request)
    if (known === undefined || !known.left.delete(request)) return undefined
    return known.left.size === 0 ? known.batch : undefined
  }
}
