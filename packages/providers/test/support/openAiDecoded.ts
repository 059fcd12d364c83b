/** Streams as our decoder reads them. */
import { type ChatEvent, OpenAiChat, type Protocol, type ProviderError } from "@clawback/providers"
import { utf8 } from "./openAiWire.ts"

export const peer: Protocol.Peer = { provider: "openai", redact: (text) => text }

/** The bytes from each cut to the next. */
export const cut = (bytes: Uint8Array, cuts: ReadonlyArray<number>): ReadonlyArray<Uint8Array> =>
  [...cuts.toSorted((a, b) => a - b), bytes.byteLength].map((end, i, ends) => bytes.subarray(ends[i - 1] ?? 0, end))

export interface Decoded {
  readonly events: ReadonlyArray<ChatEvent.ChatEvent>
  readonly isDone: boolean
  readonly failure: ProviderError.ProviderError | undefined
}

export const decode = (chunks: ReadonlyArray<Uint8Array>): Decoded => {
  const decoder = OpenAiChat.protocol.makeDecoder(peer)
  const events = [...chunks.flatMap((chunk) => decoder.push(chunk)), ...decoder.end()]
  return { events, isDone: decoder.isDone, failure: decoder.failure }
}

export const decodeText = (text: string): Decoded => decode([utf8(text)])
