import type { FinishReason, Used } from "../../ChatEvent.ts"
import type { AssistantPart, Extras } from "../../ChatRequest.ts"
import type { Dropped } from "./dropped.ts"

/** One answer. A response has several only if the request asked for several. */
export interface Choice {
  readonly content: ReadonlyArray<AssistantPart>
  readonly finish: {
    readonly reason: FinishReason
    /** The provider's own word for the reason. */
    readonly raw: string
    readonly stopSequence?: string | undefined
    readonly extras?: Extras | undefined
  }
}

export interface ChatResponse {
  readonly id: string | undefined
  readonly model: string | undefined
  readonly choices: readonly [Choice, ...ReadonlyArray<Choice>]
  /** Undefined if the provider counted nothing. */
  readonly usage: Omit<Used, "_tag"> | undefined
  readonly extras?: Extras | undefined
  /** The fields of the request that were not sent as they were asked, since the provider's protocol lacks them. */
  readonly dropped?: ReadonlyArray<Dropped> | undefined
}
