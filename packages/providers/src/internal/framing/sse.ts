/**
 * Framing of server-sent events (HTML standard, §9.2.6): lines that end with LF, CR or CRLF, fields, events that end with an
 * empty line. Ids and reconnection times are left out, since a broken answer is not resumed by them.
 *
 * Effect has a parser as well, `effect/encoding/Sse`, which finds the same events. It reads each character by itself, and
 * takes several times as long (`npm run bench -- codec`).
 */
import { type FrameReader, type Framing, maxFrameSize, notUtf8, tooLarge } from "./framing.ts"
import { Utf8 } from "./utf8.ts"

export interface SseEvent {
  /** `message` if the event has no name. */
  readonly event: string
  readonly data: string
}

/** Finds the events in a text that comes in pieces. */
export class EventStream {
  /** The line that has not ended yet. */
  private rest = ""
  private isFirst = true
  /** A line ended with CR, so that LF, if it comes next, belongs to it. */
  private isAfterReturn = false
  private event = ""
  private data: string | undefined
  private readonly maxSize: number
  private readonly onEvent: (event: SseEvent) => void

  /** `maxSize` bounds a line and the data of an event, in UTF-16 code units. */
  constructor(maxSize: number, onEvent: (event: SseEvent) => void) {
    this.maxSize = maxSize
    this.onEvent = onEvent
  }

  /** False if a line or an event is too large. Feed nothing after that. */
  feed(text: string): boolean {
    if (text === "") return true
    const isSkipped = this.isFirst ? text.charCodeAt(0) === byteOrderMark : this.isAfterReturn && text.startsWith("\n")
    this.isFirst = false
    this.isAfterReturn = text.endsWith("\r")
    const from = isSkipped ? 1 : 0
    return text.includes("\r") ? this.feedAnyLines(text.slice(from)) : this.feedLines(text, from)
  }

  /** Lines that all end with LF, as nearly every server sends them: they are looked for one by one, and not cut out. */
  private feedLines(text: string, from: number): boolean {
    let at = from
    for (let end = text.indexOf("\n", at); end >= 0; end = text.indexOf("\n", at)) {
      if (this.rest !== "" || !this.isWhole(text, at, end)) {
        if (!this.onEndOfLine(text.slice(at, end))) return false
        at = end + 1
      } else {
        if (end - at > this.maxSize) return false
        this.data = text.slice(text.charCodeAt(at + 5) === space ? at + 6 : at + 5, end)
        this.dispatch()
        at = end + 2
      }
    }
    return this.keep(text.slice(at))
  }

  private feedAnyLines(text: string): boolean {
    const lines = text.split(anyLineEnd)
    const last = lines.pop() ?? ""
    for (const line of lines) if (!this.onEndOfLine(line)) return false
    return this.keep(last)
  }

  /** The line is all the data of its event, which ends behind it. */
  private isWhole(text: string, at: number, end: number): boolean {
    return text.charCodeAt(end + 1) === lineFeed && this.data === undefined && text.startsWith("data:", at)
  }

  private keep(piece: string): boolean {
    if (piece !== "") this.rest += piece
    return this.rest.length <= this.maxSize
  }

  private onEndOfLine(piece: string): boolean {
    const line = this.rest === "" ? piece : this.rest + piece
    this.rest = ""
    return line.length <= this.maxSize && this.onLine(line)
  }

  private onLine(line: string): boolean {
    if (line === "") this.dispatch()
    else if (line.startsWith("data:")) return this.append(line.slice(line.charCodeAt(5) === space ? 6 : 5))
    else if (line === "data") return this.append("")
    else if (line.startsWith("event:")) this.event = line.slice(line.charCodeAt(6) === space ? 7 : 6)
    else if (line === "event") this.event = ""
    return true
  }

  private append(value: string): boolean {
    this.data = this.data === undefined ? value : `${this.data}\n${value}`
    return this.data.length <= this.maxSize
  }

  private dispatch() {
    const { data, event } = this
    this.data = undefined
    this.event = ""
    if (data !== undefined) this.onEvent({ event: event === "" ? "message" : event, data })
  }
}

const byteOrderMark = 0xfeff
const anyLineEnd = /\r\n?|\n/
const lineFeed = 10
const space = 32

class SseReader implements FrameReader {
  private readonly bytes = new Utf8()
  private readonly stream: EventStream
  private fault: string | undefined
  private readonly feed = (text: string): boolean => {
    if (!this.stream.feed(text)) this.fault = tooLarge
    return this.fault === undefined
  }

  constructor(onEvent: (event: SseEvent) => void) {
    this.stream = new EventStream(maxFrameSize, onEvent)
  }

  push(bytes: Uint8Array): string | undefined {
    return this.bytes.feed(bytes, this.feed) ? undefined : this.fault ?? notUtf8
  }

  /** By the standard, an event that no empty line ends is none. */
  end(): undefined {}
}

/** The text of an event. Line ends in its data become those of the protocol. */
export const write = ({ data, event }: SseEvent): string => {
  const lines = anyLineEnd.test(data) ? data.split(anyLineEnd).join("\ndata: ") : data
  return event === "message" ? `data: ${lines}\n\n` : `event: ${event}\ndata: ${lines}\n\n`
}

export const sse: Framing<SseEvent> = {
  contentType: "text/event-stream",
  makeReader: (onEvent) => new SseReader(onEvent),
  write
}
