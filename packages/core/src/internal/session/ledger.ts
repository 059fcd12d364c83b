/**
 * The open sessions of one registry, in the order in which they were opened: a state machine without clock or effect.
 *
 * A child is opened while its parent is open, so a parent always stands before its children, and walking backwards is a
 * valid order of release. The order is also that of the ids, so that one is found by halving.
 */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { NodeInspectSymbol } from "effect/Inspectable"
import type * as Tracer from "effect/Tracer"
import type { Caller } from "../../Caller.ts"
import { other } from "../../Instrument.ts"
import type { Info, Session } from "../../Session.ts"
import { SessionRevoked } from "../../SessionError.ts"
import type { Release } from "./currentRelease.ts"
import { redact } from "./redact.ts"
import type { Unowned } from "./releaseContext.ts"

/** What was opened and closed of one kind. */
export interface Tally {
  readonly kind: string
  opened: number
  closed: number
}

/** So many kinds are counted apart. A kind is a word of the program; one that is made up for each session is not. */
const maxKinds = 64

/** What a session holds, and how to give it back, in the context that has what that needs. */
export interface Held {
  readonly value: unknown
  readonly release: (value: unknown, exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown, unknown>
  readonly services: Context.Context<never> | Unowned
}

/** Those that tell of a session of this process, and did not come over a wire. */
const ofThisProcess = new WeakSet<SessionRevoked>()

/** Whether a session of this process was revoked for that reason, and this is what its users were told. */
export const isRevocation = (error: unknown, reason: string): boolean =>
  error instanceof SessionRevoked && error.reason === reason && ofThisProcess.has(error)

/** How many sessions of this process have been revoked. */
let revocations = 0

/** There are many of these: no field that could be found out from another. */
export class Entry implements Session {
  readonly id: number
  // Of the info, which its user may change.
  readonly kind: string
  readonly name: string
  attributes: Info["attributes"]
  releaseRetry: Info["releaseRetry"]
  parent: Entry | undefined
  /** The release inside of which it was opened. */
  release: Release | undefined
  /** How many sessions it was opened inside of. */
  readonly depth: number
  readonly caller: Caller | undefined
  readonly fiberId: number
  /** Not the span itself, which keeps what its work came to. */
  private readonly traceId: string | undefined
  private readonly spanId: string | undefined
  /** Monotonic nanoseconds. */
  readonly openedNanos: bigint
  /** The ledger that it stands in, or stood in, and where. */
  readonly ledger: Ledger
  slot: number
  state: Session["state"] = "acquiring"
  /** Where it was opened, for those whose turn it was to be sampled. */
  site: Error | undefined = undefined
  /** Whether nobody is left who could release it. */
  isAbandoned = false
  /** Why it was revoked, or what its users are told of that, once somebody has asked. */
  private revocation: string | SessionRevoked | undefined = undefined
  /** Those who must let go of it once it is revoked: fibers that work in it, which are interrupted, and others, who are told. */
  onRevoked: Array<Fiber.Fiber<unknown, unknown> | (() => void)> | undefined = undefined
  onClosed: Array<() => void> | undefined = undefined
  readonly tally: Tally
  /** Undefined as long as it holds nothing. */
  held: Held | undefined = undefined
  /** How many revocations there had been when neither it nor one around it was revoked. */
  soundAt: number

  constructor(
    ledger: Ledger,
    tally: Tally,
    slot: number,
    id: number,
    info: Info,
    parent: Entry | undefined,
    release: Release | undefined,
    caller: Caller | undefined,
    fiberId: number,
    span: Tracer.AnySpan | undefined,
    openedNanos: bigint
  ) {
    this.ledger = ledger
    this.tally = tally
    this.slot = slot
    this.id = id
    this.kind = info.kind
    this.name = info.name
    this.attributes = info.attributes
    this.releaseRetry = info.releaseRetry
    this.parent = parent
    this.release = release
    this.depth = parent === undefined ? 0 : parent.depth + 1
    this.soundAt = parent === undefined ? revocations : parent.soundAt
    this.caller = caller
    this.fiberId = fiberId
    this.traceId = span?.traceId
    this.spanId = span?.spanId
    this.openedNanos = openedNanos
  }

