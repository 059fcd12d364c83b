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
 * A stream decoder for JSON frames, most of which carry one piece of text. Parsing takes most of the time of a stream, so a
 * frame that differs from the previous one in its text only is not parsed.
 *
 * A protocol calls `isRepeated` first. If it returns false, the protocol parses the frame, and may call `remember`. The
 * protocol guarantees: a frame with another text at that path would emit the same delta with that text, and change nothing.
 */
export abstract class JsonStreamDecoder<Frame> extends StreamDecoder<Frame> {
  private readonly repeated: RepeatedText
  /** The delta of the frame that may be repeated. */
  private delta: Delta | undefined
  /** The event that was emitted last. */
  protected last: ChatEvent | undefined
  /** The number of events of this frame. */
  private eventsOfFrame = 0

  constructor(peer: Peer, framing: Framing<Frame>, padding?: string) {
    super(peer, framing)
    this.repeated = new RepeatedText(padding)
  }

  /** Emits the delta of a frame that repeats the previous one. Returns false if it does not: parse it then. */
  protected isRepeated(json: string): boolean {
    this.eventsOfFrame = 0
    if (this.delta === undefined) return false
    const text = this.repeated.read(json)
    // Protocols emit no delta for an empty text.
    if (text !== undefined && text !== "") {
      this.emit(withText(this.delta, text))
      return true
    }
    this.delta = undefined
    this.repeated.forget()
    return false
  }

  /** Remembers the frame, if it emitted exactly one delta, whose text is the string at the path. */
  protected remember(json: string, value: Json, path: Path): void {
    const { eventsOfFrame, last } = this
    if (eventsOfFrame !== 1 || !isDelta(last) || valueAt(value, path) !== textOf(last)) return
    this.delta = last
    this.repeated.learn(json, path)
  }

  protected override emit(event: ChatEvent): void {
    this.eventsOfFrame++
    this.last = event
    super.emit(event)
  }
}
