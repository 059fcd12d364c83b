/**
 * The release inside of which a fiber works. It comes after the end of the work, and is not bound by it: it may open
 * sessions where that work may not any more, and has none of its deadlines.
 */
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import type { Releasing, SessionRecord } from "./record.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>

/**
 * One release. A stream works and releases on one fiber, so it has its release from the start: that begins when the stream is
 * interrupted, as by a revocation.
 */
export class Release implements Releasing {
  /** The session that is released; undefined once that is done. */
  private record: SessionRecord | undefined
  /** The release that this one, or what comes before it, is a part of. */
  private around: Release | undefined
  private hasBegun = false

  constructor(record: SessionRecord, fiber: AnyFiber) {
    this.record = record
    this.around = of(fiber)
  }

  /** This release once it has begun; before that, the one around it. */
  get current(): Release | undefined {
    return this.hasBegun || this.record?.isRevoked === true ? this : this.around
  }

  begin(): void {
    this.hasBegun = true
  }

  get isOver(): boolean {
    return this.record === undefined
  }

  /** Whether it releases one of these sessions. */
  isOfAny(records: ReadonlySet<SessionRecord>): boolean {
    return this.record !== undefined && records.has(this.record)
  }

  /** Whether it, or one around it, releases this session. */
  isWithin(record: SessionRecord): boolean {
    return this.record === record || this.around?.isWithin(record) === true
  }

  /** Drops what it refers to: a fiber that it left running may keep it for long. */
  end(): void {
    this.hasBegun = true
    this.record = undefined
    this.around = undefined
  }
}

export const Current: Context.Reference<Release | undefined> = Context.Reference<Release | undefined>(
  "@clawback/core/Session/Release",
  { defaultValue: () => undefined }
)

/** The release inside of which a fiber works, be it over or not. */
export const of = (fiber: AnyFiber): Release | undefined => fiber.getRef(Current)?.current