  get span(): Session["span"] {
    const { spanId, traceId } = this
    return traceId === undefined || spanId === undefined ? undefined : { traceId, spanId }
  }

  get openedAt(): number {
    return Number(this.openedNanos) / 1e6
  }

  /** How long it is or was open, in milliseconds. Nothing was opened later than now, whatever clock it went by. */
  age(now: number): number {
    return Math.max(0, now - this.openedAt)
  }

  /** The id of the session around it, where that is of the same registry. */
  get parentId(): number | undefined {
    return this.parent?.ledger === this.ledger ? this.parent.id : undefined
  }

  get isOpen(): boolean {
    return this.state !== "closed"
  }

  /** Whether somebody works in it, and does not merely hold it. */
  get isUnderWay(): boolean {
    return this.state === "open" &&
      this.onRevoked?.some((one) => typeof one !== "function" && one.pollUnsafe() === undefined) === true
  }

  get isRevoked(): boolean {
    return this.revocation !== undefined
  }

  get revoked(): SessionRevoked | undefined {
    const { revocation } = this
    if (typeof revocation !== "string") return revocation
    const { id, kind, name } = this
    // Its stack would tell of us alone, and costs most of what revoking many costs.
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 0
    try {
      const error = new SessionRevoked({ id, kind, session: name, reason: revocation })
      ofThisProcess.add(error)
      return this.revocation = error
    } finally {
      Error.stackTraceLimit = limit
    }
  }

  /** What is closed may be remembered for long, by a handle or by a session inside: it is known by its names only. */
  forget(): void {
    this.attributes = undefined
    this.releaseRetry = undefined
    this.release = undefined
  }

  /** The first reason stays. */
  revoke(reason: string): void {
    this.revocation ??= reason
    revocations++
  }

  /** What a log shows of it: not the rest of the ledger, and no secret. */
  toJSON(): unknown {
    const { attributes, id, kind, name, parentId, state } = this
    return { id, kind, name, state, parent: parentId, attributes: attributes && redact(attributes) }
  }

  [NodeInspectSymbol](): unknown {
    return this.toJSON()
  }
}

/** The nearest session around that is open. */
const alive = (entry: Entry | undefined): Entry | undefined => {
  let at = entry
  while (at !== undefined && !at.isOpen) at = at.parent
  return at
}

/** Why nothing may be opened inside of a session, if nothing may. It is looked for once after each revocation. */
export const revokedAround = (entry: Entry | undefined): SessionRevoked | undefined => {
  let at = entry
  while (at !== undefined && at.soundAt !== revocations) {
    if (at.isRevoked) return at.revoked
    at = at.parent
  }
  for (let sound = entry; sound !== at && sound !== undefined; sound = sound.parent) sound.soundAt = revocations
  return undefined
}

/** The nearest of these sessions around one. */
export const nearest = (sessions: ReadonlySet<Entry>, entry: Entry): Entry | undefined => {
  let at = entry.parent
  while (at !== undefined && !sessions.has(at)) at = at.parent
  return at
}

/** Where so many were closed, room is made; below, it is not worth the walk. */
const spare = 16

export class Ledger {
  size = 0
  opened = 0
  /** The open sessions, and the ids of closed ones that stood between them. */
  private readonly slots: Array<Entry | number> = []
  private readonly byTenant = new Map<string, number>()
  private readonly tallies = new Map<string, Tally>()
  private readonly onTally = new Set<(tally: Tally) => void>()

  /** Tells of each kind that there is, now and from now on. Answers how to stop. */
  watchTallies(listener: (tally: Tally) => void): () => void {
    for (const tally of this.tallies.values()) listener(tally)
    this.onTally.add(listener)
    return () => void this.onTally.delete(listener)
  }

  private tallyOf(kind: string): Tally {
    const known = this.tallies.get(kind)
    if (known !== undefined) return known
    if (this.tallies.size >= maxKinds && kind !== other) return this.tallyOf(other)
    const tally = { kind, opened: 0, closed: 0 }
    this.tallies.set(kind, tally)
    for (const listener of this.onTally) listener(tally)
    return tally
  }

