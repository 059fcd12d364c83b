/**
 * The wire format of Anthropic's Messages, both ways. Some other providers and many gateways speak it as well.
 *
 * Pure: values go in and come out, and nothing else happens. Sources: Anthropic's API reference for `POST /v1/messages`, its
 * pages on streaming, errors, rate limits, versions, tool use, extended thinking and structured outputs; the types of
 * `@anthropic-ai/sdk` 1.12.0; server-sent events as in the HTML standard, §9.2. What the API says where it has no code for it
 * (an empty account, too long a prompt, a filtered answer, a country that is not served) is as its users reported it.
 *
 * It sends `anthropic-version: 2023-06-01`. The version that Anthropic's SDK has sent since October 2026, `2026-10-21`, takes
 * neither `temperature` nor `top_p` nor `top_k`, and compatible servers need not know it; answers of both are read, and what
 * is written for clients has the fields of the newer one.
 *
 * `max_tokens` must be sent. Without `maxOutputTokens` it is 4,096, the most that every model of this protocol gives, old
 * ones included; with a budget of thinking, so much more than that; with an effort and no budget, 16,384 more. Too low, and
 * answers end with the reason `length`; higher than the model gives, and the API refuses the request.
 *
 * What an encoded request says when it is decoded again is what it said before, but for these merges:
 *
 * - One plain text part is a text, an empty text is none, and a message in which nothing is left is none.
 * - Turns alternate: what messages of one role in a row say is said in one, and so are tool results and what the user says
 *   next to them. When decoded, each result is a message of its own, and so is what stands before, between and after them.
 * - The system messages that come first are one, above the conversation. Later ones stay in their place, which older models
 *   and servers may refuse.
 * - Thinking that is not signed is left out: it is another provider's, and the API refuses it. A refusal is a text.
 * - The arguments of a call are spelled anew, and none are an empty object. What is no JSON object is sent as the one field
 *   `INVALID_JSON` of an object.
 * - How closely to look at an image is left out, and so are a plain text document's bytes that are not UTF-8.
 * - Of `reasoning`, the effort `none` is a budget of 0, and `minimal` is `low`. An effort without a budget is sent as
 *   adaptive thinking of that effort; `extras` with `thinking: null` send it without.
 * - A format is named `answer`, and its description and strictness are left out: formats here are always strict.
 * - A tool's schema without a type is of the type `object`. `toolChoice` and `parallelToolCalls` go only with tools, the
 *   latter with the choice `auto` where there is none, and not with the choice `none`.
 * - `maxOutputTokens` is never missing. One choice, and penalties of zero, are what there is anyway.
 *
 * And of what a client wrote, that: `output_format` is `output_config.format`; a tool of the type `custom` has no type; a call
 * whose `caller` is the model itself has none; fields that are null are left out.
 *
 * Several choices, a seed, penalties, JSON of any shape, sounds and videos cannot be said, and are `Unsupported`.
 *
 * What is native is a content block of a type that the model does not have, in one piece: what the provider's own tools were
 * asked and gave, and what may come. In a stream it comes once it is complete. A citation in a stream is a note
 * (`{ type: "citations_delta", citation }`) behind what it is about, and does not go back to the provider; in a whole answer
 * it is in the extras of its text, and does. `Finished` comes with the message's stop, which alone makes it whole.
 *
 * For clients, tokens that nobody counted are zero, since the protocol demands a number; an answer without an id is
 * `msg_unnamed`; calls that came mixed are told one after the other, and end where something else is said; of several answers
 * the first is told.
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
import { limits } from "./internal/protocols/anthropicMessages/limits.ts"
import * as Internal from "./internal/protocols/anthropicMessages/quirks.ts"
import type * as Protocol from "./Protocol.ts"

/** The differences between servers of this protocol. A provider declares its own. */
export type Quirks = Internal.Quirks

/** A form of this protocol. Its quirks are data. */
export interface AnthropicMessages extends Protocol.ChatProtocol {
  readonly quirks: Quirks
}

/** The protocol of servers with these quirks. Default of each: Anthropic's. */
export const make = (quirks?: Partial<Quirks>): AnthropicMessages => {
  const all: Quirks = { ...Internal.defaults, ...quirks }
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
    limits
  }
}

/** The protocol of Anthropic's own server, and of most compatible ones. */
export const protocol: AnthropicMessages = make()
