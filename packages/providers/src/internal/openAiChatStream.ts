import * as Sse from "effect/encoding/Sse"
import type { ChatEvent, Used } from "../ChatEvent.ts"
import type { Decoder, Peer } from "../OpenAiChat.ts"
import * as ProviderError from "../ProviderError.ts"
import * as From from "./json.ts"
import { classify, invalidResponse } from "./openAiChatErrors.ts"
import { argumentsText, finished, said, used } from "./openAiChatResponse.ts"
import { ToolCalls } from "./openAiChatToolCalls.ts"

/** A single event larger than this is no answer of a chat model. */
const maxEventSize = 10 * 1024 * 1024

const lineFeed = 10

export class StreamDecoder implements Decoder {
  isFinished = false
  isDone = false
  failure: ProviderError.ProviderError | undefined
  private events: Array<ChatEvent> = []
  private delivered = 0
  private isStarted = false
  private usage: Used | undefined
  private readonly calls = new ToolCalls()
  private readonly text = new TextDecoder("utf-8", { fatal: true })
  private readonly sse: Sse.Parser
  private readonly peer: Peer

  constructor(peer: Peer) {
    this.peer = peer
    this.sse = Sse.makeParser((event) => {
      if (event._tag === "Event") this.onEvent(event)
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

  private fail(detail: string, data: string) {
    this.failure ??= invalidResponse(this.peer, detail, data)
  }

  /** The provider says that it failed, after it had begun to answer. */
  private failWith(data: string) {
    this.failure = classify(this.peer, { status: 200, headers: {}, body: data })
  }

  /** Usage comes once, last: some servers repeat it in every chunk, and the last is right. */
  private done() {
    this.isDone = true
    if (this.usage !== undefined) this.events.push(this.usage)
  }

  private onEvent({ event, data }: Sse.Event) {
    if (this.isDone || this.failure !== undefined) return
    if (event === "error") return this.failWith(data)
    if (data.trim() === "[DONE]") {
      if (this.isFinished) this.done()
      return
    }
    const chunk = From.object(From.parse(data))
    if (chunk === undefined) return this.fail("an event that is not a JSON object", data)
    // OpenAI sends an object; compatible servers send a mere message as well.
    if (From.isObject(chunk["error"]) || From.string(chunk["error"]) !== undefined) return this.failWith(data)
    if (!this.isStarted) {
      this.isStarted = true
      this.events.push({ _tag: "Started", id: From.string(chunk["id"]), model: From.string(chunk["model"]) })
    }
    this.usage = used(chunk["usage"]) ?? this.usage
    for (const choice of From.array(chunk["choices"])) {
      // One answer was asked for; others that `extras` may have asked for have no place in one stream of events.
      if (From.isObject(choice) && (choice["index"] ?? 0) === 0) this.onChoice(choice, data)
    }
  }

  private onChoice(choice: From.JsonObject, data: string) {
    const delta = From.object(choice["delta"]) ?? {}
    said(delta, this.events)
    for (const value of From.array(delta["tool_calls"])) {
      const fragment = From.object(value) ?? {}
      const found = this.calls.find(fragment)
      if (found === undefined) return this.fail("a tool call that begins without id or name", data)
      const { call: { id, index, name }, isNew } = found
      if (isNew) this.events.push({ _tag: "ToolCallStarted", index, id, name })
      const text = argumentsText(From.object(fragment["function"]))
      if (text === null) return this.fail("a tool call whose arguments are not a text", data)
      if (text !== undefined && text !== "") this.events.push({ _tag: "ToolCallDelta", index, arguments: text })
    }
    const reason = From.string(choice["finish_reason"])
    if (reason !== undefined && !this.isFinished) {
      this.isFinished = true
      this.events.push(finished(reason))
    }
  }
}
