/**
 * A process of writers: `node writersProgram.ts PLACE NAME WRITERS APPENDS`. Each writer appends to one conversation, and reports
 * each success by a line `ok` with the operation's id, written before anything else happens. The last line of a writer is `done`.
 */
import { ConversationStore } from "@clawback/agent"
import { Effect, Schedule } from "effect"
import { writeSync } from "node:fs"
import { argv, exit } from "node:process"
import { open, type Place } from "./writersStore.ts"

const [place = "", name = "", writers = "1", appends = "1"] = argv.slice(2)

const report = (line: string) => Effect.sync(() => void writeSync(1, `${line}\n`))

/** The same operation until its outcome is known. */
const insist = (
  store: ConversationStore.ConversationStore,
  change: Parameters<ConversationStore.ConversationStore["append"]>[0],
  isRepeated = false,
  left = 20
): ReturnType<ConversationStore.ConversationStore["append"]> =>
  ConversationStore.appendAtEnd(store, change, { attempts: 1000, isRepeated }).pipe(
    Effect.catchTag(
      "StoreUnavailable",
      (error) =>
        left === 0 ? Effect.fail(error) : insist(store, change, isRepeated || error.outcome === "unknown", left - 1)
    )
  )

const writer = (store: ConversationStore.ConversationStore, name: string) =>
  Effect.gen(function*() {
    for (let i = 0; i < Number(appends); i++) {
      const loaded = yield* Effect.retry(store.load("shared", { from: Number.MAX_SAFE_INTEGER }), {
        schedule: Schedule.spaced("200 millis"),
        times: 20
      })
      const operation = `${name}.${i}`
      yield* insist(store, {
        conversation: "shared",
        operation,
        digest: operation,
        expected: loaded?.cursor ?? { incarnation: 0, position: 0 },
        entries: [operation],
        expiry: { idle: 3_600_000, absolute: undefined }
      })
      yield* report(`ok ${operation}`)
    }
    yield* report(`done ${name}`)
  })

const program = Effect.gen(function*() {
  const store = yield* open(JSON.parse(place) as Place)
  const all = Array.from({ length: Number(writers) }, (_, i) => writer(store, `${name}.${i}`))
  yield* Effect.forEach(
    all,
    (writer) => Effect.catch(writer, (error) => Effect.sync(() => void writeSync(2, `${String(error)}\n`))),
    {
      concurrency: "unbounded",
      discard: true
    }
  )
})

await Effect.runPromise(Effect.scoped(program))
exit(0)
