/**
 * Cuts the body of a stream into frames, and writes frames.
 *
 * A frame is the smallest piece with a meaning: one server-sent event, one line of JSON, one binary message. The protocol
 * gives it its meaning; the framing does not know it.
 */
export interface Framing<in out Frame, out Written extends string | Uint8Array = string | Uint8Array> {
  /** The media type of the body, without parameters. Requests accept it, and responses declare it. */
  readonly contentType: string
  /** Makes a reader of one body. It calls `onFrame` for each complete frame. */
  readonly makeReader: (onFrame: (frame: Frame) => void) => FrameReader
  /** The frame as it is sent: text, or the bytes of a binary framing. */
  readonly write: (frame: Frame) => Written
}

/**
 * Reads one body. It keeps at most one incomplete frame, whose size the framing bounds.
 *
 * Both methods return a fault: what is wrong with the bytes. Undefined means that they are valid. Do not call either method
 * after a fault.
 */
export interface FrameReader {
  /** Reads the next bytes, however the body is cut. */
  readonly push: (bytes: Uint8Array) => string | undefined
  /** Ends the body. Emits the last frame, if the framing allows it to end with the body. */
  readonly end: () => string | undefined
}

/** The largest frame, in UTF-16 code units. Frames of chat models are far smaller. */
export const maxFrameSize = 10 * 1024 * 1024

export const tooLarge = `an event of more than ${maxFrameSize} characters`
export const notUtf8 = "bytes that are not UTF-8"
