/** Reads a heap snapshot: its strings, and the objects that keep them. */

export interface Snapshot {
  readonly snapshot: {
    readonly meta: { readonly node_fields: ReadonlyArray<string>; readonly edge_fields: ReadonlyArray<string> }
  }
  readonly nodes: ReadonlyArray<number>
  readonly edges: ReadonlyArray<number>
  readonly strings: ReadonlyArray<string>
}

export const parse = (text: string): Snapshot => JSON.parse(text)

/** As V8 writes it: nodes have a type, a name, an id, a size and a number of edges; edges a type, a name and a target. */
const weak = 6
const numbered = new Set([1, 4])

/** For each string that contains a text, the way from it to a root. */
export const holders = (heap: Snapshot, text: string): ReadonlyArray<string> => {
  const found = new Set(heap.strings.flatMap((string, index) => string.includes(text) ? [index] : []))
  if (found.size === 0) return []
  const { edges, nodes, strings } = heap
  const nodeSize = heap.snapshot.meta.node_fields.length
  const edgeSize = heap.snapshot.meta.edge_fields.length
  const nameOf = (node: number) =>
    (strings[nodes[node * nodeSize + 1] ?? 0] ?? "").replaceAll(text, "<secret>").slice(0, 60)
  const keepers = new Map<number, Array<readonly [number, string]>>()
  let edge = 0
  for (let node = 0; node < nodes.length / nodeSize; node++) {
    for (let last = edge + (nodes[node * nodeSize + 4] ?? 0); edge < last; edge++) {
      const [type = 0, name = 0, target = 0] = edges.slice(edge * edgeSize, edge * edgeSize + 3)
      if (type === weak) continue
      const kept = keepers.get(target / nodeSize)
      const keeper = [node, numbered.has(type) ? String(name) : strings[name] ?? ""] as const
      if (kept === undefined) keepers.set(target / nodeSize, [keeper])
      else kept.push(keeper)
    }
  }
  const wayOut = (from: number): string => {
    const seen = new Set([from])
    let next: ReadonlyArray<readonly [number, ReadonlyArray<string>]> = [[from, [nameOf(from)]]]
    while (next.length > 0) {
      const further: Array<readonly [number, ReadonlyArray<string>]> = []
      for (const [node, way] of next) {
        if (nameOf(node) === "(GC roots)" || way.length > 40) return way.join(" <- ")
        for (const [keeper, name] of keepers.get(node) ?? []) {
          if (seen.has(keeper)) continue
          seen.add(keeper)
          further.push([keeper, [...way, `${name} of ${nameOf(keeper)}`]])
        }
      }
      next = further
    }
    return `${nameOf(from)}, which nothing keeps`
  }
  const ways: Array<string> = []
  for (let node = 0; node < nodes.length / nodeSize; node++) {
    if (found.has(nodes[node * nodeSize + 1] ?? -1)) ways.push(wayOut(node))
  }
  return ways
}
