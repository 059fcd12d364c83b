/** Whether providers accept a history: it is written in each protocol, read as its server does, and checked as strictly. */
import { Anthropic, OpenAi } from "@clawback/providers"
import type { ChatProtocol } from "@clawback/providers/Protocol"
import { Result } from "effect"
import type { Prompt } from "effect/ai"
import { promptMessages } from "../../packages/providers/src/internal/effect/promptMessages.ts"
import { objection } from "../../packages/testing/src/internal/dialect/strict.ts"

const headers = { "content-type": "application/json" }

const objectionOf = (protocol: ChatProtocol, path: string, prompt: Prompt.Prompt): string | undefined => {
  const messages = promptMessages(prompt)
  if (Result.isFailure(messages)) return messages.failure.message
  const request = { model: "a-model", messages: messages.success, maxOutputTokens: 100 }
  const encoded = protocol.encodeRequest(request, { stream: false, includeUsage: false })
  if (Result.isFailure(encoded)) return encoded.failure.message
  const decoded = protocol.decodeRequest({
    method: "POST",
    url: path,
    path,
    query: {},
    headers,
    body: JSON.stringify(encoded.success)
  } as never)
  if (Result.isFailure(decoded)) return decoded.failure.message
  return objection(protocol, decoded.success.request, { headers } as never)
}

/** Why a protocol's server rejects the history; empty if none does. A history without messages is not yet a request. */
export const objections = (prompt: Prompt.Prompt): ReadonlyArray<string> =>
  prompt.content.length === 0 ?
    [] :
    ([["openai", OpenAi.provider.chat, "/chat/completions"], [
      "anthropic",
      Anthropic.provider.chat,
      "/v1/messages"
    ]] as const)
      .flatMap(([name, protocol, path]) => {
        const wrong = protocol && objectionOf(protocol, path, prompt)
        return wrong === undefined ? [] : [`${name}: ${wrong}`]
      })
