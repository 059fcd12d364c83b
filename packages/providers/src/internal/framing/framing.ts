/**
 * How the body of a stream is cut into frames, and how frames are written.
 *
 * A frame is the smallest piece that has a meaning of its own: one server-sent event, one line of JSON, one binary message.
 * Frames know nothing of a protocol: what a frame means is the protocol's to say.
 */
export interface Framing<Frame> {
  /** The media type of such a body, without parameters. Requests accept it, and responses declare it. */
  readonly contentType: string
  /** A reader for one body. It calls `onFrame` once a frame is complete. */
  readonly makeReader: (onFrame: (frame: Frame) => void) => FrameReader
  /** The frame as it is sent. */
  readonly write: (frame: Frame) => string
}

/**
 * Reads one body. Its memory is bounded: at most one incomplete frame, of at most `maxFrameSize`.
 *
 * Both methods return what is wrong with the bytes, or undefined. After a fault, do not call them again.
 */
export interface FrameReader {
  /** Reads the next bytes, however the body is cut. */
  readonly push: (bytes: Uint8Array) => string | undefined
  /** The body has ended. Emits a last frame, if the framing lets a frame end with the body. */
  readonly end: () => string | undefined
}

/** In UTF-16 code units. No event of a chat model is larger. */
export const maxFrameSize = 10 * 1024 * 1024

export const tooLarge = `an event of more than ${maxFrameSize} characters`
export const notUtf8 = "bytes that are not UTF-8"
