/**
 * Takes informational answers (RFC 9110, 15.2) out of what a server sends before its answer.
 *
 * A client must bear them whether or not it asked. undici ends the connection at a `100 Continue`, and reads any number of
 * the others, so it is not shown any.
 */
import type { Socket } from "node:net"

/** `101 Switching Protocols` is none: after it there is no answer. */
const statusLine = /^HTTP\/1\.\d 1(?!01)\d\d/
const sample = "HTTP/1.1 100"
const headEnd = "\r\n\r\n"

const nothing: Buffer = Buffer.alloc(0)

export class Interim {
  private isDue = false
  /** The beginning of what may be an informational answer. */
  private held = nothing
  /** Bytes that were taken out before the answer that is due. */
  private taken = 0
  private readonly limit: number

  /** `limit` is how many bytes of them there may be before one answer. */
  constructor(limit: number) {
    this.limit = limit
  }

  /** A request is sent: what comes next is its answer, or precedes it. */
  expect(): void {
    this.isDue = true
    this.held = nothing
    this.taken = 0
  }

  /** What is left of bytes that came; undefined where there were too many that are not. */
  pass(chunk: Buffer): Buffer | undefined {
    if (!this.isDue) return chunk
    let bytes = this.held.length === 0 ? chunk : Buffer.concat([this.held, chunk])
    this.held = nothing
    while (true) {
      const start = bytes.toString("latin1", 0, sample.length)
      if (!statusLine.test(start + sample.slice(start.length))) {
        this.isDue = false
        return bytes
      }
      const end = bytes.indexOf(headEnd)
      const size = end < 0 ? bytes.length : end + headEnd.length
      if (this.taken + size > this.limit) return undefined
      if (end < 0) {
        this.held = bytes
        return nothing
      }
      this.taken += size
      bytes = bytes.subarray(size)
    }
  }
}

/** Has whoever reads the socket see what an `Interim` leaves. One that is sent too much is destroyed with an error. */
export const filter = (socket: Socket, interim: Interim, tooMuch: () => Error): void => {
  const read = socket.read.bind(socket)
  socket.read = (size) => {
    while (true) {
      const chunk: Buffer | null = read(size)
      if (chunk === null) return null
      const left = interim.pass(chunk)
      if (left === undefined) {
        socket.destroy(tooMuch())
        return null
      }
      if (left.length > 0) return left
    }
  }
}
