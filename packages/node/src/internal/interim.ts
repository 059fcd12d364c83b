/**
 * Removes informational responses (RFC 9110, 15.2) before undici parses the response.
 *
 * A client must accept them even if it did not ask for them. undici ends the connection at a `100 Continue`, and reads any
 * number of the others.
 */
import type { Socket } from "node:net"

/** Without `101 Switching Protocols`, which no response follows. */
const statusLine = /^HTTP\/1\.\d 1(?!01)\d\d/
const sample = "HTTP/1.1 100"
const headEnd = "\r\n\r\n"

const nothing: Buffer = Buffer.alloc(0)

export class Interim {
  private isDue = false
  /** The beginning of what may be an informational response. */
  private held = nothing
  /** The bytes that were removed before the response that is due. */
  private taken = 0
  private readonly limit: number

  /** `limit` is the number of bytes that may be removed before one response. */
  constructor(limit: number) {
    this.limit = limit
  }

  /** To be called when a request is sent: its response comes next, or informational responses before it. */
  expect(): void {
    this.isDue = true
    this.held = nothing
    this.taken = 0
  }

  /** Returns the bytes that remain of a chunk, or undefined if too many were to be removed. */
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

/** Readers of the socket get only what `interim` passes. The socket is destroyed if too much is to be removed. */
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
