/** A store whose answers get lost, or that is away. */
import { ConversationStore } from "@clawback/agent"
import { Effect, Layer } from "effect"

type Store = ConversationStore.ConversationStore
type Change = "append" | "setView" | "load"

export interface Faults {
  /** How many of the next steps of a kind are made, but their answers are lost. */
  readonly lost: { [step in Change]: number }
  /** How many of the next steps of a kind are not made. */
  readonly away: { [step in Change]: number }
  /** What the last appends were called. */
  readonly operations: Array<string>
}

export const noFaults = (): Faults => ({
  lost: { append: 0, setView: 0, load: 0 },
  away: { append: 0, setView: 0, load: 0 },
  operations: []
})

const unavailable = (outcome: "none" | "unknown") =>
  new ConversationStore.StoreUnavailable({ store: "faulty", outcome, reason: "the test says so" })

/** Wraps the store in force. */
const faulty = (store: Store, faults: Faults): Store => {
  const step = <A, E>(kind: Change, self: Effect.Effect<A, E>) =>
    Effect.suspend(() => {
      if (faults.away[kind]-- > 0) return Effect.fail(unavailable("none"))
      return faults.lost[kind]-- > 0 ? Effect.andThen(self, Effect.fail(unavailable("unknown"))) : self
    })
  return {
    ...store,
    append: (append) =>
      Effect.suspend(() => {
        faults.operations.push(append.operation)
        return step("append", store.append(append))
      }),
    setView: (change) => step("setView", store.setView(change)),
    load: (id, options) => step("load", store.load(id, options))
  }
}

export const layer = (faults: Faults): Layer.Layer<never> =>
  Layer.effect(
    ConversationStore.ConversationStore,
    Effect.map(ConversationStore.ConversationStore, (store) => faulty(store, faults))
  ).pipe(Layer.provide(ConversationStore.layerMemory()))
