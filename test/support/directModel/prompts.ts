/** Prompts of all kinds, valid or not, and the options of a call. */
import { type LanguageModel, Prompt } from "effect/ai"
import * as fc from "fast-check"
import { json, mostly, optional, parsed, text, word } from "./values.ts"

const options = fc.oneof(
  fc.constant(undefined),
  fc.constant({}),
  fc.dictionary(fc.constantFrom("openai-chat", "clawback", "x"), fc.oneof(parsed, json), { maxKeys: 2 })
)
const typed = (id: string) => ({
  [`~effect/ai/Prompt/${id}`]: mostly(fc.constant(`~effect/ai/Prompt/${id}`), fc.constant("other"), 30)
})
const partFields = { options, ...typed("Part"), excess: fc.constant(1) }
/** Leaves out fields that are not required, at random. */
const fields = (model: Readonly<Record<string, fc.Arbitrary<unknown>>>, required: ReadonlyArray<string>) =>
  fc.record(model, { requiredKeys: required as [] })
const part = (type: string, model: Readonly<Record<string, fc.Arbitrary<unknown>>>, required: ReadonlyArray<string>) =>
  fields({ type: fc.constant(type), ...model, ...partFields }, ["type", ...required])

const textPart = part("text", { text }, ["text"])
const filePart = part("file", {
  mediaType: fc.constantFrom("image/png", "application/pdf"),
  fileName: optional(word),
  data: fc.oneof(
    fc.base64String({ maxLength: 8 }),
    fc.uint8Array({ maxLength: 8 }),
    fc.webUrl().map((url) => new URL(url)),
    fc.constant({ _tag: "Uint8Array", base64: "AQID" }),
    fc.constant("data:image/png;base64,AQID")
  )
}, ["mediaType", "data"])
const reasoningPart = part("reasoning", { text }, ["text"])
const toolCallPart = part("tool-call", { id: word, name: word, params: json, providerExecuted: fc.boolean() }, [
  "id",
  "name",
  "params"
])
const toolResultPart = part("tool-result", {
  id: word,
  name: word,
  isFailure: fc.boolean(),
  result: json,
  modelOutput: fc.array(fc.oneof(textPart, filePart), { maxLength: 2 })
}, ["id", "name", "isFailure", "result"])
const approvalId = fc.constantFrom("a1", "a2")
const approvalRequest = part("tool-approval-request", { approvalId, toolCallId: fc.constantFrom("c1", "c2") }, [
  "approvalId",
  "toolCallId"
])
const approvalResponse = part("tool-approval-response", { approvalId, approved: fc.boolean() }, [
  "approvalId",
  "approved"
])
/** What no prompt may have. */
const wrong: fc.Arbitrary<unknown> = fc.constantFrom(null, 1, "x", {}, { type: "text" }, { type: "text", text: 1 }, {
  type: "unknown"
})

const content = (...parts: ReadonlyArray<fc.Arbitrary<unknown>>) =>
  fc.oneof(text, fc.array(mostly(fc.oneof(...parts), wrong, 40), { maxLength: 3 }))

const message = (role: string, content: fc.Arbitrary<unknown>) =>
  fields({ role: fc.constant(role), content, options, ...typed("Message") }, ["role", "content"])

const textMessage = fc.oneof(
  message("system", text),
  message("user", fc.oneof(text, fc.array(textPart, { minLength: 1, maxLength: 2 }))),
  message("assistant", text)
)
const anyMessage = fc.oneof(
  message("system", text),
  message("user", content(textPart, filePart)),
  message("assistant", content(textPart, reasoningPart, toolCallPart, toolResultPart)),
  message("tool", fc.array(toolResultPart, { maxLength: 2 })),
  message("assistant", content(textPart, filePart))
)
/** A call that the user has approved, or not, or not yet. */
const approval = fc.tuple(
  message("assistant", fc.array(fc.oneof(textPart, approvalRequest), { minLength: 1, maxLength: 3 })),
  message("tool", fc.array(approvalResponse, { maxLength: 2 }))
)
const messages: fc.Arbitrary<ReadonlyArray<unknown>> = fc.oneof(
  fc.array(textMessage, { maxLength: 4 }),
  fc.array(mostly(anyMessage, wrong, 40), { maxLength: 4 }),
  approval
)

const asPrompt = (messages: ReadonlyArray<unknown>): Prompt.RawInput => {
  const input = messages as ReadonlyArray<Prompt.MessageEncoded>
  try {
    return Prompt.make(input)
  } catch {
    return input
  }
}

/** Makes the prompt anew for each model: an iterable can be read once. */
export type MakePrompt = () => Prompt.RawInput

/** What is no prompt, for a caller without types. */
const noPrompt = fc.constantFrom(undefined, null, 5, {})

const validPrompt: fc.Arbitrary<MakePrompt> = fc.oneof(
  text.map((text) => () => text),
  messages.map((messages) => () => messages as ReadonlyArray<Prompt.MessageEncoded>),
  messages.map((messages) => () => asPrompt(messages)),
  messages.map((messages) => () => messages.values() as Iterable<Prompt.MessageEncoded>)
)

export const prompt: fc.Arbitrary<MakePrompt> = mostly(
  validPrompt,
  noPrompt.map((input) => () => input as unknown as Prompt.RawInput),
  40
)

export type Options = Omit<LanguageModel.GenerateTextOptions<{}>, "prompt" | "toolkit">

export const callOptions = fields({
  toolChoice: fc.oneof(
    fc.constantFrom("auto", "none", "required"),
    fc.record({ tool: word }),
    fc.record({ oneOf: fc.array(word, { maxLength: 2 }) })
  ),
  concurrency: fc.oneof(fc.constant("unbounded"), fc.integer({ min: 1, max: 3 })),
  disableToolCallResolution: fc.boolean(),
  toolCallValidation: fc.constantFrom("strict", "deferred")
}, []) as fc.Arbitrary<Options>
