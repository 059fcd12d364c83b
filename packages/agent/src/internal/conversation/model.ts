/** What a conversation offers. */
import type { LeaseLost } from "@clawback/core/Lease"
import type * as Prompt from "effect/ai/Prompt"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { Item } from "../compaction/model.ts"
import type { Conflict, OperationMismatch, StaleFence, StoreUnavailable, TooLarge } from "../store/errors.ts"
import type { Cursor } from "../store/model.ts"
import type { CompactionFailed, NotStorable, ToolCallState, Unreadable } from "./errors.ts"
import type { CallState } from "./machine.ts"

/** Makes a history smaller. None: it is small enough. */
export interface Compactor<out E = unknown, out R = never> {
  readonly compact: (history: ReadonlyArray<Item>) => Effect.Effect<Option.Option<Smaller>, E, R>
}

/** A smaller history, and how it was made. */
export interface Smaller {
  readonly items: ReadonlyArray<Item>
  readonly steps: ReadonlyArray<unknown>
}

/** Why a conversation cannot be read. */
export type ReadError = StoreUnavailable | Unreadable | Conflict

/** Why a change was not made, or may not have been made. */
export type ChangeError = ReadError | StaleFence | TooLarge | NotStorable | LeaseLost

/** A message, several, or a text of the user. */
export type Input = Prompt.Message | Prompt.MessageEncoded | Prompt.RawInput

/** A tool call of the history, and how far it has come. */
export interface ToolCall {
  readonly part: Prompt.ToolCallPart
  readonly state: CallState
  /** The id of its approval, if one was requested. */
  readonly approvalId: string | undefined
}

/** What a reader sees of a conversation. */
export interface Reading {
  /** As a provider accepts it. Empty if there is no such conversation. */
  readonly history: Prompt.Prompt
  /** The tool calls without a result, oldest first. */
  readonly calls: ReadonlyArray<ToolCall>
  /** The end of the log. Both are 0 if there is no such conversation. */
  readonly position: Cursor
}

export interface AppendOptions {
  /**
   * The id of this change, made before its first attempt. A repeated append with the same id and the same messages does
   * nothing. Default: a random one for each append. Give one of your own if you repeat an append that failed.
   */
  readonly operation?: string | undefined
}

/**
 * An open conversation. This process is its only writer until it is closed.
 *
 * Its operations may run at the same time: changes are made one after another.
 */
export interface Conversation {
  readonly id: string
  /** The end of the log. */
  readonly position: Effect.Effect<Cursor, ReadError>
  /**
   * Appends messages. They are durable when this returns, all or none. A lost answer of the store is asked for again, under the
   * same id. If that fails to the end, `StoreUnavailable` says whether the messages may be there.
   */
  readonly append: (
    input: Input,
    options?: AppendOptions
  ) => Effect.Effect<Cursor, ChangeError | OperationMismatch>
  /**
   * The history as a provider accepts it: each tool call has its result right behind it. A call without one has an error result
   * that says why.
   */
  readonly history: Effect.Effect<Prompt.Prompt, ReadError>
  /**
   * The history, with messages behind it, for a request to a model. It is compacted first if the compaction of the layer says
   * so. The messages are not appended: append them with the answer, or before, without giving them here.
   */
  readonly prompt: (input?: Input) => Effect.Effect<Prompt.Prompt, ChangeError | CompactionFailed>
  /** The tool calls of the history that have no result, oldest first. */
  readonly calls: Effect.Effect<ReadonlyArray<ToolCall>, ReadError>
  /**
   * Runs the handler of a tool call: records durably that it starts, runs it, and appends its result. At most once for each call,
   * never exactly once: if the process ends while it runs, its outcome is unknown. An error of the handler becomes a failed
   * result for the model. Fails with `ToolCallState` if the call was started before, has its result, or is not approved.
   */
  readonly runTool: <A, E, R>(
    callId: string,
    handler: (call: Prompt.ToolCallPart) => Effect.Effect<A, E, R>
  ) => Effect.Effect<Prompt.ToolResultPart, ChangeError | ToolCallState, R>
  /** Allows a call that awaits approval. Run it then, now or later. */
  readonly approve: (callId: string) => Effect.Effect<void, ChangeError | ToolCallState>
  /** Refuses a call that awaits approval. The model gets the refusal as its result. */
  readonly deny: (callId: string, reason?: string) => Effect.Effect<void, ChangeError | ToolCallState>
  /** Forgets all messages so far. A compaction that runs meanwhile is thrown away. */
  readonly clear: Effect.Effect<void, ChangeError>
  /** Compacts the history if the compaction of the layer says so, and returns whether it did. */
  readonly compact: Effect.Effect<boolean, ChangeError | CompactionFailed>
}
