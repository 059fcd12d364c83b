import type { ChatEvent, Finished, Native, Started, Used } from "../../../ChatEvent.ts"
import type { JsonObject } from "../../../Json.ts"
import type { Encoder } from "../../../Protocol.ts"
import type { ProviderError } from "../../../ProviderError.ts"
import * as Sse from "../../framing/sse.ts"
import { errorBody } from "./encodeError.ts"
import { envelope } from "./encodeResponse.ts"
import { extrasOf, protocol } from "./extras.ts"
import { finishReason } from "./finishReason.ts"
import * as ToolIds from "./toolIds.ts"
import { countedUsage, encodeUsage } from "./usage.ts"

type Open = "text" | "thinking" | "tool_use"

const line = (event: JsonObject): string => Sse.write({ event: String(event["type"]), data: JSON.stringify(event) })

/** A tool call that waits for its turn: blocks follow one another, but events of several calls may be mixed. */
interface Waiting {
  readonly start: JsonObject
  readonly pieces: Array<string>
}

/**
 * Encodes events as Anthropic's server does: one block after the other, then the stop reason and the usage. It encodes only
 * the first answer.
 */
export class AnthropicMessagesEncoder implements Encoder {
  private out = ""
  private isStarted = false
  private index = -1
  private open: Open | undefined
  /** The call of the open block. The others wait. */
  private current: number | undefined
  private readonly waiting = new Map<number, Waiting>()
  private hasCalls = false
  private started: Started | undefined
  private finished: Finished | undefined
  private used: Used | undefined

  push(events: ReadonlyArray<ChatEvent>): string {
    for (const event of events) {
      if (("choice" in event ? event.choice ?? 0 : 0) === 0) this.onEvent(event)
    }
    return this.take()
  }

  end(): string {
    this.start()
    this.closeCalls()
    const { finished, started, used } = this
    const { container = null } = started === undefined ? {} : extrasOf(started)
    this.write({
      type: "message_delta",
      delta: {
        container,
        stop_details: null,
        ...(finished && extrasOf(finished)),
        stop_reason: finished === undefined ? "end_turn" : finishReason(finished, this.hasCalls),
        stop_sequence: finished?.stopSequence ?? null
      },
      usage: encodeUsage(used)
    })
    this.write({ type: "message_stop" })
    return this.take()
  }

  fail(error: ProviderError): string {
    this.write(errorBody(error))
    return this.take()
  }

  private onEvent(event: ChatEvent) {
    switch (event._tag) {
      case "Started":
        this.started = event
        return this.start()
      case "TextDelta":
      case "RefusalDelta":
        return this.say("text", { type: "text_delta", text: event.text })
      case "ReasoningDelta":
        return this.say("thinking", { type: "thinking_delta", thinking: event.text })
      case "ReasoningSigned":
        if (event.redacted !== undefined) {
          return this.whole({ type: "redacted_thinking", data: event.redacted })
        }
        // Details are of another protocol.
        if (event.signature === undefined && event.details !== undefined) return ""
        this.say("thinking", { type: "signature_delta", signature: event.signature ?? "" })
        return this.close()
      case "ToolCallStarted":
        this.hasCalls = true
        return this.call(event.index, {
          caller: { type: "direct" },
          ...extrasOf(event),
          type: "tool_use",
          id: ToolIds.write(event.id),
          name: event.name,
          input: {}
        })
      case "ToolCallDelta":
        return this.piece(event.index, event.arguments)
      case "Native":
        return this.native(event)
      case "Finished":
        this.finished = event
        return this.closeCalls()
      case "Used":
        this.used = event
    }
  }

  private start() {
    if (this.isStarted) return
    this.isStarted = true
    this.write({
      type: "message_start",
      message: {
        ...envelope(this.started?.id, this.started?.model),
        ...(this.started && extrasOf(this.started)),
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: countedUsage(this.started?.counted)
      }
    })
  }

  private native({ protocol: origin, value }: Native) {
    if (origin !== protocol) return
    if (value["type"] === "citations_delta") this.say("text", value)
    else this.whole(value)
  }

  private say(type: "text" | "thinking", delta: JsonObject) {
    if (this.open !== type) {
      this.begin(type, type === "text" ? { type, text: "", citations: null } : { type, thinking: "", signature: "" })
    }
    this.write({ type: "content_block_delta", index: this.index, delta })
  }

  private whole(block: JsonObject) {
    this.begin("text", block)
    this.close()
  }

  private call(index: number, start: JsonObject) {
    if (this.current !== undefined) this.waiting.set(index, { start, pieces: [] })
    else {
      this.begin("tool_use", start)
      this.current = index
    }
  }

  private piece(index: number, partial_json: string) {
    if (partial_json === "") return
    if (index === this.current) {
      this.write({ type: "content_block_delta", index: this.index, delta: { type: "input_json_delta", partial_json } })
    } else this.waiting.get(index)?.pieces.push(partial_json)
  }

  private begin(type: Open, content_block: JsonObject) {
    this.start()
    this.closeCalls()
    this.index++
    this.open = type
    this.write({ type: "content_block_start", index: this.index, content_block })
  }

  private close() {
    if (this.open === undefined) return
    this.open = undefined
    this.write({ type: "content_block_stop", index: this.index })
  }

  /** Ends the open block, then writes the calls that waited. */
  private closeCalls() {
    this.close()
    this.current = undefined
    const waiting = [...this.waiting]
    this.waiting.clear()
    for (const [index, { pieces, start }] of waiting) {
      this.call(index, start)
      this.piece(index, pieces.join(""))
      this.close()
      this.current = undefined
    }
  }

  private write(event: JsonObject) {
    this.out += line(event)
  }

  private take(): string {
    const out = this.out
    this.out = ""
    return out
  }
}
