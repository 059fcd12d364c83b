/** Requests of all kinds that both protocols can express, and what identifies one of them. */
import type { ChatRequest } from "@clawback/providers"
import * as fc from "fast-check"

const text = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 })
const name = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9_-]{0,15}$/)
const base64 = fc.base64String({ minLength: 4, maxLength: 40 })
const json = fc.jsonValue({ maxDepth: 3 })

const textPart = fc.record({ type: fc.constant("text" as const), text })
const image = fc.record({
  type: fc.constant("image" as const),
  source: fc.oneof(
    fc.record({ mediaType: fc.constantFrom("image/png", "image/jpeg", "image/webp"), data: base64 }),
    fc.record({ url: fc.webUrl() })
  )
})

const userMessage: fc.Arbitrary<ChatRequest.UserMessage> = fc.record({
  role: fc.constant("user" as const),
  content: fc.oneof(text, fc.array(fc.oneof(textPart, image), { minLength: 1, maxLength: 4 }))
})

interface Answer {
  readonly thoughts: ReadonlyArray<{ readonly text: string; readonly signature: string }>
  readonly texts: ReadonlyArray<string>
  readonly calls: ReadonlyArray<{ readonly name: string; readonly input: object; readonly result: string }>
}

const answer: fc.Arbitrary<Answer> = fc.record({
  thoughts: fc.array(fc.record({ text, signature: base64 }), { maxLength: 2 }),
  texts: fc.array(text, { minLength: 0, maxLength: 2 }),
  calls: fc.array(
    fc.record({ name, input: fc.dictionary(fc.string({ maxLength: 8 }), json, { maxKeys: 4 }), result: text }),
    { maxLength: 3 }
  )
}).filter(({ calls, texts }) => calls.length + texts.length > 0)

/** What the model says, and the results of the tools that it calls. */
const spoken = ({ calls, texts, thoughts }: Answer, turn: number): ReadonlyArray<ChatRequest.Message> => [
  {
    role: "assistant",
    content: [
      ...thoughts.map((thought) => ({ type: "reasoning" as const, ...thought })),
      ...texts.map((text) => ({ type: "text" as const, text })),
      ...calls.map(({ input, name }, index) => ({
        type: "tool-call" as const,
        id: `call_${turn}_${index}`,
        name,
        arguments: JSON.stringify(input)
      }))
    ]
  },
  ...calls.map(({ result }, index): ChatRequest.ToolMessage => ({
    role: "tool",
    toolCallId: `call_${turn}_${index}`,
    content: result
  }))
]

const tool: fc.Arbitrary<ChatRequest.FunctionTool> = fc.record({
  name,
  description: text,
  parameters: fc.constant({ type: "object", properties: { city: { type: "string" } }, required: ["city"] })
})

/** Conversations with parallel calls, thinking and images. */
export const chatRequest: fc.Arbitrary<ChatRequest.ChatRequest> = fc.record({
  system: fc.option(text),
  turns: fc.array(fc.tuple(userMessage, answer), { maxLength: 4 }),
  last: userMessage,
  tools: fc.uniqueArray(tool, { maxLength: 3, selector: ({ name }) => name }),
  maxOutputTokens: fc.integer({ min: 1, max: 100_000 }),
  stop: fc.option(fc.array(text, { minLength: 1, maxLength: 3 }))
}).map(({ last, maxOutputTokens, stop, system, tools, turns }): ChatRequest.ChatRequest => ({
  model: "model-1",
  messages: [
    ...(system === null ? [] : [{ role: "system" as const, content: system }]),
    ...turns.flatMap(([asked, answer], turn) => [asked, ...spoken(answer, turn)]),
    last
  ],
  maxOutputTokens,
  tools,
  stop: stop ?? undefined
}))

/** One thing that was said, in a form that equals another of the same meaning. */
type Meant = readonly [kind: string, ...ReadonlyArray<unknown>]

const partMeant = (
  role: string,
  part: Exclude<ChatRequest.Message["content"], string>[number]
): ReadonlyArray<Meant> => {
  switch (part.type) {
    case "text":
    case "refusal":
      return part.text === "" ? [] : [[role, part.text]]
    case "tool-call":
      return [["call", part.id, part.name, JSON.parse(part.arguments)]]
    case "image":
    case "file":
      return [[part.type, { ...part.source }]]
    case "reasoning":
    case "native":
      return []
  }
}

const messageMeant = (message: ChatRequest.Message): ReadonlyArray<Meant> => {
  const role = message.role === "tool" ? `result of ${message.toolCallId}` : message.role
  const { content } = message
  if (typeof content === "string") return content === "" && role !== message.role ? [[role, ""]] : [[role, content]]
  return content.flatMap((part) => partMeant(role, part))
}

/**
 * What a conversation means: who said which text, called which tool with what, and what came of it. Texts of the same one
 * in a row are one.
 */
export const meaning = ({ messages }: ChatRequest.ChatRequest): ReadonlyArray<Meant> => {
  const all: Array<Meant> = []
  for (const meant of messages.flatMap(messageMeant)) {
    const last = all.at(-1)
    const isSame = meant.length === 2 && last?.[0] === meant[0] && typeof meant[1] === "string"
    if (isSame) all[all.length - 1] = [meant[0], `${String(last?.[1])}${meant[1]}`]
    else all.push(meant)
  }
  return all
}
