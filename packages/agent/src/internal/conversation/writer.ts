/** Makes the changes of one open conversation, one after another, each by compare-and-set at its store. */
import type { Lease } from "@clawback/core/Lease"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"
import { Conflict, type OperationMismatch, TooLarge } from "../store/errors.ts"
import type { Append, Appended, Cursor, Loaded } from "../store/model.ts"
import type { ConversationStore } from "../store/port.ts"
import { decode, decodeViewText, encode, encodeViewText, type Entry, type View } from "./entry.ts"
import { NotStorable, type Unreadable } from "./errors.ts"
import { newId } from "./id.ts"
import { Machine } from "./machine.ts"
import type { ChangeError, ReadError } from "./model.ts"
import type { Settings } from "./settings.ts"

/** Other writers are kept out by the lease. What changes the log in spite of it, does so once or twice. */
const maxConflicts = 8

export const retried = <A, E extends { readonly _tag: string }, R>(
  self: Effect.Effect<A, E, R>,
  { attempts }: Settings
): Effect.Effect<A, E, R> =>
  Effect.retry(self, {
    while: ({ _tag }) => _tag === "StoreUnavailable",
    times: attempts - 1,
    schedule: Schedule.jittered(Schedule.exponential("50 millis"))
  })

/** The machine of what a store has. */
export const machineOf = (id: string, loaded: Loaded | undefined): Result.Result<Machine, Unreadable> =>
  Result.gen(function*() {
    if (loaded === undefined) return new Machine()
    const { cursor, entries, from, view } = loaded
    const machine = new Machine(view && (yield* decodeViewText(id, view.upTo, view.text)))
    machine.version = view?.version ?? 0
    for (const [index, text] of entries.entries()) {
      const position = from + index + 1
      machine.apply(yield* decode(id, position, text), position)
    }
    machine.cursor = cursor
    return machine
  })

/** The log at one moment. */
export interface Snapshot extends Cursor {
  readonly version: number
}

export class Writer {
  private readonly turn = Semaphore.makeUnsafe(1)
  private machine = new Machine()
  private bytes = 0
  /** Whether a change may have been made of which nothing is known. */
  private isStale = true

  readonly id: string
  private readonly store: ConversationStore
  readonly settings: Settings
  private readonly lease: Lease
  private readonly subject: string | undefined

  constructor(id: string, store: ConversationStore, settings: Settings, lease: Lease, subject: string | undefined) {
    this.id = id
    this.store = store
    this.settings = settings
    this.lease = lease
    this.subject = subject
  }

  private readonly load: Effect.Effect<Machine, ReadError> = Effect.suspend(() =>
    Effect.flatMap(
      retried(this.store.load(this.id, { touch: this.settings.expiry }), this.settings),
      (loaded) => Effect.suspend(() => this.accept(loaded))
    )
  )

  private accept(loaded: Loaded | undefined): Effect.Effect<Machine, ReadError> {
    const found = machineOf(this.id, loaded)
    if (Result.isFailure(found)) return Effect.fail(found.failure)
    const machine = found.success
    const { incarnation, position } = this.machine.cursor
    // It has expired or was removed since it was opened: what is appended now would be a part of nothing.
    if (position > 0 && machine.cursor.incarnation !== incarnation) {
      return new Conflict({ conversation: this.id, what: "removed", actual: machine.cursor })
    }
    this.machine = machine
    this.bytes = loaded?.bytes ?? 0
    this.isStale = false
    return Effect.succeed(machine)
  }

  /** What the log says now. */
  readonly current: Effect.Effect<Machine, ReadError> = this.turn.withPermit(Effect.suspend(() => this.known))

  private get known(): Effect.Effect<Machine, ReadError> {
    return this.isStale ? this.load : Effect.succeed(this.machine)
  }

  /** Appends what the log, as it is then, allows. It is asked again if the log has changed meanwhile. */
  change<E = never>(
    decide: (machine: Machine) => Result.Result<ReadonlyArray<Entry>, E>,
    operation?: string
  ): Effect.Effect<Cursor, ChangeError | OperationMismatch | E> {
    return this.turn.withPermit(
      Effect.flatMap(operation === undefined ? newId : Effect.succeed(operation), (id) => this.attempt(decide, id, 1))
    )
  }

