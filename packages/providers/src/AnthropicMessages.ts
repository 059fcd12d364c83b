/**
 * The wire format of Anthropic's Messages, both ways. Some other providers and many gateways speak it too.
 *
 * Pure: each function maps values to values. Sources: Anthropic's API reference for `POST /v1/messages`; its pages on
 * streaming, errors, rate limits, versions, tool use, extended thinking and structured outputs; the types of
 * `@anthropic-ai/sdk` 1.12.0; server-sent events as in the HTML standard, §9.2. Some errors, such as an empty account or a
 * long prompt, have no code. We match the messages that users reported.
 *
 * It sends `anthropic-version: 2023-06-01`. Version `2026-10-21`, which Anthropic's SDK sends since October 2026, rejects
 * `temperature`, `top_p` and `top_k`. Answers of both versions are decoded. Answers to clients have the fields of the newer
 * one.
 *
 * The protocol requires `max_tokens`. Without `maxOutputTokens` it is 4,096, which every model allows. A thinking budget is
 * added; for an effort without a budget, 16,384 are added. If `max_tokens` is too low, answers end with the reason `length`.
 * If it is higher than the model allows, the API rejects the request.
 *
 * A request that is encoded and decoded again is the same, except:
 *
 * - One plain text part becomes a string. Empty texts and empty messages are dropped.
 * - Turns alternate: neighbours of one role are joined, and tool results with the user's parts beside them. Decoding turns
 *   each tool result, and each run of other parts, into its own message.
 * - The first system messages are joined in `system`. Later ones stay in place, which older models and servers may reject. So
 *   do those with something that `system` cannot hold, such as `tool_addition`.
 * - `cache_control` in the extras of a message goes to its last block, since the API has it on blocks alone.
 * - A refusal becomes a text.
 * - Arguments of a call are parsed and written again; no arguments become an empty object. Arguments that are no JSON object
 *   become the field `INVALID_JSON` of an object.
 * - Files of text become documents of plain text. Bytes that are not UTF-8 are replaced.
 * - An id of a tool call that the API does not accept is written in another form. Decoding turns it back.
 * - The effort `none` becomes a budget of 0, and `minimal` becomes `low`. An effort without a budget enables adaptive
 *   thinking. To send only the effort, set `thinking: null` in the extras.
 * - A format is named `answer`. Its strictness is dropped: formats are always strict here.
 * - A tool's schema without a type gets the type `object`. `toolChoice` and `parallelToolCalls` are sent only with tools.
 *   `parallelToolCalls` is sent inside a tool choice (default `auto`). With `none` it is dropped.
 * - `maxOutputTokens` is always set. `choices: 1` and penalties of zero are dropped.
 *
 * Decoding a client's request normalises it: `output_format` becomes `output_config.format`; a tool's type `custom` is
 * dropped, and so is a `caller` that is the model itself; fields that are null are dropped.
 *
 * Fields that this protocol lacks are dropped and reported, or refused with `Unsupported`, as `docs/across-protocols.md` states
 * for each: a seed is dropped, for example, and several choices are refused.
 *
 * A native part is a content block of an unknown type, whole: calls and results of the provider's own tools, and future
 * types. A stream emits it once it is complete. A citation in a stream is a note after its text (`{ type: "citations_delta",
 * citation }`). Citations from a stream are not sent back. Citations from a whole answer are, in their text's extras.
 * `Finished` is emitted when the message stops, since only then is the answer whole.
 *
 * For clients: unknown token counts are zero, since the protocol requires numbers. An answer without an id is `msg_unnamed`.
 * Interleaved tool calls are written one after the other. Only the first of several answers is written. An answer with tool
 * calls stops with `tool_use`, also where its provider finished it with `stop`.
 *
 * @experimental
 */

import { sse } from "./internal/framing/sse.ts"
import { classify } from "./internal/protocols/anthropicMessages/decodeError.ts"
import { decodeRequest } from "./internal/protocols/anthropicMessages/decodeRequest.ts"
import { decodeResponse } from "./internal/protocols/anthropicMessages/decodeResponse.ts"
import { AnthropicMessagesDecoder } from "./internal/protocols/anthropicMessages/decodeStream.ts"
import { encodeError, notFound } from "./internal/protocols/anthropicMessages/encodeError.ts"
import { encodeRequest } from "./internal/protocols/anthropicMessages/encodeRequest.ts"
import { encodeResponse } from "./internal/protocols/anthropicMessages/encodeResponse.ts"
import { AnthropicMessagesEncoder } from "./internal/protocols/anthropicMessages/encodeStream.ts"
import { parameters, protocol as name } from "./internal/protocols/anthropicMessages/extras.ts"
import { encodeLimits, limits } from "./internal/protocols/anthropicMessages/limits.ts"
import * as Internal from "./internal/protocols/anthropicMessages/quirks.ts"
import type * as Protocol from "./Protocol.ts"

/** The differences between servers of this protocol. A provider declares its own. */
export type Quirks = Internal.Quirks

/** A form of this protocol. Its quirks are data. */
export interface AnthropicMessages extends Protocol.ChatProtocol {
  readonly quirks: Quirks
  readonly makeEncoder: (delivery: Protocol.Delivery) => Protocol.Encoder
}

/** The protocol of servers with these quirks. Default of each: Anthropic's. Throws a `RangeError` at an unknown quirk or value. */
export const make = (quirks: Partial<Quirks> = {}): AnthropicMessages => {
  const all = Internal.complete(quirks)
  return {
    name,
    quirks: all,
    parameters,
    request: (_, { stream }) => ({
      method: "POST",
      path: "/v1/messages",
      headers: { "anthropic-version": all.version },
      accept: stream ? sse.contentType : "application/json"
    }),
    methodAt: (path) => path === "/v1/messages" ? "POST" : undefined,
    encodeRequest: encodeRequest(all),
    decodeRequest: ({ body }) => decodeRequest(body),
    decodeResponse,
    encodeResponse,
    framing: sse,
    makeDecoder: (peer) => new AnthropicMessagesDecoder(peer),
    makeEncoder: () => new AnthropicMessagesEncoder(),
    classify,
    encodeError,
    notFound,
    limits,
    encodeLimits
  }
}

/** The protocol of Anthropic's own server, and of most compatible ones. */
export const protocol: AnthropicMessages = make()
