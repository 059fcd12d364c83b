/** Histories as requests of both protocols, and what a strict vendor says of them. */
import { AnthropicMessages, OpenAiChat, type Protocol } from "@clawback/providers"
import { Result } from "effect"
import { Prompt } from "effect/ai"
import { promptMessages } from "../../packages/providers/src/internal/effect/promptMessages.ts"
import { objection } from "../../packages/testing/src/internal/dialect/strict.ts"
import { unfinished } from "./historyLaws.ts"
import { httpRequest } from "./httpRequest.ts"

export const protocols: ReadonlyArray<Protocol.ChatProtocol> = [OpenAiChat.protocol, AnthropicMessages.protocol]

const received = { headers: { "content-type": "application/json" } } as unknown as Parameters<typeof objection>[2]

/** The body that our provider layer sends for these messages. Throws if it refuses them. */
const bodyOf = (protocol: Protocol.ChatProtocol, messages: ReadonlyArray<Prompt.Message>): Record<string, unknown> =>
  Result.getOrThrow(protocol.encodeRequest(
    {
      model: "model-1",
      maxOutputTokens: 100,
      messages: Result.getOrThrow(promptMessages(Prompt.fromMessages(messages)))
    },
    { stream: false, includeUsage: false }
  )) as unknown as Record<string, unknown>

/** With error results for calls at the end that have none, as the repair of a conversation adds them. */
export const resolved = (messages: ReadonlyArray<Prompt.Message>): ReadonlyArray<Prompt.Message> => {
  const open = new Set(unfinished(messages.map((message) => ({ message }))))
  const settled: Array<Prompt.Message> = []
  const missing: Array<Prompt.ToolResultPart> = []
  const done = new Set<string>()
  for (const [at, message] of messages.entries()) {
    if (message.role === "tool") {
      for (const part of message.content) if (part.type === "tool-result") done.add(part.id)
    }
    if (message.role === "assistant") done.clear()
    settled.push(message)
    if (message.role !== "assistant" || !open.has(at)) continue
    for (const part of message.content) {
      if (part.type !== "tool-call" || part.providerExecuted) continue
      const { id, name } = part
      missing.push(Prompt.toolResultPart({ id, name, isFailure: true, result: "unknown", providerExecuted: false }))
    }
  }
  const content = missing.filter(({ id }) => !done.has(id))
  return content.length === 0 ? settled : [...settled, Prompt.toolMessage({ content })]
}

/** Why a vendor rejects these messages. Undefined: both accept them. */
export const rejected = (messages: ReadonlyArray<Prompt.Message>): string | undefined => {
  for (const protocol of protocols) {
    const decoded = protocol.decodeRequest(httpRequest(JSON.stringify(bodyOf(protocol, messages))))
    if (Result.isFailure(decoded)) return `${protocol.name}: ${decoded.failure.message}`
    const wrong = objection(protocol, decoded.success.request, received)
    if (wrong !== undefined) return `${protocol.name}: ${wrong}`
    if (decoded.success.request.messages.find(({ role }) => role !== "system")?.role !== "user") {
      return `${protocol.name}: the first message must be the user's`
    }
  }
  return undefined
}

/** What a provider's cache reads: system messages first, then the others, one after the other. */
export const rendered = (protocol: Protocol.ChatProtocol, messages: ReadonlyArray<Prompt.Message>): string => {
  const { messages: sent, system } = bodyOf(protocol, messages)
  const lines = [...(system === undefined ? [] : [system]), ...(sent as ReadonlyArray<unknown>)]
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("")
}
