/** The parts of an answer in one piece. */
import type * as AiError from "effect/ai/AiError"
import type * as Response from "effect/ai/Response"
import * as Result from "effect/Result"
import type { AssistantPart, ReasoningPart, ToolCallPart } from "../../ChatRequest.ts"
import type { ChatResponse } from "../../ChatResponse.ts"
import * as Part from "./parts.ts"
import { metadataOf } from "./promptOptions.ts"
import { parseArguments } from "./toolArguments.ts"
import type { ReadParameters } from "./toolParameters.ts"

/** Joins neighbours of one kind to one part, as a stream of the same answer would. Tool calls come after all other parts. */
class Content {
  readonly parts: Array<Response.PartEncoded>
  readonly calls: Array<ToolCallPart> = []
  private run: "text" | "reasoning" | undefined
  private text = ""
  private metadata: Response.ProviderMetadata | undefined

  constructor(first: Response.PartEncoded) {
    this.parts = [first]
  }

  push(part: AssistantPart): void {
    switch (part.type) {
      case "text":
      case "refusal":
        if (part.text !== "") this.append("text", part.text)
        break
      case "reasoning":
        this.pushReasoning(part)
        break
      case "tool-call":
        this.close()
        this.calls.push(part)
        break
      case "native":
        break
    }
  }

  close(): void {
    if (this.run === "text") this.parts.push(Part.text(this.text))
    else if (this.run === "reasoning") this.parts.push(Part.reasoning(this.text, this.metadata))
    this.run = undefined
    this.text = ""
    this.metadata = undefined
  }

  /** A signature ends a run: it is for all of the reasoning before it. Extras without text are left out. */
  private pushReasoning({ details, extras, redacted, signature, text }: ReasoningPart): void {
    if (text !== "") {
      this.append("reasoning", text)
      this.annotate(extras)
    }
    if (redacted === undefined && signature === undefined && details === undefined) return
    this.append("reasoning", "")
    this.annotate(metadataOf({ redacted, signature, details }))
    this.close()
  }

  private append(run: "text" | "reasoning", text: string): void {
    if (this.run !== run) this.close()
    this.run = run
    this.text += text
  }

  private annotate(metadata: Response.ProviderMetadata | undefined): void {
    if (metadata !== undefined) this.metadata = { ...this.metadata, ...metadata }
  }
}

/** If there are several answers, only the first has parts: Effect's parts have no place for others. */
export const wholeParts = (
  { choices: [{ content, finish }], dropped, id, model, usage }: ChatResponse,
  readParameters: ReadParameters
): Result.Result<Array<Response.PartEncoded>, AiError.InvalidOutputError> => {
  const answer = new Content(Part.responseMetadata(id, model, dropped))
  for (const part of content) answer.push(part)
  answer.close()
  const { calls, parts } = answer
  for (const call of calls) {
    const { arguments: text, id, name } = call
    const params = parseArguments(name, text)
    if (Result.isFailure(params)) return Result.fail(params.failure)
    parts.push(Part.toolCall(id, name, readParameters(name, params.success), metadataOf(call)))
  }
  parts.push(Part.finish(finish.reason, usage))
  return Result.succeed(parts)
}
