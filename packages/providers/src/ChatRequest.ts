/**
 * A request to a chat model, in one form for all providers.
 *
 * Protocols encode it in a provider's own format, and decode it. Fields that only one protocol has are in `extras`, under that
 * protocol's name, and go only to its providers. So one request can be sent to several providers. What becomes of a field that
 * a provider's protocol lacks is stated field by field: it is converted, dropped and reported, or refused
 * (`docs/across-protocols.md`).
 *
 * @stable
 */

import type { Json, JsonObject } from "./Json.ts"

/** Fields of single protocols, by the protocol's name (`Protocol.name`). They are sent unchanged. */
export interface Extras {
  readonly [protocol: string]: JsonObject
}

export interface TextPart {
  readonly type: "text"
  readonly text: string
  readonly extras?: Extras | undefined
}

/** The bytes of an image, a document or a sound: base64 here, a URL, or a file at the provider. */
export type Source =
  | { readonly mediaType: string; readonly data: string }
  | { readonly url: string }
  | {
    readonly fileId: string
    /** The protocol of the provider that has the file, which others do not have. Default: any. */
    readonly protocol?: string | undefined
  }

export interface ImagePart {
  readonly type: "image"
  readonly source: Source
  /** The resolution, in the provider's own word. A higher one costs more tokens. */
  readonly detail?: string | undefined
  readonly extras?: Extras | undefined
}

/** A document, a sound, or any other input that is neither text nor image. */
export interface FilePart {
  readonly type: "file"
  readonly source: Source
  readonly name?: string | undefined
  readonly extras?: Extras | undefined
}

/** A part that only one protocol has. */
export interface NativePart {
  readonly type: "native"
  readonly protocol: string
  readonly value: JsonObject
  /** What servers of other protocols get instead. Default: nothing, and the request fails with `Unsupported`. */
  readonly instead?: ReadonlyArray<TextPart> | undefined
}

/**
 * The model's thinking before its answer. A provider that signs thinking requires it back, unchanged and in place, while the
 * history has the same answer's tool calls.
 */
export interface ReasoningPart {
  readonly type: "reasoning"
  readonly text: string
  readonly signature?: string | undefined
  /** The thinking in a form that only the provider can read, if the provider does not show it. */
  readonly redacted?: string | undefined
  /** The thinking as `reasoning_details` of OpenAI's protocol, which some servers need back. No other protocol sends them. */
  readonly details?: ReadonlyArray<JsonObject> | undefined
  readonly extras?: Extras | undefined
}

/** The model declined, in its own words. */
export interface RefusalPart {
  readonly type: "refusal"
  readonly text: string
}

/** A tool call of the model. `arguments` is the JSON text that the model wrote. It may be invalid. */
export interface ToolCallPart {
  readonly type: "tool-call"
  readonly id: string
  readonly name: string
  readonly arguments: string
  readonly extras?: Extras | undefined
}

export type SystemPart = TextPart | NativePart
export type UserPart = TextPart | ImagePart | FilePart | NativePart
export type AssistantPart = TextPart | ReasoningPart | RefusalPart | ToolCallPart | NativePart
export type ToolResultPart = TextPart | ImagePart | FilePart | NativePart

/** Instructions that stand above the conversation. */
export interface SystemMessage {
  readonly role: "system"
  readonly content: string | ReadonlyArray<SystemPart>
  readonly extras?: Extras | undefined
}

export interface UserMessage {
  readonly role: "user"
  readonly content: string | ReadonlyArray<UserPart>
  readonly extras?: Extras | undefined
}

/** An earlier answer of the model. */
export interface AssistantMessage {
  readonly role: "assistant"
  readonly content: string | ReadonlyArray<AssistantPart>
  readonly extras?: Extras | undefined
}

/** The result of a tool call. */
export interface ToolMessage {
  readonly role: "tool"
  readonly toolCallId: string
  readonly content: string | ReadonlyArray<ToolResultPart>
  /** Whether the tool failed. Some protocols have no such field, and send only the content. */
  readonly isError?: boolean | undefined
  readonly extras?: Extras | undefined
}

export type Message = SystemMessage | UserMessage | AssistantMessage | ToolMessage

/** A tool that the caller runs and the model may call. */
export interface FunctionTool {
  readonly name: string
  readonly description?: string | undefined
  /** JSON Schema of the arguments. */
  readonly parameters: JsonObject
  /** Whether the provider must enforce the schema. Default: the provider's own. */
  readonly strict?: boolean | undefined
  readonly extras?: Extras | undefined
}

/** A tool that only one protocol has, such as a search that the provider runs. */
export interface NativeTool {
  readonly protocol: string
  readonly definition: JsonObject
}

export type Tool = FunctionTool | NativeTool

export type ToolChoice = "auto" | "none" | "required" | { readonly tool: string }

/** The answer must be JSON, of any shape or of a schema. */
export type Format =
  | { readonly type: "json" }
  | {
    readonly type: "json-schema"
    readonly name: string
    readonly description?: string | undefined
    readonly schema: JsonObject
    readonly strict?: boolean | undefined
  }

/** How much the model thinks before it answers. Each protocol supports one field and converts the other to it. */
export interface Reasoning {
  /** In the provider's own words: `"low"`, `"medium"`, `"high"`, … */
  readonly effort?: string | undefined
  /** Upper bound of the thinking, in tokens. Zero: none. */
  readonly budgetTokens?: number | undefined
}

/** How the model samples, and when it stops. Default of each field: the provider's. */
export interface Parameters {
  /** Upper bound of the answer, in tokens, reasoning included. Too low, and answers end with the reason `length`. */
  readonly maxOutputTokens?: number | undefined
  /** From 0 to 2 (some providers: 1): the higher, the more varied. */
  readonly temperature?: number | undefined
  /** Sample among the likeliest tokens that make up this share of probability, from 0 to 1. */
  readonly topP?: number | undefined
  /** Sample among this number of the likeliest tokens. */
  readonly topK?: number | undefined
  /** From -2 to 2: the higher, the more the model changes topics. */
  readonly presencePenalty?: number | undefined
  /** From -2 to 2: the higher, the less the model repeats itself. */
  readonly frequencyPenalty?: number | undefined
  /** The answer ends before any of these texts. */
  readonly stop?: ReadonlyArray<string> | undefined
  /** Same seed, same request: likely the same answer. */
  readonly seed?: number | undefined
  /** How many answers to give. Each is paid for. Default: one. */
  readonly choices?: number | undefined
  readonly reasoning?: Reasoning | undefined
  /** Whether the model may make several tool calls in one answer. */
  readonly parallelToolCalls?: boolean | undefined
  /** The provider's queue or price class, in its own word. */
  readonly serviceTier?: string | undefined
  /** A stable pseudonym of the end user, with which the provider detects abuse. Not a name, not an address. */
  readonly user?: string | undefined
  readonly extras?: Extras | undefined
}

export interface ChatRequest extends Parameters {
  readonly model: string
  readonly messages: ReadonlyArray<Message>
  readonly tools?: ReadonlyArray<Tool> | undefined
  readonly toolChoice?: ToolChoice | undefined
  readonly format?: Format | undefined
}

export type { Json, JsonObject }
