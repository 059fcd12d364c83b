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

/** The body that our provider layer sends for these messages, or why it refuses them. */
const encoded = (
  protocol: Protocol.ChatProtocol,
  messages: ReadonlyArray<Prompt.Message>
): Result.Result<object, { readonly message: string }> => {
  const canonical = promptMessages(Prompt.fromMessages(messages))
  if (Result.isFailure(canonical)) return Result.fail(canonical.failure)
  const request = { model: "model-1", maxOutputTokens: 100, messages: canonical.success }
  return protocol.encodeRequest(request, { stream: false, includeUsage: false })
}

const decoded = (protocol: Protocol.ChatProtocol, body: object) =>
  protocol.decodeRequest(httpRequest(JSON.stringify(body)))

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

const rejectedBy = (protocol: Protocol.ChatProtocol, messages: ReadonlyArray<Prompt.Message>): string | undefined => {
  const read = Result.flatMap(
    Result.mapError(encoded(protocol, messages), ({ message }) => message),
    (body) => Result.mapError(decoded(protocol, body), ({ message }) => message)
  )
  if (Result.isFailure(read)) return read.failure
  const { request } = read.success
  const wrong = objection(protocol, request, received)
  if (wrong !== undefined) return wrong
  return request.messages.find(({ role }) => role !== "system")?.role === "user"
    ? undefined
    : "the first message must be the user's"
}

/** Why a vendor rejects these messages. Undefined: both accept them. */
export const rejected = (messages: ReadonlyArray<Prompt.Message>): string | undefined => {
  for (const protocol of protocols) {
    const wrong = rejectedBy(protocol, messages)
    if (wrong !== undefined) return `${protocol.name}: ${wrong}`
  }
  return undefined
}

/** What a provider's cache reads: system messages first, then the others, one after the other. */
export const rendered = (protocol: Protocol.ChatProtocol, messages: ReadonlyArray<Prompt.Message>): string => {
  const { messages: sent, system } = Result.getOrThrow(encoded(protocol, messages)) as Record<string, unknown>
  const lines = [...(system === undefined ? [] : [system]), ...(sent as ReadonlyArray<unknown>)]
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("")
}
