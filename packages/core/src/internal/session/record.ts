/**
 * The record of one session: a state machine without clock or effect.
 *
 * Its state is private: other modules change it only by the methods here. Opening, revoking and closing change the ledger as
 * well, so these are protected: the ledger alone reaches them, as `record["leave"]()`.
 */
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import { NodeInspectSymbol } from "effect/Inspectable"
import type * as Tracer from "effect/Tracer"
import { revocation, type SessionRevoked } from "./errors.ts"
import type { Caller, Info, Session } from "./model.ts"
import { redact } from "./redact.ts"
import type { Unowned } from "./releaseContext.ts"

/** What a session's info says, copied, since its owner may change the info. Sessions that say the same may share one. */
export type Names = Readonly<Required<Info>>

/** What was opened and closed of one kind. */
export interface Tally {
  readonly kind: string
  readonly opened: number
  readonly closed: number
}

/** The same for the ledger, which counts. */
export interface Count extends Tally {
  opened: number
  closed: number
  /** The last ones without attributes: the sessions of a kind often have one name. */
  names: Names | undefined
}

/** What a session holds, and how to release it, in the context that has what the release needs. */
export interface Holding {
  readonly value: unknown
  readonly release: (value: unknown, exit: Exit.Exit<unknown, unknown>) => Effect.Effect<unknown, unknown>
  readonly services: Context.Context<never> | Unowned
}

/** What uses a session: a fiber that works in it, or a function. A revocation interrupts the one and calls the other. */
export type User = Fiber.Fiber<unknown, unknown> | (() => void)

/** The release inside of which a session was opened. */
export interface Releasing {
  readonly isOver: boolean
  isOfAny(records: ReadonlySet<SessionRecord>): boolean
}

/** How many sessions of this process have been revoked. */
let revocations = 0

const none: ReadonlyArray<never> = []

const remove = <A>(all: Array<A> | undefined, one: A): void => {
  const at = all?.indexOf(one) ?? -1
  if (at >= 0) all?.splice(at, 1)
}

/** The nearest session from one outwards that is open. */
export const nearestOpen = (record: SessionRecord | undefined): SessionRecord | undefined => {
  let at = record
  while (at !== undefined && !at.isOpen) at = at.parent
  return at
}

/** There are many of these: no field that could be computed from another. */
export class SessionRecord implements Session {
  readonly id: number
  /** How many sessions it was opened inside of. */
  readonly depth: number
  readonly caller: Caller | undefined
  readonly fiberId: number
  /** Monotonic milliseconds. */
  readonly openedAt: number
  /** The ledger that lists it, or did. */
  readonly ledger: object
  private readonly count: Count
  /** Where it was opened, if it was sampled. */
  readonly site: string | undefined
  private names: Names
  private around: SessionRecord | undefined
  private within: Releasing | undefined
  /** Not the span itself, which keeps the result of its work. */
  readonly span: Session["span"]
  private phase: Session["state"] = "acquiring"
  private isLost = false
  /** Why it was revoked; the error for its users once one was made. */
  private revocation: string | SessionRevoked | undefined = undefined
  private using: Array<User> | undefined = undefined
  private closing: Array<() => void> | undefined = undefined
  private holding: Holding | undefined = undefined
  /** How many revocations there had been when neither it nor a session around it was revoked. */
  private soundAt: number
  /** Where it stands in the ledger, or stood. */
  protected slot: number

  constructor(
    ledger: object,
    count: Count,
    slot: number,
    id: number,
    names: Names,
    parent: SessionRecord | undefined,
    within: Releasing | undefined,
    caller: Caller | undefined,
    fiberId: number,
    span: Tracer.AnySpan | undefined,
    openedAt: number,
    site: string | undefined
  ) {
    this.ledger = ledger
    this.count = count
    this.slot = slot
    this.id = id
    this.names = names
    this.around = parent
    this.within = within
    this.depth = parent === undefined ? 0 : parent.depth + 1
    this.soundAt = parent === undefined ? revocations : parent.soundAt
    this.caller = caller
    this.fiberId = fiberId
    this.span = span && { traceId: span.traceId, spanId: span.spanId }
    this.openedAt = openedAt
    this.site = site
  }

  /** The tally that it is counted in. */
  get tally(): Tally {
    return this.count
  }

  get kind(): string {
    return this.names.kind
  }

  get name(): string {
    return this.names.name
  }

  get attributes(): Info["attributes"] {
    return this.names.attributes
  }

  get releaseRetry(): Info["releaseRetry"] {
    return this.names.releaseRetry
  }

