/**
 * Encryption of what a store keeps. Entries and views are encrypted, each bound to its conversation and its place in it, so that
 * a text that was moved elsewhere does not open.
 */
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"
import type { Sealing } from "./cipher.ts"
import { shortDigest } from "./digest.ts"
import { StoreUnavailable } from "./errors.ts"
import type { State } from "./machine.ts"
import type { Loaded, View } from "./model.ts"
import type { ConversationStore } from "./port.ts"
import type { Stored } from "./stored.ts"

/** In what is authenticated. It changes when what stands there does. */
const schema = "clawback conversation 1"

const bytes = (text: string) => new TextEncoder().encode(text)

const placeOfEntry = (conversation: string, position: number) =>
  bytes(JSON.stringify([schema, "entry", conversation, position]))

const placeOfView = (conversation: string, incarnation: number, { upTo, version }: Omit<View, "text">) =>
  bytes(JSON.stringify([schema, "view", conversation, incarnation, version, upTo]))

const messageOf = (cause: unknown) => cause instanceof Error ? cause.message : String(cause)

class Sealed<E> {
  private readonly store: string
  private readonly cipher: Sealing<E>

  constructor(store: string, cipher: Sealing<E>) {
    this.store = store
    this.cipher = cipher
  }

  private failed(what: string) {
    return (cause: unknown) =>
      new StoreUnavailable({
        store: this.store,
        outcome: "none",
        reason: `a text could not be ${what}: ${messageOf(cause)}`,
        advice: "Look at the keys: is the one that it was encrypted with still there?",
        cause
      })
  }

  seal(text: string, place: Uint8Array) {
    return Effect.mapError(
      Effect.map(this.cipher.encrypt(bytes(text), place), Base64.encode),
      this.failed("encrypted")
    )
  }

  open(text: string, place: Uint8Array) {
    const sealed = Effect.suspend(() => {
      const decoded = Base64.decode(text)
      return Result.isSuccess(decoded) ? Effect.succeed(decoded.success) : Effect.fail(decoded.failure)
    })
    return Effect.mapError(
      Effect.map(
        Effect.flatMap(sealed, (sealed) => this.cipher.decrypt(sealed, place)),
        (plain) => new TextDecoder().decode(plain)
      ),
      this.failed("decrypted")
    )
  }

  sealEntries(conversation: string, after: number, entries: ReadonlyArray<string>) {
    return Effect.forEach(entries, (text, i) => this.seal(text, placeOfEntry(conversation, after + i + 1)))
  }

  openEntries(conversation: string, after: number, entries: ReadonlyArray<string>) {
    return Effect.forEach(entries, (text, i) => this.open(text, placeOfEntry(conversation, after + i + 1)))
  }

  opened(loaded: Loaded) {
    const { conversation, cursor: { incarnation }, entries, from, view } = loaded
    const text = view === undefined
      ? Effect.succeed("")
      : this.open(view.text, placeOfView(conversation, incarnation, view))
    return Effect.zipWith(text, this.openEntries(conversation, from, entries), (text, entries): Loaded => ({
      ...loaded,
      entries,
      view: view === undefined ? undefined : { ...view, text }
    }))
  }
}

/** The place of the view in a whole record, if it has one. */
const viewPlace = (conversation: string, state: State) =>
  state._tag === "Live" && state.viewVersion > 0
    ? placeOfView(conversation, state.incarnation, { version: state.viewVersion, upTo: state.viewUpTo })
    : undefined

const trimmedOf = (state: State) => state._tag === "Live" ? state.trimmed : 0

/** A whole record with other texts. */
const withTexts = (
  stored: Stored,
  entriesAfter: (after: number) => Effect.Effect<ReadonlyArray<string>, StoreUnavailable>,
  viewAt: (place: Uint8Array) => Effect.Effect<string, StoreUnavailable>
): Effect.Effect<Stored, StoreUnavailable> => {
  const { conversation, state } = stored
  const place = viewPlace(conversation, state)
  return Effect.zipWith(
    entriesAfter(trimmedOf(state)),
    place === undefined ? Effect.succeed("") : viewAt(place),
    (entries, view) => ({ ...stored, entries, view })
  )
}

export const encrypted = <E>(store: ConversationStore, cipher: Sealing<E>): ConversationStore => {
  const sealed = new Sealed(store.name, cipher)
  return {
    ...store,
    load: (conversation, options) =>
      Effect.flatMap(
        store.load(conversation, options),
        (loaded) => loaded === undefined ? Effect.succeed(undefined) : sealed.opened(loaded)
      ),
    append: (append) =>
      Effect.flatMap(
        sealed.sealEntries(append.conversation, append.expected.position, append.entries),
        (entries) => store.append({ ...append, entries, digest: shortDigest(append.digest) })
      ),
    setView: (view) => {
      const place = placeOfView(view.conversation, view.incarnation, { version: view.version + 1, upTo: view.upTo })
      return Effect.flatMap(
        sealed.seal(view.text, place),
        (text) => Effect.map(store.setView({ ...view, text }), (set) => ({ ...set, text: view.text }))
      )
    },
    export: (conversation) =>
      Effect.flatMap(store.export(conversation), (stored) =>
        stored === undefined
          ? Effect.succeed(undefined)
          : withTexts(
            stored,
            (after) => sealed.openEntries(conversation, after, stored.entries),
            (place) => sealed.open(stored.view, place)
          )),
    adopt: (stored) =>
      Effect.flatMap(
        withTexts(
          stored,
          (after) => sealed.sealEntries(stored.conversation, after, stored.entries),
          (place) => sealed.seal(stored.view, place)
        ),
        (stored) =>
          store.adopt({
            ...stored,
            operations: stored.operations.map((_) => ({ ..._, digest: shortDigest(_.digest) }))
          })
      )
  }
}
