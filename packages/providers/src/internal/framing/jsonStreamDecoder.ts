import type { ChatEvent, ReasoningDelta, TextDelta, ToolCallDelta } from "../../ChatEvent.ts"
import type { Json } from "../../Json.ts"
import type { Peer } from "../../Protocol.ts"
import { type Path, RepeatedText, valueAt } from "../json/repeatedText.ts"
import type { Framing } from "./framing.ts"
import { StreamDecoder } from "./streamDecoder.ts"

type Delta = TextDelta | ReasoningDelta | ToolCallDelta

const isDelta = (event: ChatEvent | undefined): event is Delta =>
  event?._tag === "TextDelta" || event?._tag === "ReasoningDelta" || event?._tag === "ToolCallDelta"

const textOf = (delta: Delta): string => delta._tag === "ToolCallDelta" ? delta.arguments : delta.text

const withText = (delta: Delta, text: string): Delta => {
  if (delta._tag === "ToolCallDelta") return { ...delta, arguments: text }
  return delta._tag === "TextDelta" && delta.choice === undefined ? { _tag: "TextDelta", text } : { ...delta, text }
}

/**
 * A stream decoder of JSON texts that mostly say one text each. A JSON text that differs from the one before in that text
 * alone is not parsed, which takes most of the time of a stream.
 *
 * A protocol asks `isRepeated` first. If it is false, the protocol parses the JSON text, and calls `remember` if all that it
 * did was to emit one delta: nothing else may be remembered of it, so that the next one means the same with another text.
 */
export abstract class JsonStreamDecoder<Frame> extends StreamDecoder<Frame> {
  private readonly repeated: RepeatedText
  private delta: Delta | undefined
  /** The events that were emitted before this frame. */
  private before = 0

  constructor(peer: Peer, framing: Framing<Frame>, padding?: string) {
    super(peer, framing)
    this.repeated = new RepeatedText(padding)
  }

  /** Emits the delta of a JSON text that repeats the one before. False if it does not: then parse it. */
  protected isRepeated(json: string): boolean {
    this.before = this.events.length
    if (this.delta === undefined) return false
    const text = this.repeated.read(json)
    // An empty text is no delta.
    if (text !== undefined && text !== "") {
      this.emit(withText(this.delta, text))
      return true
    }
    this.delta = undefined
    this.repeated.forget()
    return false
  }

  /** Remembers a JSON text and its value, if one delta was emitted, whose text is the string at the path. */
  protected remember(json: string, value: Json, path: Path): void {
    const delta = this.events.at(-1)
    if (this.events.length !== this.before + 1 || !isDelta(delta) || valueAt(value, path) !== textOf(delta)) return
    this.delta = delta
    this.repeated.learn(json, path)
  }
}