  get parent(): SessionRecord | undefined {
    return this.around
  }

  /** The release inside of which it was opened. */
  get release(): Releasing | undefined {
    return this.within
  }

  get state(): Session["state"] {
    return this.phase
  }

  /** How long it is or was open, in milliseconds. Never negative, whichever clock it was opened by. */
  age(now: number): number {
    return Math.max(0, now - this.openedAt)
  }

  /** The id of the session around it, if that is of the same registry. */
  get parentId(): number | undefined {
    return this.around?.ledger === this.ledger ? this.around.id : undefined
  }

  get isOpen(): boolean {
    return this.phase !== "closed"
  }

  /** Whether a fiber works in it, so that it is not merely held. */
  get isUnderWay(): boolean {
    return this.phase === "open" &&
      this.using?.some((one) => typeof one !== "function" && one.pollUnsafe() === undefined) === true
  }

  /** Whether its owner was lost, so that only a revocation can release it. */
  get isAbandoned(): boolean {
    return this.isLost
  }

  get isRevoked(): boolean {
    return this.revocation !== undefined
  }

  get revoked(): SessionRevoked | undefined {
    const reason = this.revocation
    return typeof reason === "string" ? this.revocation = revocation(this.id, this.kind, this.name, reason) : reason
  }

  /** Why nothing may be opened inside of a session, if nothing may. What is around is looked at once after each revocation. */
  static revokedAround(record: SessionRecord | undefined): SessionRevoked | undefined {
    let at = record
    while (at !== undefined && at.soundAt !== revocations) {
      if (at.isRevoked) return at.revoked
      at = at.around
    }
    for (let sound = record; sound !== at && sound !== undefined; sound = sound.around) sound.soundAt = revocations
    return undefined
  }

  get held(): Holding | undefined {
    return this.holding
  }

  /** It has acquired what it holds. The release gets the same value, and the exit that it was made for. */
  hold(held: Holding): void {
    this.phase = "open"
    this.holding = held
  }

  /** Calls `listener` with the exit that the release gets. */
  overhear(listener: (exit: Exit.Exit<unknown, unknown>) => void): void {
    const held = this.holding
    if (held === undefined) return
    this.holding = {
      value: held.value,
      services: held.services,
      release: (value, exit) => {
        listener(exit)
        return held.release(value, exit)
      }
    }
  }

  beginRelease(): void {
    this.phase = "releasing"
  }

  /** Its owner was lost. */
  abandon(): void {
    this.isLost = this.isOpen
  }

  /** What a revocation must stop. */
  get users(): ReadonlyArray<User> {
    return this.using ?? none
  }

  addUser(user: User): void {
    // Most have one. An array that grows from empty has room for 17.
    if (this.using === undefined) this.using = [user]
    else this.using.push(user)
  }

  removeUser(user: User): void {
    remove(this.using, user)
  }

  addCloseListener(listener: () => void): void {
    const closing = this.closing ??= []
    closing.push(listener)
  }

  removeCloseListener(listener: () => void): void {
    remove(this.closing, listener)
  }

  /** Drops closed sessions around it, or a job that starts its successor would keep all before it. */
  dropClosedAround(): void {
    this.around = nearestOpen(this.around)
  }

  /**
   * Drops all but its names: a handle or a session inside may keep the record of a closed session for long. Returns the
   * listeners that wait for the close, if there are any.
   */
  forget(): ReadonlyArray<() => void> | undefined {
    const { closing } = this
    this.closing = undefined
    const { attributes, kind, name, releaseRetry } = this.names
    if (attributes !== undefined || releaseRetry !== undefined) {
      this.names = { kind, name, attributes: undefined, releaseRetry: undefined }
    }
    this.within = undefined
    return closing
  }

  protected leave(): void {
    this.phase = "closed"
    this.holding = undefined
    this.using = undefined
  }

  /** The first reason stays. */
  protected revoke(reason: string): void {
    this.revocation ??= reason
    revocations++
  }

  /** What a log shows of it: no other record, and no secret. */
  toJSON(): unknown {
    const { attributes, id, kind, name, parentId, state } = this
    return { id, kind, name, state, parent: parentId, attributes: attributes && redact(attributes) }
  }

  [NodeInspectSymbol](): unknown {
    return this.toJSON()
  }
}

/** The nearest of these sessions around one. */
export const nearest = (sessions: ReadonlySet<SessionRecord>, record: SessionRecord): SessionRecord | undefined => {
  let at = record.parent
  while (at !== undefined && !sessions.has(at)) at = at.parent
  return at
}
