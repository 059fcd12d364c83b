import type { Json, JsonObject } from "../../../Json.ts"
import type { Peer } from "../../../Protocol.ts"
import { JsonStreamDecoder } from "../../framing/jsonStreamDecoder.ts"
import { sse, type SseEvent } from "../../framing/sse.ts"
import * as From from "../../json/json.ts"
import type { Path } from "../../json/repeatedText.ts"
import { madeUpId } from "../../model/madeUpId.ts"
import { classify } from "./decodeError.ts"
import { callExtras } from "./decodeParts.ts"
import { responseExtras } from "./decodeResponse.ts"
import { keep, protocol } from "./extras.ts"
import { finishOf } from "./finishReason.ts"
import * as ToolIds from "./toolIds.ts"
import { latest, used } from "./usage.ts"

/** An open block. */
interface Block {
  readonly start: JsonObject
  /** The number of the tool call. Undefined if the block is none. */
  readonly call: number | undefined
  /** The pieces of its input so far. Of a call, only the first piece. */
  readonly input: Array<string>
  signature: string
}

/** The JSON of a block's input: its pieces, else the input that it began with. */
const inputOf = ({ input, start }: Block): Json | undefined => {
  const written = input.join("")
  return written === "" ? start["input"] : (From.parse(written) as Json | undefined) ?? written
}

const isFilled = (value: Json | undefined): boolean => From.isObject(value) && Object.keys(value).length > 0

const textPath: Path = ["delta", "text"]
const thinkingPath: Path = ["delta", "thinking"]
const inputPath: Path = ["delta", "partial_json"]

/**
 * Decodes a stream. It emits text, thinking and tool calls as they come. It emits a native block whole, once the block ends.
 * It emits the finish once the message stops, since only then is the answer whole.
 */
export class AnthropicMessagesDecoder extends JsonStreamDecoder<SseEvent> {
  private isStarted = false
  private id = "0"
  private calls = 0
  private usage: JsonObject = {}
  private stop: { readonly reason: string; readonly sequence: string | undefined } | undefined
  private extras: JsonObject = {}
  private readonly blocks = new Map<number, Block>()

  constructor(peer: Peer) {
    super(peer, sse)
  }

  protected override onFrame({ data, event }: SseEvent): void {
    if (event === "ping") return
    if (event === "error") return this.failWith(data)
    if (this.isRepeated(data)) return
    const value = From.object(From.parse(data))
    if (value === undefined) return this.fail("an event that is not a JSON object", data)
    switch (value["type"]) {
      case "message_start":
        return this.onStart(value, data)
      case "content_block_start":
      case "content_block_delta":
      case "content_block_stop":
      case "message_delta":
      case "message_stop":
        if (!this.isStarted) return this.fail("an event before message_start", data)
        return this.onMessage(value["type"], value, data)
      case "error":
        return this.failWith(data)
      // Anthropic adds kinds of events. Unknown ones are ignored.
      default:
        return
    }
  }

  private onStart(event: JsonObject, data: string) {
    const message = From.object(event["message"])
    if (this.isStarted || message === undefined) {
      return this.fail("a message_start that is invalid or not the first one", data)
    }
    this.isStarted = true
    // The output was counted before there was any.
    const counted = From.object(message["usage"])
    const { output_tokens: _, output_tokens_details: __, ...input } = counted ?? {}
    this.usage = input
    const id = From.string(message["id"])
    this.id = id ?? this.id
    this.emit({
      _tag: "Started",
      id,
      model: From.string(message["model"]),
      ...(counted && { counted }),
      ...responseExtras(message)
    })
  }

  private onMessage(type: string, event: JsonObject, data: string) {
    if (type === "message_delta") return this.onMessageDelta(event)
    if (type === "message_stop") return this.onMessageStop()
    const index = From.count(event["index"])
    if (index === undefined) return this.fail("a content block without an index", data)
    if (type === "content_block_start") return this.onBlockStart(index, event, data)
    const block = this.blocks.get(index)
    if (block === undefined) return this.fail("a delta of a content block that is not open", data)
    if (type === "content_block_delta") {
      const path = this.onDelta(block, event, data)
      if (path !== undefined) this.remember(data, event, () => path)
      return
    }
    this.blocks.delete(index)
    return this.onBlockStop(block)
  }

