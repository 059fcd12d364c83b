import type { ChatEvent } from "../../ChatEvent.ts"
import type { Decoder, Peer } from "../../Protocol.ts"
import * as ProviderError from "../../ProviderError.ts"
import { invalidResponse } from "../model/invalidResponse.ts"
import { EventStream } from "./sse.ts"
import { Utf8 } from "./utf8.ts"

/** A single event larger than this is no answer of a chat model. */
const maxEventSize = 10 * 1024 * 1024

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
  private readonly bytes = new Utf8()
  private readonly stream = new EventStream(maxEventSize, (event, data) => {
    if (!this.isOver) this.onEvent(event, data)
  })

  constructor(peer: Peer) {
    this.peer = peer
  }

  push(chunk: Uint8Array): ReadonlyArray<ChatEvent> {
    if (this.isOver) return []
    if (!this.bytes.feed(chunk, this.feed) && !this.isOver) this.fail("bytes that are not UTF-8", "")
    return this.take()
  }

  end(): ReadonlyArray<ChatEvent> {
    if (this.isOver) return []
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

  private get isOver(): boolean {
    return this.isDone || this.failure !== undefined
  }

  private readonly feed = (text: string): boolean => {
    if (!this.stream.feed(text)) this.fail(`an event of more than ${maxEventSize} characters`, "")
    return !this.isOver
  }

  private take(): ReadonlyArray<ChatEvent> {
    const events = this.events
    if (events.length === 0) return events
    this.events = []
    this.delivered += events.length
    return events
  }
}
