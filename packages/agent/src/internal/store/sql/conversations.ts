/** Conversations in a database. */
import type * as Effect from "effect/Effect"
import type { SqlError } from "effect/sql/SqlError"
import { answering, type NetworkedSettings } from "../networked.ts"
import type { ConversationStore } from "../port.ts"
import * as Changes from "./changes.ts"
import * as Reading from "./reading.ts"
import { sweep } from "./sweeping.ts"
import type { Tables } from "./tables.ts"

export const makeStore = (name: string, tables: Tables, settings: NetworkedSettings): ConversationStore => {
  const reading = answering(name, settings, "none")
  const writing = answering(name, settings, "unknown")
  const changing = <A, E>(change: Effect.Effect<A, E | SqlError>) => writing(tables.sql.withTransaction(change))
  return {
    name,
    load: (conversation, options = {}) => reading(Reading.load(tables, conversation, options)),
    append: (change) => changing(Changes.append(tables, settings, change)),
    setView: (change) => changing(Changes.setView(tables, settings, change)),
    trim: (trim) => changing(Changes.trim(tables, trim)),
    remove: (conversation, options = {}) => changing(Changes.remove(tables, settings, conversation, options)),
    scan: (options) => reading(Reading.scan(tables, options)),
    sweep: sweep(tables, (effect) => writing(effect)),
    export: (conversation) => reading(Reading.whole(tables, conversation)),
    adopt: (stored) => changing(Changes.adopt(tables, stored))
  }
}
