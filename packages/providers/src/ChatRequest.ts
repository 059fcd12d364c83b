/**
 * A request to a chat model, in the terms that all providers share.
 *
 * Codecs turn it into a provider's own format. What a provider knows and this model does not goes into `extras`, which
 * is sent as it stands.
 */

/** Any JSON value. */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

/** Instructions that stand above the conversation. */
export interface SystemMessage {
  readonly role: "system"
  readonly content: string
}

export interface UserMessage {
  readonly role: "user"
  readonly content: string
}

/** A call that the model made. `arguments` is the JSON text as the model wrote it, which need not be valid. */
export interface ToolCall {
  readonly id: string
  readonly name: string
  readonly arguments: string
}

/** An earlier answer of the model: text, tool calls, or both. */
export interface AssistantMessage {
  readonly role: "assistant"
  readonly content?: string | undefined
  readonly toolCalls?: ReadonlyArray<ToolCall> | undefined
}

/** What a tool call came to. */
export interface ToolMessage {
  readonly role: "tool"
  readonly toolCallId: string
  readonly content: string
}

export type Message = SystemMessage | UserMessage | AssistantMessage | ToolMessage

/** A tool that the model may call. */
export interface Tool {
  readonly name: string
  readonly description?: string | undefined
  /** JSON Schema of the arguments. */
  readonly parameters: object
  /** Whether the provider must hold the model to the schema. Default: the provider's own. */
  readonly strict?: boolean | undefined
}

export type ToolChoice = "auto" | "none" | "required" | { readonly tool: string }

/** The answer must be JSON of this schema. */
export interface JsonFormat {
  readonly name: string
  readonly schema: object
}

/** How the model samples and when it stops. What is left out is the provider's default. */
export interface Parameters {
  /** Upper bound of the answer, in tokens, reasoning included. Too low, and answers end with the reason `length`. */
  readonly maxOutputTokens?: number | undefined
  /** From 0 to 2: the higher, the more varied. */
  readonly temperature?: number | undefined
  /** Sample among the likeliest tokens that make up this share of probability, from 0 to 1. */
  readonly topP?: number | undefined
  /** Texts at which the answer ends. */
  readonly stop?: ReadonlyArray<string> | undefined
  /** Same seed, same request: likely the same answer. */
  readonly seed?: number | undefined
  /** Whether the model may make several tool calls in one answer. */
  readonly parallelToolCalls?: boolean | undefined
  /** Sent to the provider as they stand, under their own names. */
  readonly extras?: { readonly [key: string]: Json } | undefined
}

export interface ChatRequest extends Parameters {
  readonly model: string
  readonly messages: ReadonlyArray<Message>
  readonly tools?: ReadonlyArray<Tool> | undefined
  readonly toolChoice?: ToolChoice | undefined
  readonly format?: JsonFormat | undefined
}
