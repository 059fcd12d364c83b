/** Conversations in Redis: one script for each operation. */
import * as Effect from "effect/Effect"
import type * as Redis from "effect/persistence/Redis"
import type { Live } from "../machine.ts"
import type { Expiry, Loaded, LoadOptions, ViewChange } from "../model.ts"
import { answering } from "../networked.ts"
import { operationsOf, operationsText } from "../operationLines.ts"
import type { ConversationStore } from "../port.ts"
import { refusalOf } from "../refusals.ts"
import { loadedOf, removedOf, type Stored } from "../stored.ts"
import { utf8Length } from "../utf8.ts"
import { type Answer, expiryArgs, orNone, refusalIn, stateArgs, stateOf, text } from "./answers.ts"
import { append } from "./appending.ts"
import { makeRunning, type RedisSettings, type Running } from "./running.ts"
import { remove, scan } from "./scanning.ts"
import { Code } from "./script.ts"
import * as Scripts from "./scripts.ts"
import { Subjects } from "./subjects.ts"

const noExpiry: Expiry = { idle: undefined, absolute: undefined }

const loadedIn = (conversation: string, answer: Answer): Loaded | undefined => {
  if (answer[0] === Code.absent) return undefined
  const state = stateOf(answer)
  if (state._tag === "Removed") return removedOf(conversation, state)
  const [, , , view, entries, from] = answer
  return loadedOf(conversation, state, Number(from), { entries, view: text(view) })
}

const load = ({ run }: Running, subjects: Subjects, conversation: string, { from, touch }: LoadOptions) => {
  const args = [orNone(from), touch === undefined ? 0 : 1, ...expiryArgs(touch ?? noExpiry)]
  const loading = Effect.map(run(Scripts.load, conversation, args), (answer) => loadedIn(conversation, answer))
  if (touch === undefined) return loading
  return Effect.tap(
    loading,
    (loaded) => loaded?.subject === undefined ? Effect.void : subjects.renew(conversation, loaded.subject, touch)
  )
}

const setView = ({ run, settings }: Running, change: ViewChange) => {
  const { conversation, fence, incarnation, text, upTo, version } = change
  const args = [incarnation, version, upTo, text, utf8Length(text), orNone(fence), settings.maxBytes]
  return Effect.flatMap(run(Scripts.setView, conversation, args), (answer) => {
    const refusal = refusalIn(answer)
    return refusal === undefined
      ? Effect.succeed({ version: Number(answer[1]), upTo, text })
      : Effect.fail(refusalOf(change, refusal, settings))
  })
}

const storedIn = (conversation: string, answer: Answer): Stored | undefined => {
  if (answer[0] === Code.absent) return undefined
  const [, , , view, entries, operations] = answer
  return { conversation, state: stateOf(answer), entries, view: text(view), operations: operationsOf(text(operations)) }
}

/** How long the index of a subject must name the conversation. */
const expiryOf = ({ absolute, idle }: Live): Expiry => ({ absolute, idle })

const adopt = ({ run }: Running, subjects: Subjects, { conversation, entries, operations, state, view }: Stored) => {
  const live = state._tag === "Live" ? state : undefined
  const until = state._tag === "Removed" ? Math.ceil(state.until) : 0
  const args = [...stateArgs(state), until, live?.subject ?? "", view, operationsText(operations), ...entries]
  const indexed = live?.subject === undefined
    ? Effect.void
    : subjects.add(conversation, live.subject, expiryOf(live))
  return Effect.map(Effect.andThen(indexed, run(Scripts.adopt, conversation, args)), ([, taken]) => taken === 1)
}

export const makeStore = (redis: Redis.Redis["Service"], settings: RedisSettings): ConversationStore => {
  const running = makeRunning(redis, settings)
  const subjects = new Subjects(redis, settings.prefix)
  const reading = answering(settings.name, settings, "none")
  const writing = answering(settings.name, settings, "unknown")
  return {
    name: settings.name,
    load: (conversation, options = {}) => reading(load(running, subjects, conversation, options)),
    append: (change) => writing(append(running, subjects, change)),
    setView: (change) => writing(setView(running, change)),
    trim: ({ conversation, incarnation, upTo }) =>
      writing(Effect.map(running.run(Scripts.trim, conversation, [incarnation, upTo]), ([, count]) => Number(count))),
    remove: (conversation, options = {}) => writing(remove(running, subjects, conversation, options)),
    scan: (options) => reading(scan(running, redis, subjects, options)),
    // Redis deletes what has expired by itself.
    sweep: Effect.succeed(0),
    export: (conversation) =>
      reading(Effect.map(running.run(Scripts.whole, conversation, []), (answer) => storedIn(conversation, answer))),
    adopt: (stored) => writing(adopt(running, subjects, stored))
  }
}
