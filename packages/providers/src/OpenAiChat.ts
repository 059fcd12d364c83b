/**
 * The wire format of OpenAI's chat completions, both ways. Many other providers speak it too.
 *
 * Pure: each function maps values to values. Sources: OpenAI's API reference for `POST /v1/chat/completions`, its errors and
 * its rate limits; server-sent events as in the HTML standard, §9.2.
 *
 * A request that is encoded and decoded again is the same, except:
 *
 * - One plain text part becomes a string. An empty text beside other parts is dropped.
 * - The assistant's parts are sorted: thinking, text, refusal, tool calls. Refusals are joined.
 * - Thinking goes back to the server as the quirk `reasoningField` declares. Thinking that another provider signed does not.
 * - A file without a name is named `document.pdf` or alike, and a file of plain text becomes a text below its name. OpenAI
 *   rejects both.
 * - A tool message holds text only. Other parts of a tool's result follow in a user message, after the results of the turn.
 * - `reasoning.budgetTokens` becomes an effort: 0 `none`, up to 2,048 `low`, up to 8,192 `medium`, else `high`.
 * - `toolChoice` and `parallelToolCalls` are sent only with tools. OpenAI rejects them otherwise.
 *
 * Compatible servers differ in details, which are quirks: `make({ maxTokensField: "max_tokens" })` is the protocol of a
 * server that knows only `max_tokens`. By default, `topK` is sent as `top_k`, which OpenAI rejects and many servers accept: its row has `lacks: ["topK"]`.
 *
 * Decoding a client's request normalises it:
 *
 * - `max_tokens` becomes `max_completion_tokens`.
 * - `functions` and `function_call` become tools and tool calls with ids. The answer has a `function_call` again, if it has
 *   one call.
 * - `stop` becomes a list.
 * - Fields that are null, and a `response_format` of text, are dropped.
 * - A tool without parameters gets a schema that allows any object, and a schema without a name is named `response`.
 * - `tool_choice: "any"` becomes `required`, and the URL of an image becomes an object.
 * - OpenRouter's `reasoning` and DeepSeek's `thinking: { type: "disabled" }` are also understood as `reasoning`. They stay in the
 *   extras, and go back as they came.
 *
 * Decoding an answer normalises it: a tool call without an id gets one, an answer without a finish ends for the reason
 * `unknown`, and an empty `function_call` or `custom` is dropped.
 *
 * Fields that this protocol lacks are dropped and reported, or refused with `Unsupported`, as `docs/across-protocols.md` states
 * for each.
 *
 * The key of a native part says where it belongs: `message`, `choice` (beside the message: log probabilities) or `response`
 * (the whole answer). Any other native part is a part of the content. Only fields of the message go back to the provider
 * with a history.
 *
 * @experimental
 */

import { sse } from "./internal/framing/sse.ts"
import { classify } from "./internal/protocols/openAi/decodeError.ts"
import { encodeError, notFound } from "./internal/protocols/openAi/encodeError.ts"
import * as Limits from "./internal/protocols/openAi/limits.ts"
import { modelAt, placeOf } from "./internal/protocols/openAi/place.ts"
import { decodeRequest } from "./internal/protocols/openAiChat/decodeRequest.ts"
import { decodeResponse } from "./internal/protocols/openAiChat/decodeResponse.ts"
import { OpenAiChatDecoder } from "./internal/protocols/openAiChat/decodeStream.ts"
import { encodeRequest } from "./internal/protocols/openAiChat/encodeRequest.ts"
import { encodeResponse } from "./internal/protocols/openAiChat/encodeResponse.ts"
import { OpenAiChatEncoder } from "./internal/protocols/openAiChat/encodeStream.ts"
import { parameters, protocol as name } from "./internal/protocols/openAiChat/extras.ts"
import * as Internal from "./internal/protocols/openAiChat/quirks.ts"
import type * as Protocol from "./Protocol.ts"

/** The differences between servers of this protocol. A provider declares its own. */
export type Quirks = Internal.Quirks

export type { LimitHeaders, LimitNames } from "./internal/protocols/openAi/limits.ts"
export type { ModelPlace } from "./internal/protocols/openAi/place.ts"

/** A form of this protocol. Its quirks are data. */
export interface OpenAiChat extends Protocol.ChatProtocol {
  readonly quirks: Quirks
  readonly makeEncoder: (delivery: Protocol.Delivery) => Protocol.Encoder
}

const path = "/chat/completions"

/** The protocol of servers with these quirks. Default of each: OpenAI's. Throws a `RangeError` at an unknown quirk or value. */
export const make = (quirks: Partial<Quirks> = {}): OpenAiChat => {
  const all = Internal.complete(quirks)
  const decodeBody = decodeRequest(all)
  return {
    name,
    quirks: all,
    parameters,
    request: (model, { stream }) => ({
      method: "POST",
      ...placeOf(all.modelIn, path, model),
      accept: stream ? sse.contentType : "application/json"
    }),
    methodAt: (at) => modelAt(all.modelIn, path, at) === undefined ? undefined : "POST",
    encodeRequest: encodeRequest(all),
    decodeRequest: ({ body, path: at }) => decodeBody(body, modelAt(all.modelIn, path, at)),
    decodeResponse: decodeResponse(all),
    encodeResponse: encodeResponse(all),
    framing: sse,
    makeDecoder: (peer, choices) => new OpenAiChatDecoder(all, peer, choices),
    makeEncoder: (delivery) => new OpenAiChatEncoder(all, delivery),
    classify,
    encodeError,
    notFound,
    limits: Limits.limits(all.limitHeaders),
    encodeLimits: Limits.encodeLimits(all.limitHeaders)
  }
}

/** The protocol of OpenAI's own server, and of most compatible ones. */
export const protocol: OpenAiChat = make()
