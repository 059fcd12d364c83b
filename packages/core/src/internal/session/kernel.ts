/** What our own modules do with a registry: they open and close sessions in it, and listen to it. */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import type * as Fiber from "effect/Fiber"
import * as OptionCheck from "../../OptionCheck.ts"
import * as Monotonic from "../time/monotonic.ts"
import * as Callers from "./callers.ts"
import { Changes } from "./changes.ts"
import * as Releasing from "./currentRelease.ts"
import { QuotaExceeded, type SessionError, SessionRevoked } from "./errors.ts"
import { Ledger } from "./ledger.ts"
import {
  type Caller,
  type Info,
  type KindCount,
  type Options,
  type Quotas,
  type Session,
  type SessionRegistry,
  TypeId
} from "./model.ts"
import * as Observer from "./observer.ts"
import { SessionRecord } from "./record.ts"

/** The reason of the revocation when a registry closes. */
export const closedReason = "its registry was closed"

const checkedLimit = (name: string, limit: number): number =>
  limit === Infinity ? limit : OptionCheck.count(name, limit, 0)

/** A promise or an effect is none: it would limit nothing. */
const isQuotas = (given: number | Quotas): given is Quotas => {
  if (typeof given !== "object" || given === null) return false
  const prototype: unknown = Object.getPrototypeOf(given)
  return prototype === Object.prototype || prototype === null
}

/** The limit of a kind. Throws a `RangeError` at the plural of the kind, which would limit nothing. */
const limitOf = (given: Quotas, kind: string): number | undefined => {
  if (Object.hasOwn(given, kind)) return given[kind]
  if (!Object.hasOwn(given, `${kind}s`)) return undefined
  throw new RangeError(
    `The option \`quota\` must name kinds of sessions: \`${kind}s\` is none, the kind is \`${kind}\``
  )
}

/** The kernel of each ledger. */
const kernels = new WeakMap<object, Kernel>()

export class Kernel {
  readonly ledger = new Ledger()
  readonly changes = new Changes()
  private isClosed = false
  private readonly quota: Options["quota"]

  constructor(options: Options) {
    this.quota = options.quota
    kernels.set(this.ledger, this)
  }

  /** From here on nothing is opened, except by releases. */
  shut(): void {
    this.isClosed = true
  }

  private refusal(
    info: Info,
    parent: SessionRecord | undefined,
    caller: Caller | undefined
  ): SessionError | undefined {
    const around = SessionRecord.revokedAround(parent)
    if (around !== undefined) return around
    const { kind, name } = info
    if (this.isClosed) return new SessionRevoked({ id: 0, kind, session: name, reason: closedReason })
    const tenant = caller?.tenant
    if (this.quota === undefined || tenant === undefined) return undefined
    const given = this.quota(tenant)
    const { tenants } = this.ledger
    if (isQuotas(given)) {
      const limit = limitOf(given, kind)
      return limit === undefined || tenants.size(tenant, kind) < checkedLimit(`quota.${kind}`, limit)
        ? undefined
        : new QuotaExceeded({ tenant, kind, limit, isOfKind: true })
    }
    const limit = checkedLimit("quota", given)
    return tenants.size(tenant) < limit ? undefined : new QuotaExceeded({ tenant, kind, limit })
  }

  /** Opens a session on behalf of `fiber`, which must arrange in the same step that `close` follows. */
  readonly open = (
    info: Info,
    fiber: Fiber.Fiber<unknown, unknown>,
    current: Session | undefined,
    site?: string
  ): SessionRecord | SessionError => {
    // Errors and logs use these as text.
    OptionCheck.text("kind", info.kind)
    OptionCheck.text("name", info.name)
    return this.openAt(Monotonic.millis(fiber.getRef(Clock.Clock)), info, fiber, current, site)
  }

  /** The same at a moment of the fiber's clock, for an info whose texts were checked before. */
  openAt(
    now: number,
    info: Info,
    fiber: Fiber.Fiber<unknown, unknown>,
    current: Session | undefined,
    site: string | undefined
  ): SessionRecord | SessionError {
    const parent = current instanceof SessionRecord ? current : undefined
    const caller = Callers.kept(fiber.getRef(Callers.Current))
    const release = Releasing.of(fiber)
    const refusal = this.refusal(info, parent, caller)
    // A release may open what it needs to release.
    if (refusal !== undefined && release?.isOver !== false) return refusal
    const record = this.ledger.open(
      info,
      parent,
      release,
      caller,
      fiber.id,
      fiber.cache.span,
      now,
      site
    )
    this.changes.opened(record)
    return record
  }

  /** Removes a session. Returns false if it is closed already or belongs to another registry: then nothing changes. */
  readonly close = (session: Session): boolean => {
    if (!(session instanceof SessionRecord) || !this.ledger.close(session)) return false
    this.changes.closed(session)
    const waiting = session.forget()
    if (waiting !== undefined) { for (const listener of waiting) listener() }
    return true
  }

  /** The sessions in which a fiber works at this moment, oldest first. */
  get underWay(): ReadonlyArray<SessionRecord> {
    const found: Array<SessionRecord> = []
    this.ledger.forEach((record) => {
      if (record.isUnderWay) found.push(record)
    })
    return found
  }

  /** Calls `listener` with each kind that was ever opened, then with each new one. Returns how to stop. */
  watchKinds(listener: (kind: KindCount) => void): () => void {
    const { ledger } = this
    return ledger.watchTallies((tally) =>
      Observer.tell(listener, {
        kind: tally.kind,
        opened: () => tally.opened,
        closed: () => tally.closed,
        age: (clock) => {
          const now = Monotonic.millis(clock)
          return Duration.millis(Math.max(0, now - (ledger.oldest(tally) ?? now)))
        }
      })
    )
  }
}

/** What our own modules use of a registry. */
export const kernelOf = (registry: SessionRegistry): Kernel => {
  const kernel = registry[TypeId]
  if (kernel instanceof Kernel) return kernel
  throw new TypeError("This is no registry of sessions: provide one by `SessionRegistry.layer`")
}

/** The kernel that has opened a session. */
export const kernelOfRecord = ({ ledger }: SessionRecord): Kernel => {
  const kernel = kernels.get(ledger)
  if (kernel === undefined) throw new TypeError("This is no session of a registry")
  return kernel
}
