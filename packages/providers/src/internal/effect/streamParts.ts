/** The parts of a streamed answer. */
import type * as AiError from "effect/ai/AiError"
import type * as Response from "effect/ai/Response"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import type { ChatEvent, Finished, ToolCallDelta, ToolCallStarted, Used } from "../../ChatEvent.ts"
import type { Extras } from "../../ChatRequest.ts"
import type { CallError } from "../../ProviderError.ts"
import * as Part from "./parts.ts"
import { metadataOf } from "./promptOptions.ts"
import { parseArguments } from "./toolArguments.ts"
import type { ReadParameters } from "./toolParameters.ts"

interface OpenCall {
  readonly id: string
  readonly name: string
  readonly extras: Extras | undefined
  arguments: string
}

type Parts = Array<Response.StreamPartEncoded>

/**
 * Builds the parts of one answer out of its events.
 *
 * Text, reasoning and each tool call are runs: a start, deltas, an end. The finish part comes last, because providers send
 * the usage after the finish. If there are several answers, only the first has parts: Effect's parts have no place for others.
 */
export class PartsBuilder {
  failure: AiError.InvalidOutputError | undefined
  private run: "text" | "reasoning" | undefined
  private runId = ""
  private runs = 0
  private readonly calls = new Map<number, OpenCall>()
  private finished: Finished | undefined
  private used: Used | undefined
  private readonly readParameters: ReadParameters

  constructor(readParameters: ReadParameters) {
    this.readParameters = readParameters
  }

  push(events: ReadonlyArray<ChatEvent>): Parts {
    const parts: Parts = []
    for (const event of events) this.onEvent(event, parts)
    return parts
  }

  /** Builds what is left after the last event. */
  end(): Parts {
    const parts: Parts = []
    this.closeRun(parts, undefined)
    if (this.failure === undefined && this.finished !== undefined) {
      parts.push(Part.finish(this.finished.reason, this.used))
    }
    return parts
  }

  private onEvent(event: ChatEvent, parts: Parts): void {
    switch (event._tag) {
      case "Started":
        parts.push(Part.responseMetadata(event.id, event.model, event.dropped))
        break
      case "Used":
        this.used = event
        break
      default:
        if (event.choice === undefined || event.choice === 0) this.onOutput(event, parts)
    }
  }

  private onOutput(event: Exclude<ChatEvent, { readonly _tag: "Started" | "Used" }>, parts: Parts): void {
    switch (event._tag) {
      case "TextDelta":
      case "RefusalDelta":
        this.openText(parts)
        parts.push(Part.textDelta(this.runId, event.text))
        break
      case "ReasoningDelta":
        this.openReasoning(parts)
        parts.push(Part.reasoningDelta(this.runId, event.text, metadataOf(event)))
        break
      case "ReasoningSigned":
        this.openReasoning(parts)
        this.closeRun(parts, metadataOf(event))
        break
      case "ToolCallStarted":
        this.openCall(event, parts)
        break
      case "ToolCallDelta":
        this.continueCall(event, parts)
        break
      case "Native":
        break
      case "Finished":
        this.closeRun(parts, undefined)
        this.closeCalls(parts)
        this.finished = event
        break
    }
  }

  private openText(parts: Parts): void {
    if (this.run === "text") return
    this.beginRun("text", parts)
    parts.push(Part.textStart(this.runId))
  }

  private openReasoning(parts: Parts): void {
    if (this.run === "reasoning") return
    this.beginRun("reasoning", parts)
    parts.push(Part.reasoningStart(this.runId))
  }

  private beginRun(run: "text" | "reasoning", parts: Parts): void {
    this.closeRun(parts, undefined)
    this.run = run
    this.runId = String(this.runs++)
  }

  /** The metadata is for the end of a reasoning run. */
  private closeRun(parts: Parts, metadata: Response.ProviderMetadata | undefined): void {
    if (this.run === "text") parts.push(Part.textEnd(this.runId))
    else if (this.run === "reasoning") parts.push(Part.reasoningEnd(this.runId, metadata))
    this.run = undefined
  }

  private openCall({ extras, id, index, name }: ToolCallStarted, parts: Parts): void {
    this.closeRun(parts, undefined)
    this.calls.set(index, { id, name, extras, arguments: "" })
    parts.push(Part.toolParamsStart(id, name))
  }

  private continueCall({ arguments: text, index }: ToolCallDelta, parts: Parts): void {
    const call = this.calls.get(index)
    if (call === undefined) return
    call.arguments += text
    parts.push(Part.toolParamsDelta(call.id, text))
  }

  private closeCalls(parts: Parts): void {
    for (const call of this.calls.values()) {
      const { arguments: text, id, name } = call
      parts.push(Part.toolParamsEnd(id))
      const params = parseArguments(name, text)
      if (Result.isFailure(params)) this.failure ??= params.failure
      else parts.push(Part.toolCall(id, name, this.readParameters(name, params.success), metadataOf(call)))
    }
    this.calls.clear()
  }
}

type NonEmpty<A> = readonly [A, ...Array<A>]

const isNonEmpty = <A>(values: ReadonlyArray<A>): values is NonEmpty<A> => values.length > 0

/** How the errors of a call become Effect's. */
export interface Errors {
  readonly failed: (error: CallError) => AiError.AiError
  readonly invalid: (reason: AiError.AiErrorReason) => AiError.AiError
}

/** Pulls the parts of one answer. After the last event, it pulls what the builder has left. */
export const pullParts = (
  events: Pull.Pull<ReadonlyArray<ChatEvent>, CallError>,
  builder: PartsBuilder,
  { failed, invalid }: Errors
): Pull.Pull<NonEmpty<Response.StreamPartEncoded>, AiError.AiError> => {
  type Pulled = Pull.Pull<NonEmpty<Response.StreamPartEncoded>, AiError.AiError>
  let isEnded = false
  const emit = (parts: Parts): Pulled => isNonEmpty(parts) ? Effect.succeed(parts) : pull
  const more: Pulled = Effect.matchEffect(events, {
    onSuccess: (some) => emit(builder.push(some)),
    onFailure: (error) => {
      if (!Cause.isDone(error)) return Effect.fail(failed(error))
      isEnded = true
      return emit(builder.end())
    }
  })
  const pull: Pulled = Effect.suspend(() => {
    if (!isEnded) return more
    return builder.failure === undefined ? Cause.done() : Effect.fail(invalid(builder.failure))
  })
  return pull
}
