/** Answers of a chat model, in one piece and streamed. */
import type { ChatEvent, ChatRequest, ChatResponse } from "@clawback/providers"
import * as fc from "fast-check"
import { toolArguments, toolName } from "./tools.ts"
import { extras, json, mostly, optional, text, word } from "./values.ts"

const usageOf = (count: fc.Arbitrary<number | undefined>): fc.Arbitrary<Omit<ChatEvent.Used, "_tag">> =>
  fc.record({
    inputTokens: count,
    outputTokens: count,
    cachedInputTokens: count,
    cacheWriteTokens: count,
    reasoningTokens: count,
    raw: fc.constant({})
  })
/** Effect's schema refuses a count that is no safe integer. */
const odd = fc.constantFrom(undefined, undefined, undefined, 1.5, 2 ** 60)
const usage = mostly(usageOf(optional(fc.nat(1000))), usageOf(odd), 8)
const reason = fc.constantFrom<Array<ChatEvent.FinishReason>>(
  "stop",
  "stop",
  "length",
  "tool-calls",
  "content-filter",
  "other"
)
const nameOrOther = mostly(toolName, word, 3)
const args = fc.oneof(
  fc.constantFrom("", "{\"place\":\"here\"}"),
  fc.dictionary(word, json, { maxKeys: 2 }).map((params) => JSON.stringify(params)),
  fc.constantFrom("{", "null", "[1]", "nope")
)
const answerPart: fc.Arbitrary<ChatRequest.AssistantPart> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant("text"), text }) },
  fc.record({ type: fc.constant("refusal"), text }),
  fc.record({ type: fc.constant("reasoning"), text, signature: word, redacted: word, extras }, {
    requiredKeys: ["type", "text"]
  }),
  fc.record({ type: fc.constant("tool-call"), id: word, name: nameOrOther, arguments: args, extras }, {
    requiredKeys: ["type", "id", "name", "arguments"]
  }),
  fc.record({ type: fc.constant("native"), protocol: word, value: fc.constant({}) })
)
/** Without tool calls, which only a toolkit makes valid. */
const plainPart = answerPart.filter(({ type }) => type !== "tool-call")

/** A call of one of the tools, mostly with arguments that it takes. */
const knownCall: fc.Arbitrary<ChatRequest.AssistantPart> = fc.record({
  type: fc.constant("tool-call"),
  id: word,
  call: toolName.chain((name) =>
    fc.record({ name: fc.constant(name), arguments: mostly(toolArguments(name), args, 8) })
  )
}).map(({ call, ...part }) => Object.assign(part, call))
const knownCalls = fc.tuple(
  fc.array(plainPart, { maxLength: 2 }),
  fc.array(knownCall, { minLength: 1, maxLength: 4 })
).map((parts) => parts.flat())

const finish = fc.record({ reason, raw: word })
const choice = fc.record({
  content: fc.oneof(
    { weight: 4, arbitrary: fc.array(plainPart, { maxLength: 4 }) },
    { weight: 4, arbitrary: knownCalls },
    fc.array(answerPart, { maxLength: 4 })
  ),
  finish
})
const answering = (choices: fc.Arbitrary<ChatResponse.ChatResponse["choices"]>) =>
  fc.record<ChatResponse.ChatResponse>({ id: optional(word), model: optional(word), choices, usage: optional(usage) })

export const response = answering(
  fc.oneof({ weight: 4, arbitrary: fc.tuple(choice) }, fc.tuple(choice, choice))
)
export const calling = answering(fc.tuple(fc.record({ content: knownCalls, finish })))

const choiceNumber = fc.constantFrom(undefined, undefined, 0, 1)
const index = fc.nat(2)
const event: fc.Arbitrary<ChatEvent.ChatEvent> = fc.oneof<Array<fc.Arbitrary<ChatEvent.ChatEvent>>>(
  fc.record({ _tag: fc.constant("TextDelta"), text }),
  fc.record({ _tag: fc.constant("TextDelta"), text, choice: choiceNumber }),
  fc.record({ _tag: fc.constant("RefusalDelta"), text, choice: choiceNumber }),
  fc.record({ _tag: fc.constant("ReasoningDelta"), text, extras, choice: choiceNumber }, {
    requiredKeys: ["_tag", "text"]
  }),
  fc.record({ _tag: fc.constant("ReasoningSigned"), signature: word, redacted: word, choice: choiceNumber }, {
    requiredKeys: ["_tag"]
  }),
  fc.record(
    { _tag: fc.constant("ToolCallStarted"), index, id: word, name: nameOrOther, extras, choice: choiceNumber },
    {
      requiredKeys: ["_tag", "index", "id", "name"]
    }
  ),
  fc.record({ _tag: fc.constant("ToolCallDelta"), index, arguments: args, choice: choiceNumber }),
  fc.record({ _tag: fc.constant("Native"), protocol: word, value: fc.constant({}), choice: choiceNumber })
)

const isToolEvent = ({ _tag }: ChatEvent.ChatEvent) => _tag === "ToolCallStarted" || _tag === "ToolCallDelta"
const started: fc.Arbitrary<ChatEvent.ChatEvent> = fc.record({
  _tag: fc.constant("Started"),
  id: optional(word),
  model: optional(word)
})
const finished: fc.Arbitrary<ChatEvent.ChatEvent> = fc.record({ _tag: fc.constant("Finished"), reason, raw: word })
const used: fc.Arbitrary<ChatEvent.ChatEvent> = usage.map((usage) => Object.assign({ _tag: "Used" as const }, usage))

const events = fc.tuple(
  fc.array(started, { maxLength: 1 }),
  fc.oneof(
    { weight: 3, arbitrary: fc.array(event.filter((event) => !isToolEvent(event)), { maxLength: 10 }) },
    fc.array(event, { maxLength: 10 })
  ),
  fc.array(finished, { maxLength: 1 }),
  fc.array(used, { maxLength: 1 })
).map((events) => events.flat())

/** Cuts events into the pieces in which they arrive. */
export const pieces = fc.tuple(events, fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 12 })).map(
  ([events, sizes]) => {
    const left = [...events]
    const cut = sizes.map((size) => left.splice(0, size))
    return [...cut, left].filter((piece) => piece.length > 0)
  }
)