  private attempt<E>(
    decide: (machine: Machine) => Result.Result<ReadonlyArray<Entry>, E>,
    operation: string,
    count: number
  ): Effect.Effect<Cursor, ChangeError | OperationMismatch | E> {
    return Effect.flatMap(Effect.andThen(this.lease.check, this.known), (machine) => {
      const decided = decide(machine)
      if (Result.isFailure(decided)) return Effect.fail(decided.failure)
      const entries = decided.success
      if (entries.length === 0) return Effect.succeed(machine.cursor)
      return Effect.catchTag(
        this.append(machine, entries, operation),
        "Conflict",
        (conflict) =>
          conflict.what === "position" && count < maxConflicts
            ? Effect.suspend(() => this.attempt(decide, operation, count + 1))
            : Effect.fail(conflict)
      )
    })
  }

  private append(
    machine: Machine,
    entries: ReadonlyArray<Entry>,
    operation: string
  ): Effect.Effect<Cursor, ChangeError | OperationMismatch> {
    return Effect.gen({ self: this }, function*() {
      const at = yield* Clock.currentTimeMillis
      const { digest, texts } = yield* this.written(() => encode(entries, at))
      const bytes = texts.reduce((sum, text) => sum + utf8Length(text), 0)
      const total = this.bytes + bytes
      const { maxBytes } = this.settings
      if (total > maxBytes) return yield* new TooLarge({ conversation: this.id, bytes: total, maxBytes })
      const change: Append = {
        conversation: this.id,
        operation,
        digest,
        expected: machine.cursor,
        entries: texts,
        fence: this.lease.token,
        expiry: this.settings.expiry,
        subject: this.subject
      }
      // Until the store has answered, and also if this is interrupted.
      this.isStale = true
      const appended = yield* retried(this.store.append(change), this.settings)
      this.applied(machine, entries, bytes, appended)
      return appended.cursor
    })
  }

  private applied(machine: Machine, entries: ReadonlyArray<Entry>, bytes: number, { cursor }: Appended): void {
    const { position } = machine.cursor
    // An append that was made in an earlier try may have others behind it: then the log is loaded again.
    if (cursor.position !== position + entries.length) return
    for (const [index, entry] of entries.entries()) machine.apply(entry, position + index + 1)
    machine.cursor = cursor
    this.bytes += bytes
    this.isStale = false
  }

  private written<A>(write: () => A): Effect.Effect<A, NotStorable> {
    return Effect.try({
      try: write,
      catch: (error) => new NotStorable({ conversation: this.id, reason: String(error).split("\n")[0] ?? "" })
    })
  }

  /**
   * Replaces the view by one of the log up to a position, if nobody has replaced it since. What was appended since then stays
   * behind it. Returns whether it did.
   */
  replace({ incarnation, position, version }: Snapshot, view: View): Effect.Effect<boolean, ChangeError> {
    return this.turn.withPermit(
      Effect.flatMap(
        this.known,
        ({ cursor, version: newest }) =>
          newest === version && cursor.incarnation === incarnation
            ? this.setView(incarnation, version, position, () => encodeViewText(view))
            : Effect.succeed(false)
      )
    )
  }

  /** Puts a view without messages in place of all that is there. */
  readonly clear: Effect.Effect<void, ChangeError> = this.turn.withPermit(Effect.suspend(() => this.cleared(1)))

  private cleared(count: number): Effect.Effect<void, ChangeError> {
    return Effect.flatMap(this.known, ({ cursor: { incarnation, position }, version }) => {
      // There is nothing to clear: an empty view of nothing would begin a conversation.
      if (position === 0) return Effect.void
      return Effect.flatMap(
        this.setView(incarnation, version, position, () => ""),
        (isDone) => isDone || count === maxConflicts ? Effect.void : Effect.suspend(() => this.cleared(count + 1))
      )
    })
  }

  private setView(
    incarnation: number,
    version: number,
    upTo: number,
    write: () => string
  ): Effect.Effect<boolean, ChangeError> {
    return Effect.gen({ self: this }, function*() {
      const text = yield* this.written(write)
      yield* this.lease.check
      this.isStale = true
      const { id: conversation, lease: { token: fence } } = this
      const change = { conversation, incarnation, version, upTo, text, fence }
      const failed = yield* Effect.match(retried(this.store.setView(change), this.settings), {
        onSuccess: () => undefined,
        onFailure: (error) => error
      })
      if (failed === undefined) return true
      if (failed._tag === "Conflict" && failed.what !== "removed") return false
      return yield* Effect.fail(failed)
    })
  }
}

/** The bytes of a text in UTF-8. */
const utf8Length = (text: string): number => {
  let bytes = text.length
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    // Each half of a pair counts two bytes; of the other units, those above these limits count two and three.
    if (unit > 0x7f) bytes += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1
  }
  return bytes
}
