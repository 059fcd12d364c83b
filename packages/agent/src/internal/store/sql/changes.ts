/** The changes of a conversation, each in a transaction that keeps its row. */
import * as Effect from "effect/Effect"
import * as Machine from "../machine.ts"
import type { Append, Appended, RemoveOptions, Trim, View, ViewChange } from "../model.ts"
import type { NetworkedSettings } from "../networked.ts"
import { appendRefusalOf, refusalOf } from "../refusals.ts"
import { additionOf, knownOperation, type Operation, type Stored, viewOf } from "../stored.ts"
import { utf8Length } from "../utf8.ts"
import { operationsIn } from "./rows.ts"
import type { Kept, Tables } from "./tables.ts"

const remembered = (operations: ReadonlyArray<Operation>, operation: Operation) =>
  [...operations, operation].slice(-Machine.rememberedOperations)

/** What an append does to a row that is kept. Undefined if another writer has begun the conversation meanwhile. */
const appendTo = (tables: Tables, settings: NetworkedSettings, change: Append, kept: Kept) =>
  Effect.gen(function*() {
    const { conversation, digest, entries, operation } = change
    const operations = kept.state === undefined ? [] : operationsIn(kept.row)
    const known = knownOperation({ operations }, operation)
    const answer = Machine.append(kept.found, additionOf(change), known, kept.now, settings)
    if (answer._tag === "Duplicate") return { cursor: answer.cursor, duplicate: true } satisfies Appended
    if (answer._tag !== "Applied") return yield* appendRefusalOf(change, answer, settings)
    const { begins, state } = answer
    const after = remembered(begins ? [] : operations, { id: operation, digest, position: state.position })
    if (kept.row === undefined) {
      if (!(yield* tables.insert(conversation, state, after, ""))) return undefined
    } else {
      if (begins) yield* tables.clear(conversation)
      yield* tables.update(conversation, state, after, begins ? "" : undefined)
    }
    yield* tables.add(conversation, state.position - entries.length, entries)
    return { cursor: Machine.cursorOf(state), duplicate: false } satisfies Appended
  })

type Appending = Effect.Effect<Appended, Effect.Error<ReturnType<typeof appendTo>>>

export const append = (tables: Tables, settings: NetworkedSettings, change: Append): Appending =>
  Effect.flatMap(
    tables.keep(change.conversation),
    (kept) =>
      Effect.flatMap(appendTo(tables, settings, change, kept), (appended) =>
        // The row of the other writer is there now.
        appended === undefined ? append(tables, settings, change) : Effect.succeed(appended))
  )

export const setView = Effect.fnUntraced(function*(tables: Tables, settings: NetworkedSettings, change: ViewChange) {
  const { conversation, fence, incarnation, text, upTo, version } = change
  const kept = yield* tables.keep(conversation)
  const replacement = { incarnation, version, upTo, fence, bytes: utf8Length(text) }
  const answer = Machine.setView(kept.found, replacement, kept.now, settings)
  if (answer._tag !== "Applied") return yield* refusalOf(change, answer, settings)
  yield* tables.update(conversation, answer.state, operationsIn(kept.row), text)
  return viewOf(answer.state, text) as View
})

export const trim = Effect.fnUntraced(function*(tables: Tables, { conversation, incarnation, upTo }: Trim) {
  const kept = yield* tables.keep(conversation)
  const trim = Machine.trimTo(kept.found, { incarnation, upTo }, kept.now)
  if (trim === undefined) return 0
  const dropped = yield* tables.drop(conversation, trim.upTo)
  const state = Machine.trimmed(trim.state, trim.upTo, utf8Length(...dropped))
  yield* tables.update(conversation, state, operationsIn(kept.row))
  return dropped.length
})

export const remove = Effect.fnUntraced(function*(
  tables: Tables,
  { tombstone }: NetworkedSettings,
  conversation: string,
  options: RemoveOptions
) {
  const kept = yield* tables.keep(conversation)
  const removed = Machine.remove(kept.found, options, kept.now, tombstone)
  if (removed === undefined) return false
  yield* tables.clear(conversation)
  yield* tables.update(conversation, removed, [], "")
  return true
})

export const adopt = Effect.fnUntraced(function*(tables: Tables, stored: Stored) {
  const { conversation, entries, operations, state, view } = stored
  const kept = yield* tables.keep(conversation)
  if (!Machine.supersedes(state, kept.found, kept.now)) return false
  if (kept.row === undefined) {
    // Another process has begun it meanwhile: it is newer.
    if (!(yield* tables.insert(conversation, state, operations, view))) return false
  } else {
    yield* tables.clear(conversation)
    yield* tables.update(conversation, state, operations, view)
  }
  yield* tables.add(conversation, state._tag === "Live" ? state.trimmed : 0, entries)
  return true
})
