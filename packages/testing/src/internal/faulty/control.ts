/** What can be asked of a faulty provider and told to it, in the same process or from another one: all of it is JSON. */
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type { Counts, Received } from "./journal.ts"
import type { Behavior } from "./script.ts"

/** The server, or its process, cannot do it. The cause says why. */
export class Unavailable extends Data.TaggedError("Unavailable")<{ readonly cause: unknown }> {}

/** A process of its own did not come so far. */
export class NotStarted extends Data.TaggedError("NotStarted")<{ readonly cause: unknown }> {}

/**
 * How connections are met. `accept`: as they should be. `refuse`: nobody listens. `fullBacklog`: the kernel's queue is
 * full, so that connecting takes for ever. `silent`: accepted, and never a word: over TLS, its hello is withheld.
 * `close`, `reset`: accepted, and ended at once. Connections that are open already are left alone.
 */
export type Listening = "accept" | "refuse" | "fullBacklog" | "silent" | "close" | "reset"

interface Snapshot {
  readonly version: number
  readonly counts: Counts
}

export interface Control {
  readonly snapshot: () => Effect.Effect<Snapshot>
  /** The latest requests, oldest first. */
  readonly requests: () => Effect.Effect<ReadonlyArray<Received>>
  /** Waits until something happens after that version. */
  readonly changed: (version: number) => Effect.Effect<void>
  readonly enqueue: (behaviors: ReadonlyArray<Behavior>) => Effect.Effect<void>
  /** What a request gets for which nothing else is said. */
  readonly otherwise: (behavior: Behavior) => Effect.Effect<void>
  /** Fails where the port was taken in the meantime. */
  readonly listening: (how: Listening) => Effect.Effect<void, Unavailable>
  /** Ends all connections, in an orderly way or by resets. */
  readonly disconnect: (how: "close" | "reset") => Effect.Effect<void>
  readonly forget: () => Effect.Effect<void>
}

export const names = [
  "snapshot",
  "requests",
  "changed",
  "enqueue",
  "otherwise",
  "listening",
  "disconnect",
  "forget"
] as const satisfies ReadonlyArray<keyof Control>

export interface Address {
  readonly port: number
  readonly pid: number
}

export interface Server {
  readonly address: Address
  readonly control: Control
}
