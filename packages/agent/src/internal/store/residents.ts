/**
 * The conversations in this process's memory: by name, by subject, and by how long they were not used.
 *
 * They also stand in a list whose last one takes the place of one that leaves. So a walk from its end to its beginning sees each
 * conversation that was there when the walk began, and is resumed by a number.
 */
import type { Live, State } from "./machine.ts"
import { type Codec, pack, unpack } from "./packing.ts"
import type { Operation, Texts } from "./stored.ts"

/** Texts that grow in place. Nobody else has them. */
export interface Content {
  readonly entries: Array<string>
  view: string
  readonly operations: Array<Operation>
}

export const contentOf = ({ entries, operations, view }: Texts): Content => ({
  entries: [...entries],
  view,
  operations: [...operations]
})

export const noContent = (): Content => ({ entries: [], view: "", operations: [] })

/** What a conversation takes beside its texts, and an operation id: measured. */
const recordBytes = 450
const operationBytes = 120

export class Resident {
  readonly conversation: string
  state: State
  /** A string if it is packed. */
  private content: Content | string
  /** Where it is in the list. */
  slot = -1
  older: Resident | undefined
  newer: Resident | undefined
  /** What it adds to the memory of all. */
  weight = 0
  /** Whether the second store has this state of it. */
  isSaved: boolean

  constructor(conversation: string, state: State, content: Content, isSaved: boolean) {
    this.conversation = conversation
    this.state = state
    this.content = content
    this.isSaved = isSaved
  }

  get isPacked(): boolean {
    return typeof this.content === "string"
  }

  /** Unpacks it. */
  unpacked(codec: Codec | undefined): Content {
    if (typeof this.content === "string") this.content = contentOf(unpack(codec as Codec, this.content))
    return this.content
  }

  /** The texts change with the state in this step, or become those given here. */
  become(state: State, content?: Content): void {
    this.state = state
    if (content !== undefined) this.content = content
    this.isSaved = false
  }

  pack(codec: Codec): void {
    if (typeof this.content !== "string") this.content = pack(codec, this.content)
  }

  measure(): number {
    const { content, state } = this
    if (typeof content === "string") return recordBytes + content.length
    const texts = state._tag === "Live" ? state.bytes : 0
    return recordBytes + texts + content.operations.length * operationBytes
  }
}

export class Residents {
  private readonly byName = new Map<string, Resident>()
  private readonly bySubject = new Map<string, Set<Resident>>()
  private readonly list: Array<Resident> = []
  private oldest: Resident | undefined
  private newest: Resident | undefined
  /** The sum of the weights. */
  bytes = 0

  get size(): number {
    return this.list.length
  }

  get(conversation: string): Resident | undefined {
    return this.byName.get(conversation)
  }

  at(slot: number): Resident | undefined {
    return this.list[slot]
  }

  of(subject: string): Iterable<Resident> {
    return this.bySubject.get(subject) ?? []
  }

  /** From the one that was not used for longest. */
  *byAge(): Generator<Resident> {
    let at = this.oldest
    while (at !== undefined) {
      // It may leave meanwhile.
      const next: Resident | undefined = at.newer
      yield at
      at = next
    }
  }

  add(resident: Resident): void {
    resident.slot = this.list.push(resident) - 1
    this.byName.set(resident.conversation, resident)
    this.link(resident)
    this.index(resident, undefined, subjectOf(resident.state))
    this.weigh(resident)
  }

  /** The conversation is used, and may have changed. */
  update(resident: Resident, subjectBefore: string | undefined): void {
    this.unlink(resident)
    this.link(resident)
    this.index(resident, subjectBefore, subjectOf(resident.state))
    this.weigh(resident)
  }

  remove(resident: Resident): void {
    const last = this.list.pop() as Resident
    if (last !== resident) {
      this.list[resident.slot] = last
      last.slot = resident.slot
    }
    this.byName.delete(resident.conversation)
    this.unlink(resident)
    this.index(resident, subjectOf(resident.state), undefined)
    this.bytes -= resident.weight
  }

  weigh(resident: Resident): void {
    const weight = resident.measure()
    this.bytes += weight - resident.weight
    resident.weight = weight
  }

  private link(resident: Resident): void {
    resident.older = this.newest
    if (this.newest === undefined) this.oldest = resident
    else this.newest.newer = resident
    this.newest = resident
  }

  private unlink(resident: Resident): void {
    const { newer, older } = resident
    if (older === undefined) this.oldest = newer
    else older.newer = newer
    if (newer === undefined) this.newest = older
    else newer.older = older
    resident.older = resident.newer = undefined
  }

  private index(resident: Resident, before: string | undefined, after: string | undefined): void {
    if (before === after) return
    if (before !== undefined) {
      const of = this.bySubject.get(before)
      of?.delete(resident)
      if (of?.size === 0) this.bySubject.delete(before)
    }
    if (after === undefined) return
    const of = this.bySubject.get(after)
    if (of === undefined) this.bySubject.set(after, new Set([resident]))
    else of.add(resident)
  }
}

export const subjectOf = (state: State): string | undefined => state._tag === "Live" ? state.subject : undefined

export const isLive = (state: State | undefined): state is Live => state?._tag === "Live"
