import type { ChatEvent, ReasoningDelta, TextDelta, ToolCallDelta } from "../../ChatEvent.ts"
import type { Json } from "../../Json.ts"
import type { Peer } from "../../Protocol.ts"
import { type Path, RepeatedText, valueAt } from "../json/repeatedText.ts"
import type { Framing } from "./framing.ts"
import { StreamDecoder } from "./streamDecoder.ts"

export type Delta = TextDelta | ReasoningDelta | ToolCallDelta

const isDelta = (event: ChatEvent): event is Delta =>
  event._tag === "TextDelta" || event._tag === "ReasoningDelta" || event._tag === "ToolCallDelta"

const isNote = (event: ChatEvent): boolean => event._tag === "Native" && event.isNote === true

/** The delta, if the other events are notes. */
const onlyDelta = (events: ReadonlyArray<ChatEvent>): Delta | undefined => {
  let found: Delta | undefined
  for (const event of events) {
    if (isNote(event)) continue
    if (found !== undefined || !isDelta(event)) return undefined
    found = event
  }
  return found
}

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
 * protocol guarantees: a frame with another text in the same place would emit the same events with that text in the delta,
 * and change nothing.
 */
export abstract class JsonStreamDecoder<Frame> extends StreamDecoder<Frame> {
  private readonly repeated: RepeatedText
  /** The events of this frame. */
  private emitted: Array<ChatEvent> = []
  /** The events of the frame that may be repeated, and which of them is the delta. */
  private remembered: ReadonlyArray<ChatEvent> = []
  private delta: Delta | undefined

  /** `paddings`: the fields of a frame that may have padding, which means nothing. */
  constructor(peer: Peer, framing: Framing<Frame>, paddings: ReadonlyArray<string> = []) {
    super(peer, framing)
    this.repeated = new RepeatedText(paddings)
  }

  /** Emits the events of a frame that repeats the previous one. Returns false if it does not: parse it then. */
  protected isRepeated(json: string): boolean {
    if (this.emitted.length > 0) this.emitted = []
    const { delta } = this
    if (delta === undefined) return false
    const text = this.repeated.read(json)
    // Protocols emit no delta for an empty text.
    if (text !== undefined && text !== "") {
      for (const event of this.remembered) super.emit(event === delta ? withText(delta, text) : event)
      return true
    }
    this.delta = undefined
    this.repeated.forget()
    return false
  }

  /** Remembers the frame, if it emitted one delta and notes. `pathOf` returns the place of the delta's text. */
  protected remember(json: string, value: Json, pathOf: (delta: Delta) => Path): void {
    const delta = onlyDelta(this.emitted)
    if (delta === undefined || !this.repeated.isDue()) return
    const path = pathOf(delta)
    if (valueAt(value, path) !== textOf(delta)) return
    this.delta = delta
    this.remembered = this.emitted
    this.repeated.learn(json, value, path)
  }

  protected override emit(event: ChatEvent): void {
    this.emitted.push(event)
    super.emit(event)
  }
}
