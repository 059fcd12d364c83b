/**
 * Reads and writes JSON lines. Each line is one JSON text and ends with LF or CRLF. The last line needs no end. Empty lines are
 * skipped. A frame is the text of one line, which the protocol parses.
 */
import { type FrameReader, type Framing, maxFrameSize, notUtf8, tooLarge } from "./framing.ts"
import { Utf8 } from "./utf8.ts"

/** Finds the lines in pieces of text. */
export class Lines {
  /** The incomplete line. */
  private rest = ""
  private isFirst = true
  private readonly maxSize: number
  private readonly onLine: (line: string) => void

  /** `maxSize` bounds a line and its CR, in UTF-16 code units. */
  constructor(maxSize: number, onLine: (line: string) => void) {
    this.maxSize = maxSize
    this.onLine = onLine
  }

  /** False if a line is too large. Feed nothing after that. */
  feed(text: string): boolean {
    if (text === "") return true
    let at = this.isFirst && text.charCodeAt(0) === byteOrderMark ? 1 : 0
    this.isFirst = false
    for (let end = text.indexOf("\n", at); end >= 0; end = text.indexOf("\n", at)) {
      this.rest += text.slice(at, end)
      at = end + 1
      if (!this.end()) return false
    }
    this.rest += text.slice(at)
    return this.rest.length <= this.maxSize
  }

  /** Emits the line so far. False if it is too large. */
  end(): boolean {
    const line = this.rest
    this.rest = ""
    if (line.length > this.maxSize) return false
    if (!blank.test(line)) this.onLine(line.endsWith("\r") ? line.slice(0, -1) : line)
    return true
  }
}

const byteOrderMark = 0xfeff
const blank = /^[ \t\r]*$/

class JsonLinesReader implements FrameReader {
  private readonly bytes = new Utf8()
  private readonly lines: Lines
  private fault: string | undefined
  private readonly feed = (text: string): boolean => {
    if (!this.lines.feed(text)) this.fault = tooLarge
    return this.fault === undefined
  }

  constructor(onLine: (line: string) => void) {
    this.lines = new Lines(maxFrameSize, onLine)
  }

  push(bytes: Uint8Array): string | undefined {
    return this.bytes.feed(bytes, this.feed) ? undefined : this.fault ?? notUtf8
  }

  end(): string | undefined {
    if (!this.bytes.isWhole) return notUtf8
    return this.lines.end() ? undefined : tooLarge
  }
}

export const jsonLines: Framing<string, string> = {
  contentType: "application/x-ndjson",
  makeReader: (onLine) => new JsonLinesReader(onLine),
  write: (json) => `${json}\n`
}
