/** A store in memory before a second one, over a network that loses and delays, and what is known of its conversations. */
import type { ConversationStore } from "@clawback/agent"
import { ConversationStore as Store } from "@clawback/agent"
import { Simulation } from "@clawback/testing"
import { Clock, Duration, Effect, Exit, Scope } from "effect"
import { forgetting } from "../../packages/agent/src/internal/store/keeper.ts"
import { Memory } from "../../packages/agent/src/internal/store/memory.ts"
import { limitsOf } from "../../packages/agent/src/internal/store/memoryOptions.ts"
import { makeStore } from "../../packages/agent/src/internal/store/memoryStore.ts"
import { makeSaving } from "../../packages/agent/src/internal/store/secondStore.ts"
import * as Sweeper from "../../packages/agent/src/internal/store/sweeper.ts"

type Port = ConversationStore.ConversationStore
type Cursor = ConversationStore.Cursor
type Loaded = ConversationStore.Loaded

export const now = Effect.map(Clock.Clock, (clock) => clock.currentTimeMillisUnsafe())

export const idle = 400
export const tombstone = 300
export const maxConversations = 2
const maxBytes = 100

const away = (store: string) => new Store.StoreUnavailable({ store, outcome: "unknown", reason: "simulated" })

interface Names {
  readonly lost: string
  readonly late: string
  readonly answer: string
}

/** Takes time, loses requests and answers, and brings requests late. */
const over = (store: string, names: Names) => <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    yield* Simulation.latency(0, 6)
    if (yield* Simulation.fault(names.lost, 0.04)) return yield* away(store)
    if (yield* Simulation.fault(names.late, 0.04)) {
      yield* Effect.forkDetach(Effect.andThen(Simulation.latency(5, 80), Effect.exit(effect)))
      return yield* away(store)
    }
    const value = yield* effect
    if (yield* Simulation.fault(names.answer, 0.06)) return yield* away(store)
    yield* Simulation.latency(0, 4)
    return value
  })

/** Not what zstd does, but a text that was not decompressed is seen. */
const codec = {
  compress: (bytes: Uint8Array) => bytes.map((byte) => byte ^ 0x55),
  decompress: (bytes: Uint8Array) => bytes.map((byte) => byte ^ 0x55)
}

export const makeStores = Effect.gen(function*() {
  const limits = { ...limitsOf({ maxBytes }), tombstone, compressAfter: 40 }
  const secondMemory = new Memory(limits, undefined)
  const second = makeStore("second", secondMemory, forgetting(secondMemory))
  const reaching = over("second", {
    lost: "a request to the second store is lost",
    late: "a request to the second store is late",
    answer: "an answer of the second store is lost"
  })
  const memory = new Memory({ ...limits, maxConversations }, codec)
  const { saving, store } = makeSaving(memory, {
    ...second,
    export: (conversation) => reaching(second.export(conversation)),
    adopt: (stored) => reaching(second.adopt(stored))
  })
  const scope = yield* Scope.make()
  yield* Scope.provide(Sweeper.ofMemory(memory, Duration.millis(5)), scope)
  return { store, saving, memory, second, secondMemory, close: Scope.close(scope, Exit.void) }
})

export const network = over("store", {
  lost: "a request is lost",
  late: "a request is late",
  answer: "an answer is lost"
})

/** What a view says in the simulation: what it stands for, by position, and up to where the log was cleared. */
interface Summary {
  readonly cleared: number
  readonly items: ReadonlyArray<readonly [number, string]>
}

export const summaryOf = ({ view }: Loaded): Summary =>
  view === undefined ? { cleared: 0, items: [] } : JSON.parse(view.text)

/** The whole log, by position. */
export const contentOf = (loaded: Loaded): ReadonlyArray<readonly [number, string]> => [
  ...summaryOf(loaded).items.filter(([position]) => position <= loaded.from),
  ...loaded.entries.map((text, i) => [loaded.from + i + 1, text] as const)
]

interface Acknowledged {
  readonly conversation: string
  readonly cursor: Cursor
  readonly entries: ReadonlyArray<string>
}

/** Of one incarnation. */
class Known {
  readonly places = new Map<number, string>()
  end = 0
  fence = 0
  cleared = 0
  version = 0
  /** Of views whose writers got an answer. */
  readonly versions = new Set<number>()
}

interface Snapshot {
  readonly removed: number
  readonly places: ReadonlyArray<readonly [number, string]>
  readonly known: Pick<Known, "end" | "fence" | "cleared" | "version">
  readonly at: number
}

export class Truth {
  private readonly known = new Map<string, Known>()
  readonly acknowledged = new Map<string, Acknowledged>()
  /** Operations that are certain not to be made. */
  readonly refused = new Set<string>()
  /** The newest incarnation of each conversation that was removed, and until when its tombstone stays at least. */
  private readonly removed = new Map<string, { readonly incarnation: number; readonly until: number }>()
  /** The newest activity, as it began, and the incarnation. */
  private readonly used = new Map<string, { readonly at: number; readonly incarnation: number }>()
  /** When a removal was begun last. */
  private readonly removals = new Map<string, number>()
  private lastToken = 0

  token(): number {
    return ++this.lastToken
  }

  of(conversation: string, incarnation: number): Known {
    const key = `${conversation}/${incarnation}`
    let known = this.known.get(key)
    if (known === undefined) this.known.set(key, known = new Known())
    return known
  }

