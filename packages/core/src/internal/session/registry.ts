/** A registry of sessions, made of its kernel. */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { subscribe } from "./changes.ts"
import * as Inspect from "./inspect.ts"
import { Kernel } from "./kernel.ts"
import { type Options, type SessionRegistry, TypeId } from "./model.ts"
import { revoke } from "./revoke.ts"

export const make = (options: Options = {}): SessionRegistry => {
  const kernel = new Kernel(options)
  const { ledger } = kernel
  return {
    [TypeId]: kernel,
    list: Inspect.list(ledger),
    get: Inspect.get(ledger),
    counts: Inspect.counts(ledger),
    changes: Stream.unwrap(Effect.map(subscribe(kernel.changes), ({ changes }) => changes)),
    leaks: Inspect.leaks(ledger, options.leakThreshold),
    revoke: revoke(kernel)
  }
}