  /** When the oldest of a tally's open sessions was opened. */
  oldest(tally: Tally): number | undefined {
    if (tally.opened === tally.closed) return undefined
    for (const slot of this.slots) if (typeof slot === "object" && slot.tally === tally) return slot.openedAt
    return undefined
  }

  /** How many sessions a tenant has open. */
  tenantSize(tenant: string): number {
    return this.byTenant.get(tenant) ?? 0
  }

  open(
    info: Info,
    parent: Entry | undefined,
    release: Release | undefined,
    caller: Caller | undefined,
    fiberId: number,
    span: Tracer.AnySpan | undefined,
    openedNanos: bigint
  ): Entry {
    // Ancestors that are closed are let go of, or a job that starts its successor would keep all before it.
    if (parent !== undefined) parent.parent = alive(parent.parent)
    const { slots } = this
    const entry = new Entry(
      this,
      this.tallyOf(info.kind),
      slots.length,
      this.opened + 1,
      info,
      alive(parent),
      release,
      caller,
      fiberId,
      span,
      openedNanos
    )
    // What the info's getters throw comes before anything has changed.
    this.opened++
    entry.tally.opened++
    slots.push(entry)
    this.size++
    const tenant = caller?.tenant
    if (tenant !== undefined) this.byTenant.set(tenant, this.tenantSize(tenant) + 1)
    return entry
  }

  /** False where the entry is closed already, or stands in another ledger: then nothing changes. */
  close(entry: Entry): boolean {
    if (entry.ledger !== this || !entry.isOpen) return false
    entry.state = "closed"
    entry.held = undefined
    entry.onRevoked = undefined
    entry.tally.closed++
    const { slots } = this
    slots[entry.slot] = entry.id
    while (typeof slots.at(-1) === "number") slots.pop()
    if (slots.length > 2 * --this.size + spare) this.compact()
    const tenant = entry.caller?.tenant
    if (tenant !== undefined) {
      const left = this.tenantSize(tenant) - 1
      if (left === 0) this.byTenant.delete(tenant)
      else this.byTenant.set(tenant, left)
    }
    return true
  }

  /** The open session of this id. */
  find(id: number): Entry | undefined {
    const entry = this.slots[this.position(id)]
    return typeof entry === "object" && entry.id === id ? entry : undefined
  }

  /** Walks what is open, oldest first, from the session of an id on. */
  forEach(f: (entry: Entry) => void, from = 0): void {
    const { slots } = this
    for (let at = from === 0 ? 0 : this.position(from); at < slots.length; at++) {
      const entry = slots[at]
      if (typeof entry === "object") f(entry)
    }
  }

  /**
   * Marks what matches, and everything inside of it, as revoked: from this step on nothing new is opened in there, but by
   * its releases. What these have opened belongs to them, and is left to them. What is older than `from` does not match.
   * Answers with all of it, parents before children, also with what was revoked before and is not closed yet.
   */
  revoke(matches: (entry: Entry) => boolean, reason: string, from = 0): ReadonlySet<Entry> {
    const taken = new Set<Entry>()
    this.forEach((entry) => {
      if (entry.release?.isOfAny(taken) === true) return
      if (!this.isInside(taken, entry) && !matches(entry)) return
      taken.add(entry)
      entry.revoke(reason)
    }, from)
    return taken
  }

  /** The nearest session around that is open here was looked at before, with all that is around it. */
  private isInside(taken: ReadonlySet<Entry>, entry: Entry): boolean {
    let at = entry.parent
    while (at !== undefined && (at.ledger !== this || !at.isOpen)) at = at.parent
    return at !== undefined && taken.has(at)
  }

  /** Where the session of this id stands or stood, or the first after it. */
  private position(id: number): number {
    const { slots } = this
    let low = 0
    let high = slots.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const slot = slots[middle]
      if ((typeof slot === "object" ? slot.id : slot ?? 0) < id) low = middle + 1
      else high = middle
    }
    return low
  }

  private compact(): void {
    const { slots } = this
    let to = 0
    for (const slot of slots) {
      if (typeof slot === "number") continue
      slot.slot = to
      slots[to++] = slot
    }
    slots.length = to
  }
}
