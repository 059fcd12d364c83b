/** Conversations in this process's memory. Each method is one step: nothing else happens during it. */
import * as Machine from "./machine.ts"
import type { Append, Appended, Expiry, Head, Loaded, Page, ScanOptions, Trim, View, ViewChange } from "./model.ts"
import type { Codec } from "./packing.ts"
import { type Content, contentOf, isLive, noContent, Resident, Residents, subjectOf } from "./residents.ts"
import { additionOf, headOf, knownOperation, loadedFrom, loadedOf, removedOf, type Stored, viewOf } from "./stored.ts"
import { utf8Length } from "./utf8.ts"

export interface MemoryLimits extends Machine.Limits {
  /** Bytes that all conversations together may have. */
  readonly maxTotalBytes: number
  readonly maxConversations: number
  /** How long after its last use a conversation is packed, in milliseconds. */
  readonly compressAfter: number
  /** How long a removal is remembered, in milliseconds. */
  readonly tombstone: number
}

/** What has left the memory. */
export interface Counts {
  expired: number
  evicted: number
  compressed: number
}

/** A part of a walk. */
export interface Walked {
  readonly deleted: number
  /** How many conversations it looked at. */
  readonly looked: number
}

/** How many conversations a step of a walk looks at in the time in which it packs one. */
const packing = 16

/** How many conversations a page looks at for each one that it may have. */
const looking = 8

export class Memory {
  readonly residents = new Residents()
  readonly limits: MemoryLimits
  readonly codec: Codec | undefined
  readonly counts: Counts = { expired: 0, evicted: 0, compressed: 0 }
  /** Where the walk that packs and deletes goes on. */
  private hand = 0
  /** How many conversations there were when the walk began at the end of the list. */
  lap = 0

  constructor(limits: MemoryLimits, codec: Codec | undefined) {
    this.limits = limits
    this.codec = codec
  }

  load(conversation: string, now: number, touch: Expiry | undefined, from: number | undefined): Loaded | undefined {
    const resident = this.residents.get(conversation)
    const state = Machine.present(resident?.state, now)
    if (resident === undefined || state === undefined) return undefined
    if (state._tag === "Removed") return removedOf(conversation, state)
    const { entries, view } = resident.unpacked(this.codec)
    if (touch !== undefined) resident.become(Machine.touched(state, touch, now))
    this.residents.update(resident, state.subject)
    const after = loadedFrom(state, from)
    const kept = entries.slice(after - state.trimmed)
    return loadedOf(conversation, resident.state as Machine.Live, after, { entries: kept, view })
  }

  append(change: Append, now: number): Machine.Appending | Appended {
    const resident = this.residents.get(change.conversation)
    const known = isLive(resident?.state)
      ? knownOperation(resident?.unpacked(this.codec) ?? noContent(), change.operation)
      : undefined
    const answer = Machine.append(resident?.state, additionOf(change), known, now, this.limits)
    if (answer._tag === "Duplicate") return { cursor: answer.cursor, duplicate: true }
    if (answer._tag !== "Applied") return answer
    const { begins, state } = answer
    const content = begins || resident === undefined ? noContent() : resident.unpacked(this.codec)
    content.entries.push(...change.entries)
    content.operations.push({ id: change.operation, digest: change.digest, position: state.position })
    if (content.operations.length > Machine.rememberedOperations) content.operations.shift()
    this.put(change.conversation, state, content)
    return { cursor: Machine.cursorOf(state), duplicate: false }
  }

  setView(change: ViewChange, now: number): View | Machine.Refusal {
    const { conversation, fence, incarnation, text, upTo, version } = change
    const resident = this.residents.get(conversation)
    const replacement = { incarnation, version, upTo, fence, bytes: utf8Length(text) }
    const answer = Machine.setView(resident?.state, replacement, now, this.limits)
    if (answer._tag !== "Applied" || resident === undefined) return answer as Machine.Refusal
    const content = resident.unpacked(this.codec)
    content.view = text
    this.put(conversation, answer.state, content)
    return viewOf(answer.state, text) as View
  }

  trim({ conversation, incarnation, upTo }: Trim, now: number): number {
    const resident = this.residents.get(conversation)
    const trim = Machine.trimTo(resident?.state, { incarnation, upTo }, now)
    if (trim === undefined || resident === undefined) return 0
    const content = resident.unpacked(this.codec)
    const dropped = content.entries.splice(0, trim.upTo - trim.state.trimmed)
    this.put(conversation, Machine.trimmed(trim.state, trim.upTo, utf8Length(...dropped)), content)
    return dropped.length
  }

