import type { ChatEvent } from "../../ChatEvent.ts"
import type { Decoder, Peer } from "../../Protocol.ts"
import * as ProviderError from "../../ProviderError.ts"
import { invalidResponse } from "../model/invalidResponse.ts"
import type { FrameReader, Framing } from "./framing.ts"

/**
 * The base of all stream decoders. It reads frames, and decides how a stream ends. A protocol implements `onFrame`, which calls
 * `emit`, `done` and `fail`, and sets `isFinished` once the answer is whole.
 */
export abstract class StreamDecoder<Frame> implements Decoder {
  isFinished = false
  isDone = false
  failure: ProviderError.ProviderError | undefined
  protected readonly peer: Peer
  /** The events that `push` or `end` returns next. */
  private events: Array<ChatEvent> = []
  private delivered = 0
  private readonly reader: FrameReader

  constructor(peer: Peer, framing: Framing<Frame>) {
    this.peer = peer
    this.reader = framing.makeReader((frame) => {
      if (!this.isOver) this.onFrame(frame)
    })
  }

  push(chunk: Uint8Array): ReadonlyArray<ChatEvent> {
    if (this.isOver) return []
    this.check(this.reader.push(chunk))
    return this.take()
  }

  end(): ReadonlyArray<ChatEvent> {
    if (this.isOver) return []
    this.check(this.reader.end())
    if (this.isOver) return this.take()
    if (this.isFinished) {
      this.done()
      return this.take()
    }
    const events = this.take()
    this.failure = new ProviderError.StreamTruncated({ provider: this.peer.provider, delivered: this.delivered })
    return events
  }

  /** Handles one frame. It is not called after the end or a failure. */
  protected abstract onFrame(frame: Frame): void

  /** Ends the stream: the answer is whole and no more events come. */
  protected done(): void {
    this.isDone = true
  }

  protected emit(event: ChatEvent): void {
    this.events.push(event)
  }

  /** Fails the stream: a frame breaks the protocol. `text` is quoted in the error. */
  protected fail(detail: string, text: string): void {
    this.failure ??= invalidResponse(this.peer, detail, text)
  }

  private get isOver(): boolean {
    return this.isDone || this.failure !== undefined
  }

  /** Bytes after the end of an answer need not be valid. */
  private check(fault: string | undefined): void {
    if (fault !== undefined && !this.isOver) this.fail(fault, "")
  }

  private take(): ReadonlyArray<ChatEvent> {
    const events = this.events
    if (events.length === 0) return events
    this.events = []
    this.delivered += events.length
    return events
  }
}
