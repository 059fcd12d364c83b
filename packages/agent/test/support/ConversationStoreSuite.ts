/** What every conversation store must do. */
import { ConversationStore } from "@clawback/agent"
import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { append, appended, entriesOf, forever, load, nothing, remove, scanAll, setView, trim } from "./changes.ts"

export interface Place {
  /** Lets so much time pass at the store. */
  readonly pass: (millis: number) => Effect.Effect<void>
  /** A short time for it: real for a server. */
  readonly moment: number
  /** Bytes that one conversation may have there. */
  readonly maxBytes: number
  /** How long tombstones are kept there, in moments. */
  readonly tombstone: number
  /** The store keeps other texts than it is given, which are longer. */
  readonly isSealed?: boolean | undefined
}

let names = 0
const fresh = (name: string) => `${name} ${process.pid} ${++names}`

const tags = <A, E extends { readonly _tag: string }, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(effect), ({ _tag }) => _tag)

export const suite = <R>(
  it: Vitest.MethodsNonLive<R>,
  { isSealed = false, maxBytes, moment, pass, tombstone }: Place
): void => {
  it.effect("appends at the end, and loads what was appended", () =>
    Effect.gen(function*() {
      const name = fresh("log")
      assert.isUndefined(yield* load(name))
      const first = yield* appended(name, nothing, ["a", "b"], { subject: "ann" })
      assert.isAbove(first.incarnation, 0)
      assert.strictEqual(first.position, 2)
      const second = yield* appended(name, first, ["c – ü 😀"])
      assert.deepStrictEqual(second, { ...first, position: 3 })
      const loaded = yield* load(name)
      assert.deepInclude(loaded, {
        conversation: name,
        cursor: second,
        trimmed: 0,
        subject: "ann",
        from: 0,
        entries: ["a", "b", "c – ü 😀"],
        view: undefined,
        isRemoved: false,
        expiresAt: undefined
      })
      if (!isSealed) assert.strictEqual(loaded?.bytes, 15)
      assert.deepStrictEqual((yield* load(name, { from: 2 }))?.entries, ["c – ü 😀"])
      assert.deepStrictEqual((yield* load(name, { from: 99 }))?.entries, [])
    }))

  it.effect("refuses an append at another end", () =>
    Effect.gen(function*() {
      const name = fresh("conflict")
      const first = yield* appended(name, nothing, ["a"])
      const conflict = yield* Effect.flip(append(name, nothing, ["b"]))
      assert.deepInclude(conflict, { _tag: "Conflict", what: "position", actual: first })
      const ahead = { ...first, position: 2 }
      assert.deepInclude(yield* Effect.flip(append(name, ahead, ["b"])), { what: "position", actual: first })
      const absent = yield* Effect.flip(append(fresh("absent"), first, ["b"]))
      assert.deepInclude(absent, { _tag: "Conflict", what: "removed", actual: nothing })
      assert.deepStrictEqual(yield* entriesOf(name), ["a"])
    }))

  it.effect("applies a repeated operation once, and refuses its id with other entries", () =>
    Effect.gen(function*() {
      const name = fresh("operation")
      const change = [name, nothing, ["a"], { operation: "one" }] as const
      const { cursor } = yield* append(...change)
      const later = yield* appended(name, cursor, ["b"])
      assert.deepStrictEqual(yield* append(...change), { cursor, duplicate: true })
      assert.deepStrictEqual(yield* append(name, later, ["a"], { operation: "one" }), { cursor, duplicate: true })
      assert.strictEqual(yield* tags(append(name, later, ["x"], { operation: "one" })), "OperationMismatch")
      assert.deepStrictEqual(yield* entriesOf(name), ["a", "b"])
    }))

  it.effect("remembers the newest operations", () =>
    Effect.gen(function*() {
      const name = fresh("remembered")
      let end = yield* appended(name, nothing, ["0"], { operation: "0" })
      const [first] = [end]
      for (let i = 1; i < ConversationStore.rememberedOperations; i++) {
        end = yield* appended(name, end, [`${i}`], { operation: `${i}` })
      }
      assert.deepStrictEqual(yield* append(name, end, ["0"], { operation: "0" }), { cursor: first, duplicate: true })
      end = yield* appended(name, end, ["last"], { operation: "last" })
      assert.strictEqual(yield* tags(append(name, first, ["0"], { operation: "0" })), "Conflict")
      assert.isTrue((yield* append(name, first, ["1"], { operation: "1" })).duplicate)
      assert.lengthOf((yield* entriesOf(name)) ?? [], ConversationStore.rememberedOperations + 1)
    }))

  it.effect("refuses a writer with an older token", () =>
    Effect.gen(function*() {
      const name = fresh("fence")
      const first = yield* appended(name, nothing, ["a"], { fence: 5, operation: "a" })
      const stale = yield* Effect.flip(append(name, first, ["b"], { fence: 4 }))
      assert.deepInclude(stale, { _tag: "StaleFence", fence: 4, newest: 5 })
      const view = { conversation: name, incarnation: first.incarnation, version: 0, upTo: 1, text: "v" }
      assert.strictEqual(yield* tags(setView({ ...view, fence: 4 })), "StaleFence")
      yield* setView({ ...view, fence: 6 })
      assert.strictEqual(yield* tags(append(name, first, ["b"], { fence: 5 })), "StaleFence")
      assert.isTrue((yield* append(name, nothing, ["a"], { fence: 5, operation: "a" })).duplicate)
      yield* append(name, first, ["b"])
      assert.deepStrictEqual((yield* load(name, { from: 0 }))?.entries, ["a", "b"])
    }))

  it.effect("loads a view and what comes after it, and trims what it stands for", () =>
    Effect.gen(function*() {
      const name = fresh("view")
      const first = yield* appended(name, nothing, ["a", "b", "c"])
      const { incarnation } = first
      const change = { conversation: name, incarnation, version: 0, upTo: 2, text: "summary" }
      assert.strictEqual(yield* trim({ conversation: name, incarnation, upTo: 3 }), 0)
      assert.deepStrictEqual(yield* setView(change), { version: 1, upTo: 2, text: "summary" })
      assert.deepInclude(yield* load(name), {
        view: { version: 1, upTo: 2, text: "summary" },
        from: 2,
        entries: ["c"]
      })
      if (!isSealed) assert.strictEqual((yield* load(name))?.bytes, 10)
      assert.deepStrictEqual((yield* load(name, { from: 0 }))?.entries, ["a", "b", "c"])
      assert.strictEqual(yield* trim({ conversation: name, incarnation, upTo: 1 }), 1)
      assert.strictEqual(yield* trim({ conversation: name, incarnation, upTo: 3 }), 1)
      assert.strictEqual(yield* trim({ conversation: name, incarnation, upTo: 3 }), 0)
      assert.strictEqual(yield* trim({ conversation: name, incarnation: incarnation + 1, upTo: 3 }), 0)
      assert.deepInclude(yield* load(name, { from: 0 }), { trimmed: 2, from: 2, entries: ["c"] })
      if (!isSealed) assert.strictEqual((yield* load(name))?.bytes, 8)
      yield* append(name, first, ["d"])
      assert.deepStrictEqual(yield* entriesOf(name), ["c", "d"])
    }))

  it.effect("keeps the newer view, and what was appended meanwhile", () =>
    Effect.gen(function*() {
      const name = fresh("views")
      const first = yield* appended(name, nothing, ["a", "b"])
      const { incarnation } = first
      const summary = { conversation: name, incarnation, version: 0, upTo: 1, text: "summary" }
      const second = yield* appended(name, first, ["c"])
      yield* setView({ ...summary, upTo: 3, text: "" })
      assert.deepInclude(yield* Effect.flip(setView(summary)), { _tag: "Conflict", what: "view", actual: second })
      assert.deepInclude(yield* load(name), { view: { version: 1, upTo: 3, text: "" }, entries: [] })
      const back = yield* Effect.flip(setView({ ...summary, version: 1, upTo: 2 }))
      assert.deepInclude(back, { _tag: "Conflict", what: "position" })
      const ahead = yield* Effect.flip(setView({ ...summary, version: 1, upTo: 4 }))
      assert.deepInclude(ahead, { _tag: "Conflict", what: "position" })
      assert.strictEqual(yield* tags(setView({ ...summary, incarnation: incarnation + 1 })), "Conflict")
      assert.strictEqual(yield* tags(setView({ ...summary, conversation: fresh("none") })), "Conflict")
    }))

  if (!isSealed) {
    it.effect("refuses what would be too large", () =>
      Effect.gen(function*() {
        const name = fresh("large")
        const text = "ü".repeat(Math.ceil(maxBytes / 4))
        const first = yield* appended(name, nothing, [text])
        const refused = yield* Effect.flip(append(name, first, [text, "x"]))
        assert.deepInclude(refused, { _tag: "TooLarge", maxBytes })
        const { incarnation } = first
        const view = { conversation: name, incarnation, version: 0, upTo: 1, text: `${text}${text}` }
        assert.strictEqual(yield* tags(setView(view)), "TooLarge")
        yield* setView({ ...view, text: "short" })
        yield* trim({ conversation: name, incarnation, upTo: 1 })
        yield* append(name, first, [text])
        assert.strictEqual((yield* load(name))?.bytes, 5 + 2 * Math.ceil(maxBytes / 4))
      }))
  }

  it.effect("refuses late changes of a removed conversation, and begins it anew for a writer that knows", () =>
    Effect.gen(function*() {
      const name = fresh("removed")
      const first = yield* appended(name, nothing, ["a"], { operation: "a", fence: 7, subject: "bob" })
      assert.isTrue(yield* remove(name))
      assert.isFalse(yield* remove(name))
      const removed = { incarnation: first.incarnation, position: 0 }
      assert.deepInclude(yield* load(name), { isRemoved: true, cursor: removed, entries: [], subject: undefined })
      for (const expected of [nothing, first]) {
        const late = yield* Effect.flip(append(name, expected, ["a"], { operation: "a" }))
        assert.deepInclude(late, { _tag: "Conflict", what: "removed", actual: removed })
      }
      const view = { conversation: name, incarnation: first.incarnation, version: 0, upTo: 0, text: "" }
      assert.deepInclude(yield* Effect.flip(setView(view)), { what: "removed" })
      assert.strictEqual(yield* tags(append(name, removed, ["b"], { fence: 6 })), "StaleFence")
      const again = yield* appended(name, removed, ["b"], { operation: "a" })
      assert.isAbove(again.incarnation, first.incarnation)
      assert.deepInclude(yield* load(name), { entries: ["b"], subject: undefined, isRemoved: false })
      assert.deepInclude(yield* Effect.flip(append(name, first, ["c"])), { what: "removed", actual: again })
    }))

  it.effect("removes only what the caller has seen, if it says so", () =>
    Effect.gen(function*() {
      const name = fresh("seen")
      const first = yield* appended(name, nothing, ["a"])
      const loaded = yield* load(name)
      assert.isFalse(yield* remove(name, { incarnation: first.incarnation + 1 }))
      assert.isFalse(yield* remove(name, { idleSince: (loaded?.touchedAt ?? 0) - 1 }))
      assert.isTrue(yield* remove(name, { incarnation: first.incarnation, idleSince: loaded?.touchedAt }))
    }))

  it.effect("forgets a tombstone by itself", () =>
    Effect.gen(function*() {
      const name = fresh("tombstone")
      const first = yield* appended(name, nothing, ["a"])
      yield* remove(name)
      yield* pass(moment * (tombstone + 1))
      assert.isUndefined(yield* load(name))
      const again = yield* appended(name, nothing, ["b"])
      assert.isAbove(again.incarnation, first.incarnation)
    }))

  it.effect("forgets a conversation that is idle, or as old as it may be", () =>
    Effect.gen(function*() {
      const idle = fresh("idle")
      const old = fresh("old")
      const expiry = { idle: moment * 4, absolute: undefined }
      const first = yield* appended(idle, nothing, ["a"], { expiry })
      const limited = { idle: moment * 4, absolute: moment * 8 }
      yield* append(old, nothing, ["a"], { expiry: limited })
      yield* pass(moment * 3)
      const loaded = yield* load(idle, { touch: expiry })
      assert.strictEqual(loaded?.expiresAt, (loaded?.touchedAt ?? 0) + expiry.idle)
      yield* load(old, { touch: limited })
      yield* pass(moment * 2)
      assert.isDefined(yield* load(idle, { touch: expiry }))
      assert.isDefined(yield* load(old, { touch: limited }))
      yield* pass(moment * 3.5)
      yield* load(idle)
      assert.isUndefined(yield* load(old))
      yield* pass(moment)
      assert.isUndefined(yield* load(idle))
      assert.deepInclude(yield* Effect.flip(append(idle, first, ["b"])), { what: "removed", actual: nothing })
      const again = yield* appended(idle, nothing, ["b"])
      assert.isAbove(again.incarnation, first.incarnation)
      assert.deepStrictEqual(yield* entriesOf(idle), ["b"])
    }))

  it.effect("deletes what has expired when it sweeps", () =>
    Effect.gen(function*() {
      const name = fresh("swept")
      yield* append(name, nothing, ["a"], { expiry: { idle: moment, absolute: undefined } })
      const kept = fresh("kept")
      yield* append(kept, nothing, ["a"])
      yield* pass(moment * 2)
      yield* ConversationStore.ConversationStore.use((store) => store.sweep)
      assert.isUndefined(yield* load(name))
      assert.deepStrictEqual(yield* entriesOf(kept), ["a"])
    }))

  it.effect("finds conversations by subject and by their last activity, page by page", () =>
    Effect.gen(function*() {
      const subject = fresh("subject")
      const names = Array.from({ length: 5 }, () => fresh("found")).toSorted()
      for (const name of names) yield* append(name, nothing, ["a"], { subject })
      yield* append(fresh("other"), nothing, ["a"], { subject: fresh("subject") })
      const late = fresh("found")
      const end = yield* appended(late, nothing, ["a"])
      yield* append(late, end, ["b"], { subject })
      const found = (yield* scanAll({ subject, limit: 2 })).map(({ conversation }) => conversation)
      assert.deepStrictEqual(new Set(found), new Set([...names, late]))
      yield* pass(moment)
      const [first = ""] = names
      const since = (yield* load(first, { touch: forever }))?.touchedAt ?? 0
      const all = yield* scanAll({ idleSince: since - 1, limit: 3 })
      const idle = new Set(all.map(({ conversation }) => conversation))
      assert.isFalse(idle.has(first))
      assert.isTrue(names.slice(1).every((name) => idle.has(name)))
      yield* remove(first)
      const left = (yield* scanAll({ subject, limit: 100 })).map(({ conversation }) => conversation)
      assert.deepStrictEqual(new Set(left), new Set([...names.slice(1), late]))
    }))

  it.effect("lets one of many writers at the same end through", () =>
    Effect.gen(function*() {
      const name = fresh("race")
      const first = yield* appended(name, nothing, ["a"])
      const all = Array.from({ length: 20 }, (_, i) => `${i}`)
      const won = yield* Effect.forEach(
        all,
        (entry) =>
          Effect.as(append(name, first, [entry]), [entry]).pipe(Effect.catchTag("Conflict", () => Effect.succeed([]))),
        { concurrency: "unbounded" }
      )
      assert.lengthOf(won.flat(), 1)
      assert.deepStrictEqual(yield* entriesOf(name), ["a", ...won.flat()])
      const begun = fresh("race")
      const begins = yield* Effect.forEach(
        all,
        (entry) =>
          Effect.as(append(begun, nothing, [entry]), 1).pipe(Effect.catchTag("Conflict", () => Effect.succeed(0))),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(begins.reduce((sum, won) => sum + won, 0), 1)
    }))

  it.effect("gives whole conversations to another store, unless that has them newer", () =>
    Effect.gen(function*() {
      const store = yield* ConversationStore.ConversationStore
      const name = fresh("whole")
      const first = yield* appended(name, nothing, ["a", "b"], { operation: "ab", subject: "eve" })
      yield* setView({ conversation: name, incarnation: first.incarnation, version: 0, upTo: 1, text: "view" })
      yield* trim({ conversation: name, incarnation: first.incarnation, upTo: 1 })
      const before = yield* load(name)
      const stored = yield* store.export(name)
      assert(stored !== undefined)
      yield* append(name, first, ["c"])
      assert.isFalse(yield* store.adopt(stored))
      const moved = fresh("moved")
      assert.isTrue(yield* store.adopt({ ...stored, conversation: moved }))
      const { bytes } = (yield* load(moved)) ?? { bytes: 0 }
      assert.deepStrictEqual(yield* load(moved), { ...before, conversation: moved, bytes } as ConversationStore.Loaded)
      if (!isSealed) assert.strictEqual(bytes, before?.bytes)
      assert.isTrue((yield* append(moved, nothing, ["a", "b"], { operation: "ab" })).duplicate)
      yield* append(moved, first, ["c"])
      assert.deepStrictEqual(yield* entriesOf(moved), ["b", "c"])
      yield* remove(name)
      assert.isFalse(yield* store.adopt(stored))
      const removed = yield* store.export(name)
      assert(removed !== undefined)
      assert.isTrue(yield* store.adopt({ ...removed, conversation: moved }))
      assert.deepInclude(yield* load(moved), { isRemoved: true })
      assert.isUndefined(yield* store.export(fresh("none")))
    }))
}
