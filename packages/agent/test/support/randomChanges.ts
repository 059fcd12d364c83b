/** Random changes of a few conversations, and what a store answers to them, without what differs from store to store. */
import type { ConversationStore } from "@clawback/agent"
import { Effect, Exit } from "effect"
import * as fc from "fast-check"

const names = ["one", "two"]

const Step = fc.record({
  conversation: fc.constantFrom(...names),
  do: fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        _tag: fc.constant("append" as const),
        entries: fc.array(fc.string({ unit: "grapheme", maxLength: 30 }), { maxLength: 3 }),
        /** Which of the known ends is expected: 0 is the newest, and a larger one than there are is nothing. */
        back: fc.oneof({ weight: 6, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat(3) }),
        /** An earlier operation is repeated. */
        repeats: fc.option(fc.nat(3), { freq: 4 }),
        otherDigest: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, {
          weight: 1,
          arbitrary: fc.constant(true)
        }),
        fence: fc.option(fc.nat(4), { freq: 2, nil: undefined }),
        subject: fc.option(fc.constantFrom("ann", "bob"), { nil: undefined })
      })
    },
    {
      weight: 3,
      arbitrary: fc.record({
        _tag: fc.constant("view" as const),
        isLate: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
        before: fc.integer({ min: -1, max: 4 }),
        text: fc.string({ maxLength: 40 }),
        fence: fc.option(fc.nat(4), { freq: 2, nil: undefined })
      })
    },
    { weight: 2, arbitrary: fc.record({ _tag: fc.constant("trim" as const), before: fc.integer({ min: 0, max: 4 }) }) },
    { weight: 1, arbitrary: fc.record({ _tag: fc.constant("remove" as const), ofOther: fc.boolean() }) },
    {
      weight: 2,
      arbitrary: fc.record({ _tag: fc.constant("load" as const), from: fc.option(fc.nat(6), { nil: undefined }) })
    },
    { weight: 1, arbitrary: fc.record({ _tag: fc.constant("move" as const), to: fc.constantFrom(...names) }) }
  )
})

export const Steps = fc.array(Step, { maxLength: 60 })

type Step = typeof Step extends fc.Arbitrary<infer S> ? S : never

interface Known {
  ends: Array<ConversationStore.Cursor>
  version: number
  operations: Array<{ readonly operation: string; readonly entries: ReadonlyArray<string> }>
}

const nothing: ConversationStore.Cursor = { incarnation: 0, position: 0 }

class Player {
  private readonly store: ConversationStore.ConversationStore
  private readonly prefix: string
  private readonly known = new Map<string, Known>()
  /** Incarnations by when they were first seen. */
  private readonly incarnations: Array<number> = [0]
  private operations = 0

  constructor(store: ConversationStore.ConversationStore, prefix: string) {
    this.store = store
    this.prefix = prefix
  }

  step({ conversation: name, do: change }: Step): Effect.Effect<unknown> {
    const conversation = `${this.prefix}${name}`
    const known = this.knownOf(conversation)
    const [end = nothing] = known.ends
    const { incarnation, position } = end
    const { store } = this
    switch (change._tag) {
      case "append": {
        const { back, fence, otherDigest, repeats, subject } = change
        const repeated = repeats === null ? undefined : known.operations.at(-1 - repeats)
        const { entries, operation } = repeated ?? { operation: `o ${++this.operations}`, entries: change.entries }
        known.operations.push({ operation, entries })
        const digest = otherDigest ? "other" : `${entries.length}`
        const expected = known.ends[back] ?? nothing
        const expiry = { idle: 3_600_000, absolute: undefined }
        const append = { conversation, operation, digest, expected, entries, fence, subject, expiry }
        return this.answer(known, store.append(append))
      }
      case "view": {
        const version = known.version - (change.isLate ? 1 : 0)
        const { fence, text } = change
        const upTo = position - change.before
        const view = { conversation, incarnation, version, upTo, text, fence }
        return this.answer(
          known,
          Effect.tap(store.setView(view), ({ version }) => Effect.sync(() => void (known.version = version)))
        )
      }
      case "trim":
        return this.answer(known, store.trim({ conversation, incarnation, upTo: position - change.before }))
      case "remove":
        return this.answer(known, store.remove(conversation, change.ofOther ? { incarnation: incarnation + 1 } : {}))
      case "load":
        return this.answer(known, store.load(conversation, { from: change.from }))
      case "move": {
        const to = `${this.prefix}${change.to}`
        return this.answer(
          known,
          Effect.flatMap(
            store.export(conversation),
            (stored) => stored === undefined ? Effect.succeed(false) : store.adopt({ ...stored, conversation: to })
          )
        )
      }
    }
  }

  private knownOf(conversation: string): Known {
    const found = this.known.get(conversation)
    if (found !== undefined) return found
    const known = { ends: [], version: 0, operations: [] }
    this.known.set(conversation, known)
    return known
  }

  private answer(known: Known, effect: Effect.Effect<unknown, unknown>): Effect.Effect<unknown> {
    return Effect.map(Effect.exit(effect), (exit) => {
      if (Exit.isSuccess(exit)) return this.seen(known, exit.value)
      const [reason] = exit.cause.reasons
      return reason?._tag === "Fail" ? this.seen(known, { ...reason.error as object }) : String(exit.cause)
    })
  }

  /** Learns the end that an answer names, and replaces incarnations and leaves out times. */
  private seen(known: Known, value: unknown): unknown {
    if (typeof value !== "object" || value === null) return value
    const copy: Record<string, unknown> = {}
    for (const [name, field] of Object.entries(value)) {
      if (["createdAt", "touchedAt", "expiresAt", "cause", "stack"].includes(name)) continue
      if (name !== "cursor" && name !== "actual") {
        copy[name] = field
        continue
      }
      const cursor = field as ConversationStore.Cursor
      if (JSON.stringify(known.ends[0]) !== JSON.stringify(cursor)) {
        if (cursor.incarnation !== known.ends[0]?.incarnation) known.version = 0
        known.ends.unshift(cursor)
      }
      if (!this.incarnations.includes(cursor.incarnation)) this.incarnations.push(cursor.incarnation)
      copy[name] = [this.incarnations.indexOf(cursor.incarnation), cursor.position]
    }
    if (typeof copy["conversation"] === "string") copy["conversation"] = copy["conversation"].slice(this.prefix.length)
    const view = (value as { readonly view?: ConversationStore.View }).view
    if (view !== undefined) known.version = view.version
    return copy
  }
}

let plays = 0

/** What the store answers to each step, and how the conversations are in the end. */
export const play = (store: ConversationStore.ConversationStore, steps: ReadonlyArray<Step>) =>
  Effect.gen(function*() {
    const player = new Player(store, `play ${process.pid} ${++plays} `)
    const answers = yield* Effect.forEach(steps, (step) => player.step(step))
    const ends = yield* Effect.forEach(names, (conversation) =>
      player.step({ conversation, do: { _tag: "load", from: 0 } }))
    return { answers, ends }
  })
