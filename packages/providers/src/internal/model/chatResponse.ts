import type { FinishReason, Used } from "../../ChatEvent.ts"
import type { AssistantPart, Extras } from "../../ChatRequest.ts"

/** One answer. There are several only where several were asked for. */
export interface Choice {
  readonly content: ReadonlyArray<AssistantPart>
  readonly finish: {
    readonly reason: FinishReason
    /** The provider's own word for it. */
    readonly raw: string
    readonly stopSequence?: string | undefined
    readonly extras?: Extras | undefined
  }
}

export interface ChatResponse {
  readonly id: string | undefined
  readonly model: string | undefined
  readonly choices: readonly [Choice, ...ReadonlyArray<Choice>]
  /** Undefined where the provider counted nothing. */
  readonly usage: Omit<Used, "_tag"> | undefined
  readonly extras?: Extras | undefined
}
