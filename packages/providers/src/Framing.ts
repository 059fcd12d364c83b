/**
 * Framings of streams: they cut bytes into frames, and write frames. They know no protocol.
 *
 * A protocol declares its framing. Its stream decoder extends `StreamDecoder`, and receives frames. Two framings are built
 * in: `sse` and `jsonLines`. A framing of your own is a value of the type `Framing`, such as one of binary messages.
 *
 * @experimental
 */

import * as JsonLines from "./internal/framing/jsonLines.ts"
import * as Sse from "./internal/framing/sse.ts"

import type { FrameReader, Framing } from "./internal/framing/framing.ts"
export type { FrameReader, Framing }
export { StreamDecoder } from "./internal/framing/streamDecoder.ts"

/** A server-sent event. Its name is `message` if it has none. */
export type SseEvent = Sse.SseEvent

/** Server-sent events: HTML standard, §9.2. Limit of an event: 10 Mi characters. */
export const sse: Framing<SseEvent, string> = Sse.sse

/** JSON lines. A frame is the text of one line, not parsed. Limit of a line: 10 Mi characters. */
export const jsonLines: Framing<string, string> = JsonLines.jsonLines
