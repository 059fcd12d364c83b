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

/** A block that waits for its turn: blocks follow one another, but events of several may be mixed. */
interface Waiting {
  readonly type: Open
  readonly start: JsonObject
  /** The call that it is. Undefined: it is no call. */
  readonly call: number | undefined
  readonly deltas: Array<JsonObject>
  /** Whether nothing more belongs to it. */
  isWhole: boolean
}

const input = (partial_json: string): JsonObject => ({ type: "input_json_delta", partial_json })

/**
 * Encodes events as Anthropic's server does: one block after the other, then the stop reason and the usage. Arguments of a call
 * may come until the end, so what follows the first call is written there. It encodes only the first answer.
 */
export class AnthropicMessagesEncoder implements Encoder {
  private out = ""
  private isStarted = false
  private index = -1
  private open: Open | undefined
  /** The call of the open block. It may go on until the end of the answer, so what follows it waits. */
  private current: number | undefined
  private waiting: Array<Waiting> = []
  private readonly waitingCalls = new Map<number, Waiting>()
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
        return this.endThought()
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
    const start = type === "text" ? { type, text: "", citations: null } : { type, thinking: "", signature: "" }
    if (this.current !== undefined) {
      const last = this.waiting.at(-1)
      if (last?.type === type && !last.isWhole) last.deltas.push(delta)
      else this.wait({ type, start, deltas: [delta] })
      return
    }
    if (this.open !== type) this.begin(type, start)
    this.delta(delta)
  }

  private endThought() {
    const last = this.waiting.at(-1)
    if (last !== undefined) last.isWhole = true
    else this.close()
  }

  private whole(block: JsonObject) {
    if (this.current !== undefined) return this.wait({ type: "text", start: block, isWhole: true })
    this.begin("text", block)
    this.close()
  }

  private call(index: number, start: JsonObject) {
    if (this.current !== undefined) return this.wait({ type: "tool_use", start, call: index })
    this.begin("tool_use", start)
    this.current = index
  }

  private piece(index: number, text: string) {
    if (text === "") return
    if (index === this.current) this.delta(input(text))
    else this.waitingCalls.get(index)?.deltas.push(input(text))
  }

  private wait(
    { call, deltas = [], isWhole = false, start, type }: Pick<Waiting, "type" | "start"> & Partial<Waiting>
  ) {
    const waiting: Waiting = { type, start, call, deltas, isWhole }
    this.waiting.push(waiting)
    if (call !== undefined) this.waitingCalls.set(call, waiting)
  }

  private begin(type: Open, content_block: JsonObject) {
    this.start()
    this.close()
    this.index++
    this.open = type
    this.write({ type: "content_block_start", index: this.index, content_block })
  }

  private delta(delta: JsonObject) {
    this.write({ type: "content_block_delta", index: this.index, delta })
  }

  private close() {
    if (this.open === undefined) return
    this.open = undefined
    this.write({ type: "content_block_stop", index: this.index })
  }

  /** Ends the open block, then writes the blocks that waited. */
  private closeCalls() {
    this.close()
    this.current = undefined
    const { waiting } = this
    this.waiting = []
    this.waitingCalls.clear()
    for (const { call, deltas, start, type } of waiting) {
      this.begin(type, start)
      if (call === undefined) { for (const delta of deltas) this.delta(delta) }
      else if (deltas.length > 0) this.delta(input(deltas.map(({ partial_json }) => partial_json).join("")))
      this.close()
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
