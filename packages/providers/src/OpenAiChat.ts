/**
 * The wire format of OpenAI's chat completions, both ways. Many other providers speak it as well.
 *
 * Pure: values go in and come out, and nothing else happens. Sources: OpenAI's API reference for `POST /v1/chat/completions`
 * and for its errors and rate limits; server-sent events as in the HTML standard, §9.2.
 *
 * What an encoded request says when it is decoded again is what it said before, but for these merges:
 *
 * - One plain text part is a text, and an empty text beside other parts is none.
 * - Of the model's parts, thinking comes first, then text, then a refusal, then tool calls; refusals are one.
 * - Thinking goes back only under the name under which it came from a server of this protocol. What others signed does not.
 * - What a tool's result holds besides text is shown in a message of the user's, behind the results of that turn. Whether the
 *   tool failed is left to its content.
 * - Of `reasoning`, a `budgetTokens` becomes an effort: 0 `none`, up to 2,048 `low`, up to 8,192 `medium`, else `high`.
 * - `toolChoice` and `parallelToolCalls` go only with tools, without which OpenAI refuses them.
 *
 * In what compatible servers differ from OpenAI's is a quirk: `make({ maxTokensField: "max_tokens" })` is the protocol of a
 * server that knows only `max_tokens`. By default, `topK` goes as `top_k`, which OpenAI itself refuses and many servers take.
 *
 * And of what a client wrote, that: `max_tokens` is `max_completion_tokens`; `functions` and calls of them are tools, whose
 * calls get ids of their own; `stop` is a list; fields that are null, and a `response_format` of text, are left out; a tool
 * without parameters takes an object of any.
 *
 * What is native in answers says where it stands: `{ message: … }` in the message, `{ choice: … }` beside it (log
 * probabilities), `{ response: … }` in the whole answer; another form is a part of the content. Only what stands in the
 * message goes back to the provider with a history.
 */
import { sse } from "./internal/framing/sse.ts"
import { classify } from "./internal/protocols/openAi/decodeError.ts"
import { encodeError, notFound } from "./internal/protocols/openAi/encodeError.ts"
import { limits } from "./internal/protocols/openAi/limits.ts"
import { decodeRequest } from "./internal/protocols/openAiChat/decodeRequest.ts"
import { decodeResponse } from "./internal/protocols/openAiChat/decodeResponse.ts"
import { OpenAiChatDecoder } from "./internal/protocols/openAiChat/decodeStream.ts"
import { encodeRequest } from "./internal/protocols/openAiChat/encodeRequest.ts"
import { encodeResponse } from "./internal/protocols/openAiChat/encodeResponse.ts"
import { OpenAiChatEncoder } from "./internal/protocols/openAiChat/encodeStream.ts"
import { parameters, protocol as name } from "./internal/protocols/openAiChat/extras.ts"
import * as Internal from "./internal/protocols/openAiChat/quirks.ts"
import type * as Protocol from "./Protocol.ts"

/** In what servers of this protocol differ. A provider declares its own, and the protocol asks them. */
export type Quirks = Internal.Quirks

/** A form of this protocol. Its quirks are data: read them, or make another form of them. */
export interface OpenAiChat extends Protocol.ChatProtocol {
  readonly quirks: Quirks
}

/** The protocol of servers with these quirks. A quirk that is left out is OpenAI's. */
export const make = (quirks?: Partial<Quirks>): OpenAiChat => {
  const all: Quirks = { ...Internal.defaults, ...quirks }
  const decodeBody = decodeRequest(all)
  return {
    name,
    quirks: all,
    parameters,
    request: (_, { stream }) => ({
      method: "POST",
      path: "/chat/completions",
      accept: stream ? sse.contentType : "application/json"
    }),
    methodAt: (path) => path === "/chat/completions" ? "POST" : undefined,
    encodeRequest: encodeRequest(all),
    decodeRequest: ({ body }) => decodeBody(body),
    decodeResponse: decodeResponse(all),
    encodeResponse: encodeResponse(all),
    framing: sse,
    makeDecoder: (peer, choices) => new OpenAiChatDecoder(all, peer, choices),
    makeEncoder: (delivery) => new OpenAiChatEncoder(all, delivery),
    classify,
    encodeError,
    notFound,
    limits
  }
}

/** The protocol of OpenAI's own server, and of most compatible ones. */
export const protocol: OpenAiChat = make()
