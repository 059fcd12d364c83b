import * as Option from "effect/Option"
import type { ChatEvent, Finished, Started, Used } from "../../ChatEvent.ts"
import type { AssistantPart, ReasoningPart, RefusalPart, TextPart, ToolCallPart } from "../../ChatRequest.ts"
import type { ChatResponse, Choice } from "./chatResponse.ts"

type Writable<T> = { -readonly [K in keyof T]: T[K] }

type Run = Writable<TextPart> | Writable<RefusalPart> | Writable<ReasoningPart>

/** Collects the events of one answer. */
class Answer {
  private readonly content: Array<AssistantPart> = []
  /** The part that the next delta of its kind extends. */
  private run: Run | undefined
  private readonly calls = new Map<number, Writable<ToolCallPart>>()
  private finish: Choice["finish"] | undefined

  push(event: Exclude<ChatEvent, { readonly _tag: "Started" | "Used" }>): void {
    switch (event._tag) {
      case "TextDelta":
        if (this.run?.type === "text") this.run.text += event.text
        else this.begin({ type: "text", text: event.text })
        break
      case "RefusalDelta":
        if (this.run?.type === "refusal") this.run.text += event.text
        else this.begin({ type: "refusal", text: event.text })
        break
      case "ReasoningDelta":
        if (this.run?.type === "reasoning") this.run.text += event.text
        else this.begin({ type: "reasoning", text: event.text, ...(event.extras && { extras: event.extras }) })
        break
      case "ReasoningSigned": {
        const thought = this.run?.type === "reasoning"
          ? this.run
          : this.begin<Writable<ReasoningPart>>({ type: "reasoning", text: "" })
        if (event.signature !== undefined) thought.signature = event.signature
        if (event.redacted !== undefined) thought.redacted = event.redacted
        if (event.details !== undefined) thought.details = event.details
        this.run = undefined
        break
      }
      case "ToolCallStarted": {
        const { extras, id, index, name } = event
        const call = { type: "tool-call", id, name, arguments: "", ...(extras && { extras }) } as const
        this.run = undefined
        this.calls.set(index, call)
        this.content.push(call)
        break
      }
      case "ToolCallDelta": {
        const call = this.calls.get(event.index)
        if (call !== undefined) call.arguments += event.arguments
        break
      }
      case "Native": {
        const part = { type: "native", protocol: event.protocol, value: event.value } as const
        // A note follows the part that it is about, which may still grow.
        if (event.isNote !== true) this.run = undefined
        this.content.push(part)
        break
      }
      case "Finished": {
        const { extras, raw, reason, stopSequence } = event
        this.finish ??= {
          reason,
          raw,
          ...(stopSequence !== undefined && { stopSequence }),
          ...(extras && { extras })
        }
        break
      }
    }
  }

  end(): Choice | undefined {
    return this.finish && { content: this.content, finish: this.finish }
  }

  private begin<P extends Run>(part: P): P {
    this.run = part
    this.content.push(part)
    return part
  }
}

const isWhole = (choices: ReadonlyArray<Choice | undefined>): choices is ChatResponse["choices"] =>
  choices.length > 0 && choices.every((choice) => choice !== undefined)

export const fromEvents = (events: Iterable<ChatEvent>): Option.Option<ChatResponse> => {
  const answers = new Map<number, Answer>()
  let started: Extract<ChatEvent, { readonly _tag: "Started" }> | undefined
  let usage: Omit<Used, "_tag"> | undefined
  for (const event of events) {
    if (event._tag === "Started") started ??= event
    else if (event._tag === "Used") {
      const { _tag, ...counts } = event
      usage = counts
    } else {
      const answer = answers.get(event.choice ?? 0) ?? new Answer()
      answers.set(event.choice ?? 0, answer)
      answer.push(event)
    }
  }
  const choices = [...answers].toSorted(([a], [b]) => a - b).map(([, answer]) => answer.end())
  if (!isWhole(choices)) return Option.none()
  return Option.some({
    id: started?.id,
    model: started?.model,
    choices,
    usage,
    ...(started?.extras && { extras: started.extras }),
    ...(started?.dropped && { dropped: started.dropped })
  })
}

const partEvents = (part: AssistantPart, index: number, events: Array<ChatEvent>, choice: object): void => {
  switch (part.type) {
    case "text":
      if (part.text !== "") events.push({ _tag: "TextDelta", text: part.text, ...choice })
      break
    case "refusal":
      if (part.text !== "") events.push({ _tag: "RefusalDelta", text: part.text, ...choice })
      break
    case "reasoning": {
      const { details, extras, redacted, signature, text } = part
      if (text !== "") events.push({ _tag: "ReasoningDelta", text, ...(extras && { extras }), ...choice })
      if (signature === undefined && redacted === undefined && details === undefined) break
      events.push({
        _tag: "ReasoningSigned",
        ...(signature !== undefined && { signature }),
        ...(redacted !== undefined && { redacted }),
        ...(details !== undefined && { details }),
        ...choice
      })
      break
    }
    case "tool-call": {
      const { arguments: text, extras, id, name } = part
      events.push({ _tag: "ToolCallStarted", index, id, name, ...(extras && { extras }), ...choice })
      if (text !== "") events.push({ _tag: "ToolCallDelta", index, arguments: text, ...choice })
      break
    }
    case "native":
      events.push({ _tag: "Native", protocol: part.protocol, value: part.value, ...choice })
      break
  }
}

export const toEvents = ({ choices, dropped, extras, id, model, usage }: ChatResponse): ReadonlyArray<ChatEvent> => {
  const started: Started = { _tag: "Started", id, model, ...(extras && { extras }), ...(dropped && { dropped }) }
  const events: Array<ChatEvent> = [started]
  for (const [number, { content, finish }] of choices.entries()) {
    const choice = number === 0 ? {} : { choice: number }
    let calls = 0
    for (const part of content) partEvents(part, part.type === "tool-call" ? calls++ : 0, events, choice)
    const finished: Finished = { _tag: "Finished", ...finish, ...choice }
    events.push(finished)
  }
  if (usage !== undefined) events.push({ _tag: "Used", ...usage })
  return events
}
