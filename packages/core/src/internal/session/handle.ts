/** The handle of what was acquired until its scope closes. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { NodeInspectSymbol } from "effect/Inspectable"
import * as Interop from "../interop.ts"
import * as Lifecycle from "./lifecycle.ts"
import type { Handle } from "./model.ts"
import type { SessionRecord } from "./record.ts"

export class Acquired<A> implements Handle<A> {
  readonly session: SessionRecord
  readonly value: A
  private readonly release: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>

  constructor(session: SessionRecord, value: A, release: (exit: Exit.Exit<unknown, unknown>) => Effect.Effect<void>) {
    this.session = session
    this.value = value
    this.release = release
  }

  get awaitRevoked() {
    return Lifecycle.revoked(this.session)
  }

  get close() {
    return Effect.uninterruptible(Effect.suspend(() => this.release(Exit.void)))
  }

  [Symbol.asyncDispose]() {
    return Interop.runPromise(this.close)
  }

  /** Not the value, which may hold what is secret. */
  toJSON(): unknown {
    return { session: this.session }
  }

  [NodeInspectSymbol](): unknown {
    return this.toJSON()
  }
}
