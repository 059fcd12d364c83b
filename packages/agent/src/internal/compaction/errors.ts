/** The errors of compactions. */
import * as ReadableError from "@clawback/core/ReadableError"
import * as Schema from "effect/Schema"

/** What must stay in the history is larger than the budget. Nothing was changed. */
export class ContextTooLarge extends ReadableError.tagged<ContextTooLarge>("@clawback/agent/ContextTooLarge")(
  "ContextTooLarge",
  {
    /** The strategy that found this. */
    by: Schema.String,
    /** The least that it can make of the history. */
    tokens: Schema.Number,
    budget: Schema.Number,
    counter: Schema.String
  }
) {
  override get message() {
    return `The history cannot be made smaller than ${this.tokens} tokens (${this.counter}), and ${this.by} allows ` +
      `${this.budget}. System messages, pinned ones, the newest turn and unfinished tool calls stay. ` +
      "Raise the budget, clear tool results before this, or begin a new conversation."
  }
}

/** There is no summary. Nothing was changed, and the text of the failure is stored nowhere. */
export class SummaryFailed extends ReadableError.tagged<SummaryFailed>("@clawback/agent/SummaryFailed")(
  "SummaryFailed",
  {
    /**
     * - `model`: the call failed; see `cause`
     * - `timeout`: the model did not answer in time
     * - `refused`: the provider filtered the answer, or the answer has no summary
     * - `empty`: the summary has no text
     * - `cut-short`: the answer ended before the summary did
     * - `tool-call`: the model called a tool instead. The tool was not run
     * - `too-long`: with the summary, the history would be larger than the budget, or no smaller than before
     */
    reason: Schema.Literals(["model", "timeout", "refused", "empty", "cut-short", "tool-call", "too-long"]),
    cause: Schema.optional(Schema.Defect())
  }
) {
  override get message() {
    return `The conversation was not summarised (${this.reason}), and stays as it is. Try again later, or use another ` +
      "strategy in its place: `Compaction.orElse`."
  }
}
