import type { ChatEvent, Started, Used } from "../../../ChatEvent.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import type { Peer } from "../../../Protocol.ts"
import { type Delta, JsonStreamDecoder } from "../../framing/jsonStreamDecoder.ts"
import { sse, type SseEvent } from "../../framing/sse.ts"
import * as From from "../../json/json.ts"
import { type Path, valueAt } from "../../json/repeatedText.ts"
import { classify } from "../openAi/decodeError.ts"
import { errorOf } from "../openAi/errorBody.ts"
import * as Response from "./decodeResponse.ts"
import { extrasOf, own, protocol, thinkingName, type Thought } from "./extras.ts"
import { finishOf } from "./finishReason.ts"
import type { Quirks } from "./quirks.ts"
import * as Details from "./reasoningDetails.ts"
import { callExtras, detailsOf, legacyCall, ToolCalls } from "./toolCalls.ts"
import { usageOf, used } from "./usage.ts"

type Emit = (event: ChatEvent) => void

/** One of the answers. Emits its content as events. */
class Choice implements Response.Listener {
  readonly calls: ToolCalls
  isFinished = false
  hasOutput = false
  /** What came of these since the last were emitted. */
  private found: Array<JsonObject> = []
  private readonly number: number
  private readonly emitEvent: Emit

  constructor(number: number, emitEvent: Emit) {
    this.number = number
    this.emitEvent = emitEvent
    this.calls = new ToolCalls(number)
  }

  /** Events of the first answer have no `choice`. Whatever follows thinking comes after its details. */
  emit(event: Exclude<ChatEvent, Started | Used>): void {
    this.hasOutput = true
    if (this.found.length > 0 && event._tag !== "ReasoningDelta" && event._tag !== "Native") {
      const details = this.found
      this.found = []
      this.emit({ _tag: "ReasoningSigned", details })
    }
    this.emitEvent(this.number === 0 ? event : { ...event, choice: this.number })
  }

  text(text: string): void {
    this.emit({ _tag: "TextDelta", text })
  }

  reasoning(text: string, extras: Thought): void {
    this.emit({ _tag: "ReasoningDelta", text, extras: { [protocol]: extras } })
  }

  details(details: ReadonlyArray<JsonObject>): void {
    Details.addDetails(this.found, details)
  }

  refusal(text: string): void {
    this.emit({ _tag: "RefusalDelta", text })
  }

  note(value: JsonObject): void {
    this.emit({ _tag: "Native", protocol, value, isNote: true })
  }

  finish(reason: string | undefined): void {
    this.isFinished = true
    this.emit({ _tag: "Finished", ...finishOf(reason) })
  }
}

const deltaPath: Path = ["choices", 0, "delta"]
const contentPath: Path = [...deltaPath, "content"]
const thinkingPath: Path = [...contentPath, 0, thinkingName, 0, "text"]
const callPath: Path = [...deltaPath, "tool_calls", 0]
const customPath: Path = [...callPath, "custom"]
const inputPath: Path = [...customPath, "input"]
const argumentsPath: Path = [...callPath, "function", "arguments"]

/** The place of a delta's text. */
const pathOf = (chunk: JsonObject, delta: Delta): Path => {
  if (delta._tag === "TextDelta") return contentPath
  if (delta._tag === "ReasoningDelta") {
    const name = From.string(own(delta.extras)["name"]) ?? ""
    return name === thinkingName ? thinkingPath : [...deltaPath, name]
  }
  return From.isObject(valueAt(chunk, customPath)) ? inputPath : argumentsPath
}

/** OpenAI's and Mistral's. Both hide the length of the text. */
const paddings = ["obfuscation", "p"]

const knownInChunk: ReadonlySet<string> = new Set([...Response.knownInResponse, "created"])

export class OpenAiChatDecoder extends JsonStreamDecoder<SseEvent> {
  private readonly quirks: Quirks
  private id = "0"
  private isStarted = false
  private usage: Omit<Used, "_tag"> | undefined
  /** The usage counts the whole answer: it came with the finish or after it, or the stream ended. */
  private isUsageFinal = false
  /** This chunk has details of thinking, which are collected: it is not one that emits its text and changes nothing. */
  private hasDetails = false
  private readonly choices = new Map<number, Choice>()
  private readonly expected: number
  /** The number of answers that began and did not finish, and of those that finished. */
  private open = 0
  private finished = 0
  /** Fields of the whole answer that were emitted already. Some servers repeat them in each chunk. */
  private readonly emittedFields = new Set(knownInChunk)
  private readonly emitEvent = (event: ChatEvent) => this.emit(event)

  constructor(quirks: Quirks, peer: Peer, choices = 1) {
    super(peer, sse, paddings)
    this.quirks = quirks
    this.expected = choices
  }

  /** Emits the usage last, once. Some servers repeat it in each chunk, and the last one is right. */
  protected override done(): void {
    super.done()
    if (this.usage !== undefined && this.isUsageFinal) this.emit({ _tag: "Used", ...this.usage })
  }

