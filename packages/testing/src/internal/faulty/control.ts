/** The commands of a faulty provider, in the same process or from another one. All of it is JSON. */
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type { Counts, Received } from "./journal.ts"
import type { Behavior } from "./script.ts"

/** The server, or its process, cannot do it; see the cause. */
export class Unavailable extends Data.TaggedError("Unavailable")<{ readonly cause: unknown }> {}

/** The child process did not start. */
export class NotStarted extends Data.TaggedError("NotStarted")<{ readonly cause: unknown }> {}

/**
 * How new connections are accepted. `accept`: normally. `refuse`: the port is closed. `fullBacklog`: the kernel's queue is full,
 * so that connecting never ends. `silent`: accepted, but nothing is sent; over TLS, its hello is withheld. `close`, `reset`:
 * accepted, and ended at once. Open connections stay.
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
  /** Sets the default behavior. */
  readonly otherwise: (behavior: Behavior) => Effect.Effect<void>
  /** Fails if the port was taken in the meantime. */
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
