/** The hooks of a model whose parts are all encoded, so that Effect's schema decodes them: the oracle of the direct path. */
import { type ChatEvent, type ChatRequest, ChatResponse } from "@clawback/providers"
import { Cause, Effect, Pull, Result, Stream } from "effect"
import { AiError, type LanguageModel, type Response } from "effect/ai"
import type { Chat } from "../../../packages/providers/src/internal/call/chat.ts"
import { toAiError } from "../../../packages/providers/src/internal/effect/aiError.ts"
import { type Settings, toChatRequest } from "../../../packages/providers/src/internal/effect/chatRequest.ts"
import type { Hooks } from "../../../packages/providers/src/internal/effect/hooks.ts"
import { ToolParameters } from "../../../packages/providers/src/internal/effect/toolParameters.ts"

interface OpenCall {
  readonly id: string
  readonly name: string
  readonly extras: ChatRequest.Extras | undefined
  arguments: string
}

const usageOf = (used: ChatEvent.Used | undefined): typeof Response.Usage.Encoded => {
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

const metadataOf = ({ extras, redacted, signature }: {
  readonly extras?: ChatRequest.Extras | undefined
  readonly redacted?: string | undefined
  readonly signature?: string | undefined
}): { readonly metadata?: Response.ProviderMetadata } => {
  const signed = { ...(redacted !== undefined && { redacted }), ...(signature !== undefined && { signature }) }
  if (extras === undefined && Object.keys(signed).length === 0) return {}
  return { metadata: { ...extras, ...(Object.keys(signed).length > 0 && { clawback: signed }) } }
}

const parse = (text: string): unknown => {
  try {
    return text === "" || text === "null" ? {} : JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Turns the events of one answer into encoded stream parts. */
class Encoder {
  failure: AiError.InvalidOutputError | undefined
  private readonly parts: Array<Response.StreamPartEncoded> = []
  private run: { readonly type: "text" | "reasoning"; readonly id: string } | undefined
  private runs = 0
  private readonly calls = new Map<number, OpenCall>()
  private finished: ChatEvent.Finished | undefined
  private used: ChatEvent.Used | undefined

  push(events: ReadonlyArray<ChatEvent.ChatEvent>): Array<Response.StreamPartEncoded> {
    for (const event of events) this.onEvent(event)
    return this.parts.splice(0)
  }

  end(): Array<Response.StreamPartEncoded> {
    this.closeRun()
    if (this.failure === undefined && this.finished !== undefined) {
      this.parts.push({ type: "finish", reason: this.finished.reason, usage: usageOf(this.used) })
    }
    return this.parts.splice(0)
  }

  private onEvent(event: ChatEvent.ChatEvent): void {
    if ("choice" in event && event.choice !== undefined && event.choice !== 0) return
    if (event._tag === "Started") {
      this.parts.push({ type: "response-metadata", id: event.id, modelId: event.model })
    } else if (event._tag === "TextDelta" || event._tag === "RefusalDelta") {
      this.parts.push({ type: "text-delta", id: this.openRun("text"), delta: event.text })
    } else if (event._tag === "ReasoningDelta") {
      const id = this.openRun("reasoning")
      this.parts.push({ type: "reasoning-delta", id, delta: event.text, ...metadataOf(event) })
    } else if (event._tag === "ReasoningSigned") {
      this.openRun("reasoning")
      this.closeRun(metadataOf(event))
    } else if (event._tag === "ToolCallStarted") {
      this.closeRun()
      this.calls.set(event.index, { id: event.id, name: event.name, extras: event.extras, arguments: "" })
      this.parts.push({ type: "tool-params-start", id: event.id, name: event.name })
    } else if (event._tag === "ToolCallDelta") {
      const call = this.calls.get(event.index)
      if (call === undefined) return
      call.arguments += event.arguments
      this.parts.push({ type: "tool-params-delta", id: call.id, delta: event.arguments })
    } else if (event._tag === "Finished") {
      this.closeRun()
      this.closeCalls()
      this.finished = event
    } else if (event._tag === "Used") this.used = event
  }

  private openRun(type: "text" | "reasoning"): string {
    if (this.run?.type === type) return this.run.id
    this.closeRun()
    this.run = { type, id: String(this.runs++) }
    this.parts.push({ type: `${type}-start`, id: this.run.id })
    return this.run.id
  }

  private closeRun(metadata: ReturnType<typeof metadataOf> = {}): void {
    if (this.run !== undefined) this.parts.push({ type: `${this.run.type}-end`, id: this.run.id, ...metadata })
    this.run = undefined
  }

  private closeCalls(): void {
    for (const call of this.calls.values()) {
      this.parts.push({ type: "tool-params-end", id: call.id })
      const params = parse(call.arguments)
      if (params !== undefined) {
        this.parts.push({ type: "tool-call", id: call.id, name: call.name, params, ...metadataOf(call) })
        continue
      }
      const text = JSON.stringify(call.arguments)
      this.failure ??= new AiError.InvalidOutputError({
        description: `The model called the tool ${call.name} with arguments that are not JSON: ${text}`
      })
    }
    this.calls.clear()
  }
}

/** Joins the stream parts of an answer to the parts of an answer in one piece. */
const joined = (streamed: ReadonlyArray<Response.StreamPartEncoded>): Array<Response.PartEncoded> => {
  const parts: Array<Response.PartEncoded> = []
  let text = ""
  let metadata: Response.ProviderMetadata = {}
  for (const part of streamed) {
    if (part.type === "text-start" || part.type === "reasoning-start") {
      text = ""
      metadata = {}
    } else if (part.type === "text-delta" || part.type === "reasoning-delta") {
      text += part.delta
      metadata = { ...metadata, ...part.metadata }
    } else if (part.type === "text-end") parts.push({ type: "text", text })
    else if (part.type === "reasoning-end") {
      parts.push({ type: "reasoning", text, metadata: { ...metadata, ...part.metadata } })
    } else if (part.type === "response-metadata" || part.type === "tool-call" || part.type === "finish") {
      parts.push(part)
    }
  }
  return parts
}

const invalid = (method: string) => (reason: AiError.AiErrorReason) =>
  AiError.make({ module: "Clawback", method, reason })

type Parts = readonly [Response.StreamPartEncoded, ...Array<Response.StreamPartEncoded>]

const pullEncoded = (
  events: Pull.Pull<ReadonlyArray<ChatEvent.ChatEvent>, AiError.AiError>,
  encoder: Encoder
): Pull.Pull<Parts, AiError.AiError> => {
  let isEnded = false
  const more = Pull.catchDone(Effect.map(events, (some) => encoder.push(some)), () =>
    Effect.sync(() => {
      isEnded = true
      return encoder.end()
    }))
  const pull: Pull.Pull<Parts, AiError.AiError> = Effect.suspend(() => {
    if (isEnded) {
      return encoder.failure === undefined
        ? Cause.done()
        : Effect.fail(invalid("streamText")(encoder.failure))
    }
    return Effect.flatMap(more, ([first, ...rest]) => first === undefined ? pull : Effect.succeed([first, ...rest]))
  })
  return pull
}

export const encodedHooks = (chat: Chat, settings: Settings): Hooks => {
  const requestOf = (options: LanguageModel.ProviderOptions) =>
    toChatRequest(settings, new ToolParameters(settings.transformer), options)
  return {
    generateText: (options) =>
      Effect.gen(function*() {
        const request = yield* Effect.mapError(Effect.fromResult(requestOf(options)), invalid("generateText"))
        const response = yield* Effect.mapError(
          chat.generate(request, options.span),
          (error) => toAiError(error, "generateText", chat.addresses.generate)
        )
        const encoder = new Encoder()
        const parts = [...encoder.push(ChatResponse.toEvents(response)), ...encoder.end()]
        return encoder.failure === undefined ? joined(parts) : yield* invalid("generateText")(encoder.failure)
      }),
    streamText: (options) => {
      const request = requestOf(options)
      if (Result.isFailure(request)) return Stream.fail(invalid("streamText")(request.failure))
      const events = Stream.mapError(
        chat.stream(request.success, options.span),
        (error) => toAiError(error, "streamText", chat.addresses.stream)
      )
      return Stream.transformPull(events, (pull) => Effect.sync(() => pullEncoded(pull, new Encoder())))
    }
  }
}