  remove(conversation: string, removal: Machine.Removal, now: number): boolean {
    const resident = this.residents.get(conversation)
    const removed = Machine.remove(resident?.state, removal, now, this.limits.tombstone)
    if (removed !== undefined) this.put(conversation, removed, noContent())
    return removed !== undefined
  }

  stored(conversation: string, now: number): Stored | undefined {
    const resident = this.residents.get(conversation)
    const state = Machine.present(resident?.state, now)
    if (resident === undefined || state === undefined) return undefined
    return { conversation, state, ...contentOf(resident.unpacked(this.codec)) }
  }

  adopt({ conversation, state, ...texts }: Stored, now: number): boolean {
    if (!Machine.supersedes(state, this.residents.get(conversation)?.state, now)) return false
    this.put(conversation, state, contentOf(texts))
    return true
  }

  /** What came from the second store, which has it. */
  install({ conversation, state, ...texts }: Stored, now: number): void {
    if (Machine.present(state, now) === undefined) return
    this.residents.add(new Resident(conversation, state, contentOf(texts), true))
  }

  private put(conversation: string, state: Machine.State, content: Content): void {
    const { residents } = this
    const resident = residents.get(conversation)
    if (resident === undefined) return residents.add(new Resident(conversation, state, content, false))
    const before = subjectOf(resident.state)
    resident.become(state, content)
    residents.update(resident, before)
  }

  /** Whether there is no room for so many bytes more, or for one more conversation. */
  isFull(conversation: string, bytes: number): boolean {
    const { limits, residents } = this
    const isNew = residents.get(conversation) === undefined
    return residents.bytes + bytes > limits.maxTotalBytes || (isNew && residents.size >= limits.maxConversations)
  }

  evict(resident: Resident): void {
    this.counts.evicted++
    this.residents.remove(resident)
  }

  /** Goes on with the walk, over so many conversations at most: deletes what has expired, and packs what is idle. */
  step(now: number, budget: number): Walked {
    const { codec, limits, residents } = this
    let deleted = 0
    let looked = 0
    for (let left = budget; left > 0; left--) {
      if (this.hand <= 0 || this.hand > residents.size) this.hand = this.lap = residents.size
      const resident = residents.at(--this.hand)
      if (resident === undefined) break
      looked++
      if (Machine.present(resident.state, now) === undefined) {
        residents.remove(resident)
        this.counts.expired++
        deleted++
      } else if (codec !== undefined && isIdle(resident, now - limits.compressAfter)) {
        resident.pack(codec)
        residents.weigh(resident)
        this.counts.compressed++
        left -= packing
      }
    }
    return { deleted, looked }
  }

  head(conversation: string, now: number, idleSince: number): Head | undefined {
    const resident = this.residents.get(conversation)
    return resident === undefined ? undefined : headsOf([resident], now, idleSince)[0]
  }

  /** A page of the conversations that are there while all pages are made. It may have fewer than the limit. */
  page(now: number, { after, idleSince = Infinity, limit, subject }: ScanOptions): Page {
    return subject === undefined
      ? this.pageOfAll(now, after === undefined ? this.residents.size : Number(after), limit, idleSince)
      : this.pageOf(subject, now, after ?? "", limit, idleSince)
  }

  private pageOfAll(now: number, slot: number, limit: number, idleSince: number): Page {
    const last = Math.max(0, slot - looking * limit)
    const heads: Array<Head> = []
    let next = slot
    while (next > last && heads.length < limit) {
      const resident = this.residents.at(--next)
      if (resident !== undefined) heads.push(...headsOf([resident], now, idleSince))
    }
    return { heads, next: next > 0 ? String(next) : undefined }
  }

  private pageOf(subject: string, now: number, after: string, limit: number, idleSince: number): Page {
    const heads = headsOf(this.residents.of(subject), now, idleSince)
      .filter(({ conversation }) => conversation > after)
      .toSorted((a, b) => a.conversation < b.conversation ? -1 : 1)
    const page = heads.slice(0, limit)
    return { heads: page, next: heads.length > limit ? page.at(-1)?.conversation : undefined }
  }
}

const isIdle = ({ isPacked, state }: Resident, since: number) =>
  !isPacked && state._tag === "Live" && state.touchedAt <= since

const headsOf = (residents: Iterable<Resident>, now: number, idleSince: number): Array<Head> =>
  Array.from(residents).flatMap(({ conversation, state }) => {
    const found = Machine.present(state, now)
    return found?._tag === "Live" && found.touchedAt <= idleSince ? [headOf(conversation, found)] : []
  })
