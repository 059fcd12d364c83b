import * as AiError from "effect/ai/AiError"
import type * as Response from "effect/ai/Response"
import type { ChatEvent, Finished, Used } from "../../ChatEvent.ts"
import type { Extras } from "../../ChatRequest.ts"
import * as From from "../json/json.ts"
import { metadataOf } from "./promptOptions.ts"

interface OpenCall {
  readonly id: string
  readonly name: string
  readonly extras: Extras | undefined
  arguments: string
}

const usageOf = (used: Used | undefined): typeof Response.Usage.Encoded => {
  const { cacheWriteTokens, cachedInputTokens, inputTokens, outputTokens, reasoningTokens } = used ?? {}
  return {
    inputTokens: {
      total: inputTokens,
      cacheRead: cachedInputTokens,
      uncached: inputTokens === undefined
        ? undefined
        : Math.max(0, inputTokens - (cachedInputTokens ?? 0) - (cacheWriteTokens ?? 0)),
      cacheWrite: cacheWriteTokens
    },
    outputTokens: {
      total: outputTokens,
      reasoning: reasoningTokens,
      text: outputTokens === undefined ? undefined : outputTokens - (reasoningTokens ?? 0)
    }
  }
}

/** The model calls a tool with what is not JSON. */
const invalidArguments = ({ name, arguments: text }: OpenCall) =>
  new AiError.InvalidOutputError({
    description: `The model called the tool ${name} with arguments that are not JSON: ${JSON.stringify(text)}`
  })

/**
 * Turns events into the parts of Effect's `Response`, one answer's worth.
 *
 * Text, reasoning and each tool call are runs with a start, deltas and an end; the finish comes last, with the usage,
 * which providers send after it. Of several answers there is the first: Effect has no word for others.
 */
export class PartsBuilder {
  failure: AiError.InvalidOutputError | undefined
  private run: { readonly type: "text" | "reasoning"; readonly id: string } | undefined
  private runs = 0
  private readonly calls = new Map<number, OpenCall>()
  private finished: Finished | undefined
  private used: Used | undefined
  private readonly readParameters: (name: string, params: unknown) => unknown

  /** `readParameters` makes what the model wrote for a tool what that tool takes. */
  constructor(readParameters: (name: string, params: unknown) => unknown) {
    this.readParameters = readParameters
  }

  push(events: ReadonlyArray<ChatEvent>): Array<Response.StreamPartEncoded> {
    const parts: Array<Response.StreamPartEncoded> = []
    for (const event of events) this.onEvent(event, parts)
    return parts
  }

  end(): Array<Response.StreamPartEncoded> {
    const parts: Array<Response.StreamPartEncoded> = []
    this.closeRun(parts)
    if (this.failure === undefined && this.finished !== undefined) {
      parts.push({ type: "finish", reason: this.finished.reason, usage: usageOf(this.used) })
    }
    return parts
  }

  private onEvent(event: ChatEvent, parts: Array<Response.StreamPartEncoded>) {
    if ("choice" in event && event.choice !== undefined && event.choice !== 0) return
    switch (event._tag) {
      case "Started":
        parts.push({ type: "response-metadata", id: event.id, modelId: event.model })
        break
      case "TextDelta":
      case "RefusalDelta":
        parts.push({ type: "text-delta", id: this.openRun("text", parts), delta: event.text })
        break
      case "ReasoningDelta":
        parts.push({
          type: "reasoning-delta",
          id: this.openRun("reasoning", parts),
          delta: event.text,
          ...metadataOf(event)
        })
        break
      case "ReasoningSigned":
        this.openRun("reasoning", parts)
        this.closeRun(parts, metadataOf(event))
        break
      case "ToolCallStarted":
        this.closeRun(parts)
        this.calls.set(event.index, { id: event.id, name: event.name, extras: event.extras, arguments: "" })
        parts.push({ type: "tool-params-start", id: event.id, name: event.name })
        break
      case "ToolCallDelta": {
        const call = this.calls.get(event.index)
        if (call === undefined) break
        call.arguments += event.arguments
        parts.push({ type: "tool-params-delta", id: call.id, delta: event.arguments })
        break
      }
      case "Finished":
        this.closeRun(parts)
        this.closeCalls(parts)
        this.finished = event
        break
      case "Used":
        this.used = event
        break
    }
  }

  private openRun(type: "text" | "reasoning", parts: Array<Response.StreamPartEncoded>): string {
    if (this.run?.type === type) return this.run.id
    this.closeRun(parts)
    this.run = { type, id: String(this.runs++) }
    parts.push({ type: `${type}-start`, id: this.run.id })
    return this.run.id
  }

  private closeRun(parts: Array<Response.StreamPartEncoded>, metadata: ReturnType<typeof metadataOf> = {}) {
    if (this.run === undefined) return
    parts.push({ type: `${this.run.type}-end`, id: this.run.id, ...metadata })
    this.run = undefined
  }

  private closeCalls(parts: Array<Response.StreamPartEncoded>) {
    for (const call of this.calls.values()) {
      parts.push({ type: "tool-params-end", id: call.id })
      const params = call.arguments === "" ? {} : From.parse(call.arguments)
      if (params === undefined) this.failure ??= invalidArguments(call)
      else {
        parts.push({
          type: "tool-call",
          id: call.id,
          name: call.name,
          params: this.readParameters(call.name, params),
          ...metadataOf(call)
        })
      }
    }
    this.calls.clear()
  }
}

/** The parts of a whole answer: runs of text and reasoning in one piece each, tool calls without their making. */
export const wholeParts = (streamed: ReadonlyArray<Response.StreamPartEncoded>): Array<Response.PartEncoded> => {
  const parts: Array<Response.PartEncoded> = []
  let text = ""
  let metadata: Response.ProviderMetadata = {}
  for (const part of streamed) {
    switch (part.type) {
      case "text-start":
      case "reasoning-start":
        text = ""
        metadata = {}
        break
      case "text-delta":
      case "reasoning-delta":
        text += part.delta
        metadata = { ...metadata, ...part.metadata }
        break
      case "text-end":
        parts.push({ type: "text", text })
        break
      case "reasoning-end":
        parts.push({ type: "reasoning", text, metadata: { ...metadata, ...part.metadata } })
        break
      case "response-metadata":
      case "tool-call":
      case "finish":
        parts.push(part)
        break
    }
  }
  return parts
}
