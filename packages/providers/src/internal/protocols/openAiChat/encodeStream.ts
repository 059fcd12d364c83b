import type { ChatEvent, Finished, ReasoningDelta } from "../../../ChatEvent.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import type { Delivery, Encoder } from "../../../Protocol.ts"
import type { ProviderError } from "../../../ProviderError.ts"
import * as Sse from "../../framing/sse.ts"
import { isObject, string } from "../../json/json.ts"
import { encodeError } from "../openAi/encodeError.ts"
import { toolCall } from "./encodeMessages.ts"
import { thinking } from "./encodeParts.ts"
import { own, protocol, thinkingName } from "./extras.ts"
import { finishReason } from "./finishReason.ts"
import type { Quirks } from "./quirks.ts"
import * as Details from "./reasoningDetails.ts"
import { legacyType } from "./toolCalls.ts"
import { encodeUsage } from "./usage.ts"

const event = (data: JsonObject) => Sse.write({ event: "message", data: JSON.stringify(data) })

const usageFields = (quirks: Quirks, usage: JsonObject): JsonObject =>
  quirks.usage === "x_groq" ? { x_groq: { usage } } : { usage }

/** Encodes events as chunks of OpenAI's server. Each chunk repeats the fields of the whole answer. */
export class OpenAiChatEncoder implements Encoder {
  private readonly quirks: Quirks
  private readonly includeUsage: boolean
  private envelope: JsonObject = { id: "", object: "chat.completion.chunk", created: 0, model: "" }
  private readonly begun = new Set<number>()
  /** The last finish, if it waits for the usage, which comes with it. */
  private last: ReadonlyArray<Json> = []
  /** Calls of tools without a schema. */
  private readonly custom = new Set<string>()
  /** Answers whose first call has the old form, which has no place for others. */
  private readonly legacy = new Set<number>()
  private readonly isLegacy: boolean

  constructor(quirks: Quirks, { calls, includeUsage }: Delivery) {
    this.quirks = quirks
    this.includeUsage = includeUsage
    this.isLegacy = calls === legacyType
  }

  push(events: ReadonlyArray<ChatEvent>): string {
    let text = ""
    for (const event of events) text += this.encode(event)
    return text
  }

  end(): string {
    return this.flush() + (this.quirks.streamEnd === "finish" ? "" : Sse.write({ event: "message", data: "[DONE]" }))
  }

  fail(error: ProviderError): string {
    return event(encodeError(error).body)
  }

  private encode(said: ChatEvent): string {
    switch (said._tag) {
      case "Started":
        this.envelope = { ...this.envelope, id: said.id ?? "", model: said.model ?? "", ...own(said.extras) }
        return this.begin(0)
      case "TextDelta":
        return this.delta(said.choice, { content: said.text })
      case "RefusalDelta":
        return this.delta(said.choice, { refusal: said.text })
      case "ReasoningDelta":
        return this.delta(said.choice, this.reasoning(said))
      case "ReasoningSigned":
        // Only the provider that signed it can read it.
        return said.details === undefined ? "" : this.delta(said.choice, { [Details.field]: said.details })
      case "ToolCallStarted": {
        const { choice = 0, extras, id, index, name } = said
        if (index === 0 && (this.isLegacy || own(extras)["type"] === legacyType)) {
          this.legacy.add(choice)
          return this.delta(choice, { function_call: { name, arguments: "" } })
        }
        const call = toolCall({ type: "tool-call", id, name, arguments: "" }, own(extras))
        if (call["type"] === "custom") this.custom.add(`${choice}/${index}`)
        return this.delta(choice, { tool_calls: [{ index, ...call }] })
      }
      case "ToolCallDelta": {
        const { arguments: text, choice = 0, index } = said
        if (index === 0 && this.legacy.has(choice)) return this.delta(choice, { function_call: { arguments: text } })
        const isCustom = this.custom.has(`${choice}/${index}`)
        const fragment = isCustom ? { custom: { input: text } } : { function: { arguments: text } }
        return this.delta(choice, { tool_calls: [{ index, ...fragment }] })
      }
      case "Native":
        return said.protocol === protocol ? this.native(said.choice, said.value) : ""
      case "Finished":
        return this.begin(said.choice ?? 0) + this.finish(said)
      case "Used":
        return this.includeUsage ? this.used(usageFields(this.quirks, encodeUsage(this.quirks, said))) : ""
    }
  }

  private finish(said: Finished): string {
    const { choice: index = 0 } = said
    const finished = { index, delta: {}, logprobs: null, finish_reason: this.reason(said) }
    if (this.quirks.usage !== "unasked") return this.chunk([finished])
    const earlier = this.flush()
    this.last = [finished]
    return earlier
  }

  private used(usage: JsonObject): string {
    const { last } = this
    this.last = []
    return this.chunk(last, usage)
  }

  private flush(): string {
    const { last } = this
    this.last = []
    return last.length === 0 ? "" : this.chunk(last)
  }

  private reason(said: Finished): string {
    return finishReason(this.quirks, said, this.legacy.has(said.choice ?? 0))
  }

  /** A server sends thinking also where it accepts none back. */
  private reasoning({ extras, text }: ReasoningDelta): JsonObject {
    const { reasoningField } = this.quirks
    const { copy, name: received, ...rest } = own(extras)
    const name = reasoningField === "as-received" || reasoningField === "never"
      ? string(received) ?? "reasoning_content"
      : reasoningField
    if (name === thinkingName) return { content: [thinking(text, rest)] }
    return { [name]: text, ...(name === received && typeof copy === "string" && { [copy]: text }) }
  }

  private native(choice: number | undefined, value: JsonObject): string {
    const { choice: about, message, response } = value
    if (typeof value["type"] === "string") return this.delta(choice, { content: [value] })
    if (isObject(message)) return this.delta(choice, message)
    if (isObject(response)) return this.chunk([], response)
    return isObject(about) ? this.delta(choice, {}, about) : ""
  }

  private delta(choice = 0, delta: JsonObject, about: JsonObject = {}): string {
    return this.begin(choice) + this.chunk([{ index: choice, delta, logprobs: null, finish_reason: null, ...about }])
  }

  /** The first chunk of each answer has the role. */
  private begin(index: number): string {
    if (this.begun.has(index)) return ""
    this.begun.add(index)
    const delta = { role: "assistant", content: "", refusal: null }
    return this.chunk([{ index, delta, logprobs: null, finish_reason: null }])
  }

  private chunk(choices: ReadonlyArray<Json>, fields: JsonObject = {}): string {
    return event({ ...this.envelope, choices, ...(this.includeUsage && { usage: null }), ...fields })
  }
}
