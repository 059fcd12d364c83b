/** Conversations of every kind that the model has, for properties that hold for all of them. */
import type { ChatRequest } from "@clawback/providers"
import * as fc from "fast-check"

const optional = <A>(arbitrary: fc.Arbitrary<A>) => fc.option(arbitrary, { nil: undefined })

/** Without the fields that are undefined. */
const present = <A extends object>(arbitrary: fc.Arbitrary<A>): fc.Arbitrary<A> =>
  arbitrary.map((value) => Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as A)

const word = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 })
const name = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9_-]{0,20}$/)
const id = fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/)
const base64 = fc.base64String({ maxLength: 24 })
const jsonObject = fc.dictionary(word, fc.jsonValue({ maxDepth: 3 }), { maxKeys: 4 }) as fc.Arbitrary<
  ChatRequest.JsonObject
>

const text: fc.Arbitrary<ChatRequest.TextPart> = fc.record({ type: fc.constant("text"), text: word })

const source = (mediaTypes: ReadonlyArray<string>): fc.Arbitrary<ChatRequest.Source> =>
  fc.oneof(
    fc.record({ mediaType: fc.constantFrom(...mediaTypes), data: base64 }),
    fc.record({ url: fc.webUrl() })
  )

const image: fc.Arbitrary<ChatRequest.ImagePart> = fc.record({
  type: fc.constant("image"),
  source: source(["image/png", "image/jpeg", "image/webp"])
})

const file: fc.Arbitrary<ChatRequest.FilePart> = present(fc.record({
  type: fc.constant("file" as const),
  source: fc.record({ mediaType: fc.constant("application/pdf"), data: base64 }),
  name: optional(word)
}))

const reasoning: fc.Arbitrary<ChatRequest.ReasoningPart> = fc.oneof(
  fc.record({
    type: fc.constant("reasoning" as const),
    text: fc.oneof(word, fc.constant("")),
    signature: base64.filter((s) => s !== "")
  }),
  fc.record({ type: fc.constant("reasoning" as const), text: fc.constant(""), redacted: base64 })
)

const call: fc.Arbitrary<ChatRequest.ToolCallPart> = fc.record({
  type: fc.constant("tool-call"),
  id,
  name,
  arguments: jsonObject.map((input) => JSON.stringify(input))
})

export interface Options {
  /** Whether documents and thinking can be said. */
  readonly isRich: boolean
}

const user = ({ isRich }: Options): fc.Arbitrary<ChatRequest.Message> =>
  fc.oneof(
    fc.record({ role: fc.constant("user" as const), content: word }),
    fc.record({
      role: fc.constant("user" as const),
      content: fc.array(isRich ? fc.oneof(text, image, file) : fc.oneof(text, image), { minLength: 1, maxLength: 4 })
    })
  )

/** An answer without calls, or one with several and what each came to. */
const answer = ({ isRich }: Options): fc.Arbitrary<ReadonlyArray<ChatRequest.Message>> =>
  fc.record({
    thoughts: fc.array(reasoning, { maxLength: isRich ? 2 : 0 }),
    said: fc.array(text, { maxLength: 1 }),
    calls: fc.uniqueArray(call, { selector: ({ id }) => id, maxLength: 3 }),
    results: fc.array(fc.record({ content: word, isError: optional(fc.boolean()) }), { minLength: 3, maxLength: 3 })
  }).map(({ calls, results, said, thoughts }): ReadonlyArray<ChatRequest.Message> => {
    const content = [thoughts, said, calls].flat()
    const outcomes = calls.map(({ id }, index): ChatRequest.Message => {
      const { content = "", isError } = results[index] ?? {}
      const message = { role: "tool", toolCallId: id, content } as const
      return isError !== undefined && isRich ? Object.assign(message, { isError }) : message
    })
    const answers: ReadonlyArray<ChatRequest.Message> = content.length === 0 ? [] : [{ role: "assistant", content }]
    return answers.concat(outcomes)
  })

const tool: fc.Arbitrary<ChatRequest.FunctionTool> = present(fc.record({
  name,
  description: optional(word),
  parameters: fc.constant({ type: "object", properties: { x: { type: "number" } } })
}))

export const anyRequest = (options: Options): fc.Arbitrary<ChatRequest.ChatRequest> =>
  present(fc.record({
    model: name,
    messages: fc.tuple(
      fc.array(fc.record({ role: fc.constant("system" as const), content: word }), { maxLength: 2 }),
      fc.array(fc.tuple(user(options), answer(options)), { minLength: 1, maxLength: 4 })
    ).map(([system, turns]) => [system, turns].flat(3)),
    maxOutputTokens: fc.nat(),
    temperature: optional(fc.double({ min: 0, max: 1, noNaN: true })),
    stop: optional(fc.array(word, { minLength: 1, maxLength: 3 })),
    tools: optional(fc.array(tool, { minLength: 1, maxLength: 3 })),
    user: optional(id)
  }))

/** What a conversation is, however its messages are cut: who says what, calls what, and what came of it. */
export const sequence = (messages: ReadonlyArray<ChatRequest.Message>): ReadonlyArray<unknown> =>
  messages.flatMap((message): ReadonlyArray<unknown> => {
    if (message.role === "tool") return [["tool", message.toolCallId, message.content, message.isError]]
    if (typeof message.content === "string") return [[message.role, message.content]]
    return message.content.map((part: ChatRequest.UserPart | ChatRequest.AssistantPart) => {
      switch (part.type) {
        case "text":
        case "refusal":
          return [message.role, part.text]
        case "tool-call":
          return [message.role, part.id, part.name, JSON.parse(part.arguments)]
        default:
          return [message.role, part]
      }
    })
  })
