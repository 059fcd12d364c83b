/** Intended differences: each a typed error, with its reason. */
import { Deadline, SessionError, Timeouts } from "@clawback/core"
import { ProviderError } from "@clawback/providers"
import { Option } from "effect"
import { AiError } from "effect/ai"
import type { Mode } from "./program.ts"
import { revocation } from "./run.ts"

export interface Declared {
  readonly difference: string
  readonly reason: string
  readonly matches: (error: unknown, mode: Mode) => boolean
  /** Holds only where Effect alone can wait for ever. */
  readonly insteadOfWaiting: boolean
}

/** As it was before Effect's `LanguageModel` had it. */
const original = (error: unknown) =>
  AiError.isAiError(error) ? Option.getOrElse(ProviderError.fromAiError(error), () => error) : error

const isRevoked = (error: unknown, reason: string) => {
  const own = original(error)
  return own instanceof SessionError.SessionRevoked && own.reason === reason
}

const closed = "its scope was closed"

export const revoked: Declared = {
  difference: "SessionRevoked: by an operator",
  reason: "Effect has nobody who could take a session back",
  matches: (error, mode) => mode === "revoke" && isRevoked(error, revocation),
  insteadOfWaiting: false
}

export const declared: ReadonlyArray<Declared> = [
  {
    difference: `SessionRevoked: ${closed}`,
    reason: "Effect goes on with what its scope has given back, or waits for ever; we end it, and say why",
    matches: (error, mode) => mode === "close" && isRevoked(error, closed),
    insteadOfWaiting: false
  },
  revoked,
  {
    difference: "FirstTokenTimeout, IdleTimeout, DeadlineExceeded: an hour has passed",
    reason: "Effect waits for ever",
    matches: (error) =>
      error instanceof Timeouts.FirstTokenTimeout || error instanceof Timeouts.IdleTimeout ||
      error instanceof Deadline.DeadlineExceeded,
    insteadOfWaiting: true
  }
]
