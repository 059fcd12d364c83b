import * as Sse from "effect/encoding/Sse"
import type { ChatEvent } from "../ChatEvent.ts"
import type { Decoder, Peer } from "../Codec.ts"
import * as ProviderError from "../ProviderError.ts"
import { invalidResponse } from "./invalidResponse.ts"

/** A single event larger than this is no answer of a chat model. */
const maxEventSize = 10 * 1024 * 1024

const lineFeed = 10

/**
 * What the decoders of all event streams have in common: framing (server-sent events, HTML standard §9.2), and how a
 * stream ends. A protocol says in `onEvent` what its events mean.
 */
export abstract class StreamDecoder implements Decoder {
  isFinished = false
  isDone = false
  failure: ProviderError.ProviderError | undefined
  protected readonly peer: Peer
  private events: Array<ChatEvent> = []
  private delivered = 0
  private readonly text = new TextDecoder("utf-8", { fatal: true })
  private readonly sse: Sse.Parser

  constructor(peer: Peer) {
    this.peer = peer
    this.sse = Sse.makeParser((event) => {
      if (event._tag === "Event" && !this.isDone && this.failure === undefined) this.onEvent(event.event, event.data)
    }, { maxEventSize })
  }

  push(chunk: Uint8Array): ReadonlyArray<ChatEvent> {
    if (this.isDone || this.failure !== undefined) return []
    // Line by line, so that bytes that are not UTF-8 do not take along what came before them.
    for (let at = 0; at < chunk.length && this.failure === undefined;) {
      const end = chunk.indexOf(lineFeed, at) + 1 || chunk.length
      this.feed(chunk.subarray(at, end))
      at = end
    }
    return this.take()
  }

  end(): ReadonlyArray<ChatEvent> {
    if (this.isDone || this.failure !== undefined) return []
    if (this.isFinished) this.done()
    else {
      this.failure = new ProviderError.StreamTruncated({ provider: this.peer.provider, delivered: this.delivered })
    }
    return this.take()
  }

  /** One event of the stream; never after the end or a failure. */
  protected abstract onEvent(event: string, data: string): void

  /** The answer is whole and nothing more will come. */
  protected done(): void {
    this.isDone = true
  }

  protected emit(event: ChatEvent): void {
    this.events.push(event)
  }

  /** The provider broke its own format. */
  protected fail(detail: string, data: string): void {
    this.failure ??= invalidResponse(this.peer, detail, data)
  }

  private feed(bytes: Uint8Array) {
    try {
      const error = this.sse.feed(this.text.decode(bytes, { stream: true }))
      if (error !== undefined) this.fail(`an event of more than ${maxEventSize} bytes`, "")
    } catch (cause) {
      if (!(cause instanceof TypeError)) throw cause
      this.fail("bytes that are not UTF-8", "")
    }
  }

  private take(): ReadonlyArray<ChatEvent> {
    const events = this.events
    this.events = []
    this.delivered += events.length
    return events
  }
}
