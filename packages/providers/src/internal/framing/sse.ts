/**
 * Framing of server-sent events (HTML standard, §9.2.6): lines that end with LF, CR or CRLF, fields, events that end with an
 * empty line. Ids and reconnection times are left out, since a broken answer is not resumed by them.
 *
 * Effect has a parser as well, `effect/encoding/Sse`, which finds the same events; it looks at each character by itself, and
 * takes several times as long for it (`npm run bench -- codec`).
 */
export class EventStream {
  /** The line that has not ended yet. */
  private rest = ""
  private isFirst = true
  /** A line ended with CR, so that LF, if it comes next, belongs to it. */
  private isAfterReturn = false
  private event = ""
  private data: string | undefined
  private readonly maxSize: number
  private readonly onEvent: (event: string, data: string) => void

  /** `maxSize` bounds a line and the data of an event, in UTF-16 code units. */
  constructor(maxSize: number, onEvent: (event: string, data: string) => void) {
    this.maxSize = maxSize
    this.onEvent = onEvent
  }

  /** False where a line or an event is too large; nothing may be fed after that. */
  feed(text: string): boolean {
    if (text === "") return true
    const isSkipped = this.isFirst ? text.charCodeAt(0) === byteOrderMark : this.isAfterReturn && text.startsWith("\n")
    this.isFirst = false
    this.isAfterReturn = text.endsWith("\r")
    const lines = (isSkipped ? text.slice(1) : text).split(text.includes("\r") ? anyLineEnd : "\n")
    const last = lines.pop() ?? ""
    for (const piece of lines) {
      const line = this.rest + piece
      this.rest = ""
      if (line.length > this.maxSize || !this.onLine(line)) return false
    }
    this.rest += last
    return this.rest.length <= this.maxSize
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
    if (data !== undefined) this.onEvent(event === "" ? "message" : event, data)
  }
}

const byteOrderMark = 0xfeff
const anyLineEnd = /\r\n?|\n/
const space = 32