  /** What was acknowledged before a step began. */
  before(conversation: string, incarnation: number, at: number): Snapshot {
    const known = this.of(conversation, incarnation)
    return {
      at,
      removed: this.removed.get(conversation)?.incarnation ?? 0,
      places: [...known.places],
      known: { ...known }
    }
  }

  removedOf(conversation: string) {
    return this.removed.get(conversation)
  }

  use(conversation: string, incarnation: number, at: number): void {
    const before = this.used.get(conversation)
    if (before === undefined || at >= before.at) this.used.set(conversation, { at, incarnation })
  }

  beginRemoval(conversation: string, at: number): void {
    this.removals.set(conversation, at)
  }

  remove(conversation: string, incarnation: number, until: number): void {
    const before = this.removed.get(conversation)
    if (before === undefined || incarnation > before.incarnation) this.removed.set(conversation, { incarnation, until })
  }

  /** The incarnation that must be there, at a moment. */
  present(conversation: string, at: number): number | undefined {
    const used = this.used.get(conversation)
    if (used === undefined || at >= used.at + idle || (this.removals.get(conversation) ?? -1) >= used.at) {
      return undefined
    }
    return this.removed.get(conversation)?.incarnation === used.incarnation ? undefined : used.incarnation
  }
}

/** Judges an append that was acknowledged. */
export const acknowledge = (
  truth: Truth,
  change: ConversationStore.Append,
  { cursor, duplicate }: ConversationStore.Appended,
  begunAt: number,
  removedBefore: { readonly incarnation: number; readonly until: number } | undefined,
  fences: ReadonlyMap<number, number>
) =>
  Effect.gen(function*() {
    const { conversation, entries, expected, fence, operation } = change
    const before = truth.acknowledged.get(operation)
    const at = yield* now
    yield* Simulation.check(
      "a repeated operation gets the answer of the first",
      before === undefined ||
        (duplicate && before.cursor.incarnation === cursor.incarnation && before.cursor.position === cursor.position),
      () => `${operation}: ${JSON.stringify([before?.cursor, cursor, duplicate])}`
    )
    yield* Simulation.check("what was refused is not made later", !truth.refused.has(operation), operation)
    yield* Simulation.check(
      "a removed conversation does not come back",
      duplicate || cursor.incarnation > (removedBefore?.incarnation ?? 0)
    )
    const isBarred = removedBefore !== undefined && at < removedBefore.until && expected.incarnation === 0
    yield* Simulation.check(
      "a removed conversation is begun anew only by a writer that knows of the removal",
      duplicate || !isBarred || cursor.position > entries.length
    )
    yield* Simulation.check(
      "a writer with an older token is refused",
      duplicate || fence === undefined || fence >= (fences.get(cursor.incarnation) ?? 0)
    )
    const known = truth.of(conversation, cursor.incarnation)
    for (const [i, text] of entries.entries()) {
      const position = cursor.position - entries.length + i + 1
      const there = known.places.get(position)
      yield* Simulation.check("no update is lost", there === undefined || there === text, () => `${there} ${text}`)
      known.places.set(position, text)
    }
    known.end = Math.max(known.end, cursor.position)
    known.fence = Math.max(known.fence, fence ?? 0)
    if (!duplicate) truth.use(conversation, cursor.incarnation, begunAt)
    truth.acknowledged.set(operation, { conversation, cursor, entries })
  })

/** Judges what was loaded. */
export const observe = (truth: Truth, loaded: Loaded, before: Snapshot) =>
  Effect.gen(function*() {
    if (loaded.isRemoved) return
    const { bytes, cursor, expiresAt, from, trimmed, view } = loaded
    const content = new Map(contentOf(loaded))
    const { cleared } = summaryOf(loaded)
    const at = yield* now
    const shown = () => JSON.stringify({ cursor, from, trimmed, view, content: [...content], before })
    yield* Simulation.check("a removed conversation does not come back", cursor.incarnation > before.removed, shown)
    yield* Simulation.check(
      "what has expired is not seen",
      before.at < (expiresAt ?? Infinity) || at < (expiresAt ?? 0)
    )
    yield* Simulation.check("a log does not become shorter", cursor.position >= before.known.end, shown)
    yield* Simulation.check(
      "each acknowledged entry is in the log, unless it was cleared",
      before.places.every(([position, text]) => position <= cleared || content.get(position) === text),
      shown
    )
    yield* Simulation.check("a clear is not undone", cleared >= before.known.cleared, shown)
    yield* Simulation.check(
      "a view is not replaced by an older one",
      (view?.version ?? 0) >= before.known.version,
      shown
    )
    const texts = [...content.values()]
    yield* Simulation.check("an operation is made once", new Set(texts).size === texts.length, shown)
    yield* Simulation.check(
      "what was refused is not in the log",
      texts.every((text) => !truth.refused.has(text.split("/")[0] ?? "")),
      shown
    )
    yield* Simulation.check("no conversation is larger than it may be", bytes <= maxBytes, () => `${bytes}`)
    if (from !== trimmed) return
    const size = loaded.entries.reduce((sum, { length }) => sum + length, view?.text.length ?? 0)
    yield* Simulation.check(
      "the bytes of a conversation are those of its texts",
      size === bytes,
      () => `${size} ${bytes}`
    )
  })

export type { Port }
