/**
 * Framings of streams: how bytes become frames, and frames bytes, whatever the protocol.
 *
 * A protocol declares its framing, and its stream decoder extends `StreamDecoder`, which gives it frames. Two framings are
 * here, `sse` and `jsonLines`. A framing of your own is a value of the type `Framing`: a binary one, for instance, needs no
 * change anywhere else.
 */
import * as JsonLines from "./internal/framing/jsonLines.ts"
import * as Sse from "./internal/framing/sse.ts"

import type { FrameReader, Framing } from "./internal/framing/framing.ts"
export type { FrameReader, Framing }
export { StreamDecoder } from "./internal/framing/streamDecoder.ts"

/** A server-sent event. Its name is `message` if it has none. */
export type SseEvent = Sse.SseEvent

/** Server-sent events: HTML standard, §9.2. An event is of at most 10 MiB characters. */
export const sse: Framing<SseEvent> = Sse.sse

/** JSON lines, each of at most 10 MiB characters. A frame is the text of one line, which is not parsed. */
export const jsonLines: Framing<string> = JsonLines.jsonLines