  protected override onFrame({ data, event }: SseEvent): void {
    if (event === "error") return this.onError(data)
    if (this.isRepeated(data)) return
    if (data.length < 32 && data.trim() === "[DONE]") return this.onDone()
    const chunk = From.parse(data)
    if (!From.isObject(chunk)) return this.onOther(chunk, data)
    if (chunk["error"] !== undefined && errorOf(chunk) !== undefined) {
      this.onError(data)
      if (this.failure !== undefined) return
    }
    this.hasDetails = false
    const isNew = this.isStarted ? this.onMore(chunk) : this.onFirst(chunk)
    const usage = usageOf(this.quirks, chunk)
    if (usage !== undefined && usage !== null) this.usage = used(this.quirks, usage) ?? this.usage
    for (const choice of From.array(chunk["choices"])) if (From.isObject(choice)) this.onChoice(choice, data)
    if (usage !== undefined && usage !== null) this.isUsageFinal = this.isFinished
    if (!isNew && !this.hasDetails) this.remember(data, chunk, (delta) => pathOf(chunk, delta))
  }

  /** Some servers send fewer answers than requested, and some send no finish: an answer that began is whole by now. */
  private onDone() {
    for (const choice of this.choices.values()) {
      if (!choice.isFinished && choice.hasOutput) this.onFinish(choice, undefined)
    }
    if (this.open > 0 || this.finished === 0) return
    this.isFinished = true
    this.isUsageFinal = true
    this.done()
  }

  /** An event that is no chunk. Google sends an error as a list. */
  private onOther(value: Json | undefined, data: string) {
    if (errorOf(value) === undefined) this.fail("an event that is not a JSON object", data)
    else this.onError(data)
  }

  /** The provider reported an error within the stream. After the finish, it changes nothing: the answer is whole. */
  private onError(data: string) {
    if (!this.isFinished) this.failure = classify(this.peer, { status: 200, headers: {}, body: data })
  }

  /** Returns whether the chunk has something new of the whole answer. */
  private onFirst(chunk: JsonObject): boolean {
    const id = From.string(chunk["id"])
    if (id === undefined && !Array.isArray(chunk["choices"])) return false
    this.isStarted = true
    this.id = id ?? this.id
    const extras = extrasOf(chunk, Response.knownInResponse)
    for (const name of Object.keys(extras.extras?.[protocol] ?? {})) this.emittedFields.add(name)
    this.emit({ _tag: "Started", id, model: From.string(chunk["model"]), ...extras })
    return true
  }

  /** Returns whether the chunk has something new of the whole answer. */
  private onMore(chunk: JsonObject): boolean {
    const response = From.others(chunk, this.emittedFields)
    if (response === undefined) return false
    for (const name of Object.keys(response)) this.emittedFields.add(name)
    this.emit({ _tag: "Native", protocol, value: { response }, isNote: true })
    return true
  }

  private choice(number: number): Choice {
    const known = this.choices.get(number)
    if (known !== undefined) return known
    const choice = new Choice(number, this.emitEvent)
    this.choices.set(number, choice)
    this.open++
    this.isFinished = false
    return choice
  }

  private onChoice(value: JsonObject, data: string) {
    const choice = this.choice(From.count(value["index"]) ?? 0)
    const delta = From.object(value["delta"])
    if (delta !== undefined) {
      Response.readMessage(this.quirks, delta, choice)
      this.hasDetails ||= Details.detailsOf(delta).length > 0
      const calls = delta["tool_calls"]
      if (calls !== undefined) { for (const fragment of From.array(calls)) this.onToolCall(choice, fragment, data) }
      if (delta["function_call"] !== undefined) {
        const legacy = legacyCall(delta)
        if (legacy !== undefined) this.onToolCall(choice, legacy, data)
      }
    }
    Response.readOthers(value, choice)
    const reason = From.string(value["finish_reason"])
    if (reason !== undefined && !choice.isFinished && this.failure === undefined) this.onFinish(choice, reason)
  }

  private onFinish(choice: Choice, reason: string | undefined) {
    choice.finish(reason)
    this.open--
    this.finished++
    this.isFinished = this.open === 0 && this.finished >= this.expected
  }

  private onToolCall(choice: Choice, value: unknown, data: string) {
    if (this.failure !== undefined) return
    const fragment = From.object(value) ?? {}
    const { name: given, text } = detailsOf(fragment)
    const found = choice.calls.find(this.id, fragment, given)
    if (found === undefined) return this.fail("a tool call without a name", data)
    const { call: { id, index, name }, isNew } = found
    if (isNew) choice.emit({ _tag: "ToolCallStarted", index, id, name, ...callExtras(fragment) })
    if (text === null) return this.fail("a tool call whose arguments are neither a string nor an object", data)
    if (text !== undefined && text !== "") choice.emit({ _tag: "ToolCallDelta", index, arguments: text })
  }
}
