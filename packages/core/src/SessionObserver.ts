/**
 * Calls functions in the step in which something happens to a session. For authors of tools; applications read
 * `SessionRegistry.changes`. By deep import only: `@clawback/core/SessionObserver`.
 *
 * Guarantees: a listener is called before the next step of the fiber that caused the event, and on that fiber. What a listener
 * throws is logged and changes nothing; it is called for the next event as well. A listener must not block: the fiber waits
 * for it.
 *
 * @experimental
 */

import { kernelOf } from "./internal/session/kernel.ts"
import type { Change, KindCount, SessionRegistry } from "./internal/session/model.ts"

export type { KindCount } from "./internal/session/model.ts"

/** Calls `listener` with each change from now on. Returns a function that stops listening. */
export const onChange = (registry: SessionRegistry, listener: (change: Change) => void): () => void =>
  kernelOf(registry).changes.listen(listener)

/**
 * Calls `listener` with each kind of session that was ever opened, then with each new one. The first 64 kinds are counted
 * apart, the rest as `_OTHER`. Returns a function that stops listening.
 */
export const onKind = (registry: SessionRegistry, listener: (kind: KindCount) => void): () => void =>
  kernelOf(registry).watchKinds(listener)
