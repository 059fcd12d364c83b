import type * as Prompt from "effect/ai/Prompt"

/** A message, with its place in the log. */
export interface Item {
  readonly message: Prompt.Message
  /** Undefined: it stands in no log, as a summary does. */
  readonly position?: number | undefined
}
