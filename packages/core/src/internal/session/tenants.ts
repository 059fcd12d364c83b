/** How many sessions each tenant has open, in all and by kind. Nothing is kept of a tenant that has none. */

interface Count {
  all: number
  readonly byKind: Map<string, number>
}

export class Tenants {
  private readonly counts = new Map<string, Count>()

  /** How many are open, of one kind or in all. */
  size(tenant: string, kind?: string): number {
    const count = this.counts.get(tenant)
    return (kind === undefined ? count?.all : count?.byKind.get(kind)) ?? 0
  }

  opened(tenant: string, kind: string): void {
    let count = this.counts.get(tenant)
    if (count === undefined) this.counts.set(tenant, count = { all: 0, byKind: new Map() })
    count.all++
    count.byKind.set(kind, (count.byKind.get(kind) ?? 0) + 1)
  }

  closed(tenant: string, kind: string): void {
    const count = this.counts.get(tenant)
    if (count === undefined) return
    if (--count.all === 0) this.counts.delete(tenant)
    const left = (count.byKind.get(kind) ?? 0) - 1
    if (left === 0) count.byKind.delete(kind)
    else count.byKind.set(kind, left)
  }
}
