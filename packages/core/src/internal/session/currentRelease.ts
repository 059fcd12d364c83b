/**
 * The release inside of which a fiber works. It follows the end of work, and is not bound by it: it may open sessions
 * where that work may not any more, and has none of its deadlines.
 */
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import type { Entry } from "./ledger.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>

/**
 * One release. A stream, whose own fiber does both, has it from its start on: it begins when the stream is told to end, as a
 * revocation does.
 */
export class Release {
  /** The session that is released; undefined once that is done. */
  private entry: Entry | undefined
  /** The release that this one, or what comes before it, is a part of. */
  private around: Release | undefined
  private hasBegun = false

  constructor(entry: Entry, fiber: AnyFiber) {
    this.entry = entry
    this.around = of(fiber)
  }

  /** It, or as long as it has not begun the one around it. */
  get current(): Release | undefined {
    return this.hasBegun || this.entry?.isRevoked === true ? this : this.around
  }

  begin(): void {
    this.hasBegun = true
  }

  get isOver(): boolean {
    return this.entry === undefined
  }

  /** Whether it gives back one of these sessions. */
  isOfAny(entries: ReadonlySet<Entry>): boolean {
    return this.entry !== undefined && entries.has(this.entry)
  }

  /** Whether it, or one around it, gives back this session. */
  isWithin(entry: Entry): boolean {
    return this.entry === entry || this.around?.isWithin(entry) === true
  }

  /** What it left running may remember it for long. */
  end(): void {
    this.hasBegun = true
    this.entry = undefined
    this.around = undefined
  }
}

export const Current: Context.Reference<Release | undefined> = Context.Reference<Release | undefined>(
  "@clawback/core/Session/Release",
  { defaultValue: () => undefined }
)

/** The release inside of which a fiber works, be it over or not. */
export const of = (fiber: AnyFiber): Release | undefined => fiber.getRef(Current)?.current
