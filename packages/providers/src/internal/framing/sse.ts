/**
 * Reads and writes server-sent events (HTML standard, §9.2.6). Lines end with LF, CR or CRLF; an empty line ends an event.
 * Ids and reconnection times are ignored, since a broken answer cannot be resumed. A field `error` is an event of that name.
 *
 * Effect's parser, `effect/encoding/Sse`, finds the same events. It reads one character at a time, and takes several times as
 * long (`npm run bench -- codec`).
 */
import { type FrameReader, type Framing, maxFrameSize, notUtf8, tooLarge } from "./framing.ts"
import { Utf8 } from "./utf8.ts"

export interface SseEvent {
  /** `message` if the event has no name. */
  readonly event: string
  readonly data: string
}

/** Finds the events in pieces of text. */
export class EventStream {
  /** The incomplete line. */
  private rest = ""
  private isFirst = true
  /** The last piece ended with CR. If the next one begins with LF, both are one line end. */
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

  /** The common case: all lines end with LF. Most events are one line of data, which is cut out of the text directly. */
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

  /** The line has all the data of its event: an empty line follows. */
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
    else if (line.startsWith("error:")) return this.onError(line.slice(line.charCodeAt(6) === space ? 7 : 6))
    return true
  }

  /** The standard has no field `error`. Older servers of llama.cpp, and those built on it, report a failure in it. */
  private onError(value: string): boolean {
    this.event = "error"
    return this.append(value)
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

  /** By the standard, an event without its empty line is dropped. */
  end(): undefined {}
}

/** The text of an event. Each line of its data becomes a field. */
export const write = ({ data, event }: SseEvent): string => {
  const lines = anyLineEnd.test(data) ? data.split(anyLineEnd).join("\ndata: ") : data
  return event === "message" ? `data: ${lines}\n\n` : `event: ${event}\ndata: ${lines}\n\n`
}

export const sse: Framing<SseEvent, string> = {
  contentType: "text/event-stream",
  makeReader: (onEvent) => new SseReader(onEvent),
  write
}
