/** The background fiber of a store in memory. */
import * as Tasks from "@clawback/core/Tasks"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Memory } from "./memory.ts"
import { walk } from "./memoryStore.ts"
import type { ConversationStore } from "./port.ts"

/** All conversations are looked at within so many rounds. */
const rounds = 60

/** How many are looked at in a round at least. */
const fewest = 256

const round = (memory: Memory): Effect.Effect<number> =>
  Effect.suspend(() => walk(memory, Math.max(fewest, Math.ceil(memory.lap / rounds))))

/** Runs the rounds of a store one after the other, as long as the scope is open. */
const repeat = (
  name: string,
  interval: Duration.Duration,
  round: Effect.Effect<unknown>
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function*() {
    const tasks = yield* Tasks.make({ name: `conversations: ${name}`, concurrency: 1 })
    const rounds = Effect.forever(Effect.andThen(Effect.sleep(interval), round))
    // A process that is shutting down has no use for it.
    yield* Effect.ignore(tasks.start({ name: "sweep", atShutdown: "cancel" })(rounds))
  })

/** Deletes what has expired and compresses what is idle. */
export const ofMemory = (memory: Memory, interval: Duration.Duration): Effect.Effect<void, never, Scope.Scope> =>
  repeat("memory", interval, round(memory))

/** Deletes what has expired. A store that is away is swept in the next round. */
export const ofStore = (
  { name, sweep }: Pick<ConversationStore, "name" | "sweep">,
  interval: Duration.Duration
): Effect.Effect<void, never, Scope.Scope> =>
  repeat(name, interval, Effect.ignore(sweep, { log: "Warn", message: `The store ${name} was not swept` }))