  private onBlockStart(index: number, event: JsonObject, data: string) {
    const start = From.object(event["content_block"])
    const type = From.string(start?.["type"])
    if (start === undefined || type === undefined) return this.fail("a content block without a type", data)
    if (this.blocks.has(index)) return this.fail("a content block that is open already", data)
    const call = type === "tool_use" ? this.calls++ : undefined
    this.blocks.set(index, { start, call, input: [], signature: From.string(start["signature"]) ?? "" })
    switch (type) {
      case "text":
        return this.onText(start["text"])
      case "thinking":
        return this.onThinking(start["thinking"])
      case "redacted_thinking":
        if (typeof start["data"] !== "string") return this.fail("redacted thinking without data", data)
        return this.emit({ _tag: "ReasoningSigned", redacted: start["data"] })
      case "tool_use":
        return this.onCall(call ?? 0, start, data)
    }
  }

  private onCall(index: number, start: JsonObject, data: string) {
    const name = From.string(start["name"])
    if (name === undefined) return this.fail("a tool call without a name", data)
    const id = From.string(start["id"]) ?? madeUpId(this.id, 0, index)
    this.emit({ _tag: "ToolCallStarted", index, id: ToolIds.read(id), name, ...callExtras(start) })
  }

  /** Emits a delta. Returns the path of its text, if the event has nothing else. */
  private onDelta(block: Block, event: JsonObject, data: string): Path | undefined {
    const delta = From.object(event["delta"])
    switch (delta?.["type"]) {
      case "text_delta":
        this.onText(delta["text"])
        return textPath
      case "thinking_delta":
        this.onThinking(delta["thinking"])
        return thinkingPath
      case "signature_delta":
        block.signature = From.string(delta["signature"]) ?? block.signature
        return undefined
      case "input_json_delta":
        this.onInput(block, delta["partial_json"], data)
        return inputPath
      case "citations_delta":
        this.emit({ _tag: "Native", protocol, value: delta, isNote: true })
    }
    return undefined
  }

  private onInput(block: Block, piece: unknown, data: string) {
    if (typeof piece !== "string") return this.fail("a tool input that is not a string", data)
    if (piece === "") return
    // At the end of a call, it matters only whether there was any input.
    if (block.call === undefined || block.input.length === 0) block.input.push(piece)
    if (block.call !== undefined) this.emit({ _tag: "ToolCallDelta", index: block.call, arguments: piece })
  }

  private onBlockStop(block: Block) {
    const { call, input, signature, start } = block
    switch (start["type"]) {
      case "text":
      case "redacted_thinking":
        return
      case "thinking":
        if (signature !== "") this.emit({ _tag: "ReasoningSigned", signature })
        return
      case "tool_use":
        // Some servers send the whole input at the start, where the API sends an empty one.
        if (call !== undefined && input.length === 0 && isFilled(start["input"])) {
          this.emit({ _tag: "ToolCallDelta", index: call, arguments: JSON.stringify(start["input"]) })
        }
        return
      default: {
        const whole = inputOf(block)
        this.emit({ _tag: "Native", protocol, value: whole === undefined ? start : { ...start, input: whole } })
      }
    }
  }

  private onMessageDelta(event: JsonObject) {
    const { stop_reason, stop_sequence, ...rest } = From.object(event["delta"]) ?? {}
    this.usage = latest(this.usage, From.object(event["usage"]) ?? {})
    this.extras = { ...this.extras, ...rest }
    const reason = From.string(stop_reason)
    if (reason !== undefined) {
      this.stop = { reason, sequence: typeof stop_sequence === "string" ? stop_sequence : undefined }
    }
  }

  private onMessageStop() {
    for (const block of this.blocks.values()) this.onBlockStop(block)
    this.blocks.clear()
    this.isFinished = true
    this.emit({ _tag: "Finished", ...finishOf(this.stop?.reason ?? "", this.stop?.sequence), ...keep(this.extras) })
    const usage = used(this.usage)
    if (usage !== undefined) this.emit(usage)
    this.done()
  }

  private onText(text: unknown) {
    if (typeof text === "string" && text !== "") this.emit({ _tag: "TextDelta", text })
  }

  private onThinking(text: unknown) {
    if (typeof text === "string" && text !== "") this.emit({ _tag: "ReasoningDelta", text })
  }

  /** The provider reported an error within the stream. */
  private failWith(data: string) {
    this.failure ??= classify(this.peer, { status: 200, headers: {}, body: data })
  }
}
