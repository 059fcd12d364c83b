/** Histories of conversations, as Effect's messages: parallel tool calls, thinking, approvals, files, empty messages. */
import { Compaction } from "@clawback/agent"
import { Prompt } from "effect/ai"
import * as fc from "fast-check"

const text = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: "grapheme", maxLength: 60 }) },
  { weight: 2, arbitrary: fc.lorem({ maxCount: 40 }) },
  { weight: 1, arbitrary: fc.constantFrom("", " ", "\u0000", "\ud800", "👍🏽👨‍👩‍👧", "日本語の文章です。".repeat(20)) }
)

const textPart = text.map((text) => Prompt.textPart({ text }))

const filePart = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 30 }).map((data) => Prompt.filePart({ mediaType: "image/png", data })),
  fc.constantFrom("https://example.com/a.png", "https://example.com/b.jpeg").map((url) =>
    Prompt.filePart({ mediaType: "image/png", data: new URL(url) })
  ),
  fc.base64String({ minLength: 4, maxLength: 80 }).map((data) =>
    Prompt.filePart({ mediaType: "application/pdf", fileName: "a.pdf", data })
  )
)

const isPinned = fc.nat(19).map((n) => n === 0)

const pinnedOrNot = <A extends Prompt.Message>(message: A, pinned: boolean): A =>
  pinned ? Compaction.pin(message) : message

const userMessage = fc.tuple(
  fc.array(fc.oneof({ weight: 5, arbitrary: textPart }, { weight: 1, arbitrary: filePart }), { maxLength: 2 }),
  isPinned
)
  .map(([content, pinned]) => pinnedOrNot(Prompt.userMessage({ content }), pinned))

const systemMessage = text.map((content) => Prompt.systemMessage({ content }))

/** The kinds of calls: of the caller, with approval, and of the provider. */
const call = fc.record({
  kind: fc.constantFrom("own", "own", "own", "approved", "provider"),
  name: fc.constantFrom("search", "read_file", "book"),
  params: fc.dictionary(fc.constantFrom("q", "path", "日"), fc.jsonValue({ maxDepth: 1 }), { maxKeys: 2 }),
  result: fc.oneof(text, fc.jsonValue({ maxDepth: 2 }), fc.string({ minLength: 200, maxLength: 900 })),
  isFailure: fc.boolean()
})
type Call = typeof call extends fc.Arbitrary<infer A> ? A : never

const step = fc.record({
  reasoning: fc.option(text, { freq: 3 }),
  said: fc.option(text, { freq: 2 }),
  calls: fc.array(call, { minLength: 1, maxLength: 3 }),
  areApart: fc.boolean(),
  isTurned: fc.boolean()
})
type Step = typeof step extends fc.Arbitrary<infer A> ? A : never

const turn = fc.record({
  asked: fc.array(userMessage, { minLength: 1, maxLength: 2 }),
  steps: fc.array(step, { maxLength: 3 }),
  answer: fc.option(fc.tuple(fc.option(text), text, isPinned), { freq: 8 }),
  system: fc.option(systemMessage, { freq: 15, nil: undefined }).map((_) => _ ?? undefined)
})
type Turn = typeof turn extends fc.Arbitrary<infer A> ? A : never

const thought = (text: string) =>
  Prompt.reasoningPart({ text, options: { clawback: { signature: `sig-${text.length}` } } })

const resultOf = ({ isFailure, kind, name, result }: Call, id: string) =>
  Prompt.toolResultPart({ id, name, isFailure, result, providerExecuted: kind === "provider" })

/** What the model says and calls, and the results, in messages of their own or in one. */
const messagesOf = (
  { areApart, calls, isTurned, reasoning, said }: Step,
  idOf: (index: number) => string
): ReadonlyArray<Prompt.Message> => {
  const content: Array<Prompt.AssistantMessagePart> = []
  if (reasoning !== null) content.push(thought(reasoning))
  if (said !== null) content.push(Prompt.textPart({ text: said }))
  const responses: Array<Prompt.ToolMessagePart> = []
  const results: Array<Prompt.ToolMessagePart> = []
  for (const [index, call] of calls.entries()) {
    const id = idOf(index)
    const { kind, name, params } = call
    content.push(Prompt.toolCallPart({ id, name, params, providerExecuted: kind === "provider" }))
    if (kind === "provider") content.push(resultOf(call, id))
    else results.push(resultOf(call, id))
    if (kind === "approved") {
      content.push(Prompt.toolApprovalRequestPart({ approvalId: `approval-${id}`, toolCallId: id }))
      responses.push(Prompt.toolApprovalResponsePart({ approvalId: `approval-${id}`, approved: true }))
    }
  }
  if (isTurned) results.reverse()
  const answers = responses.length > 0 ? [responses] : []
  const groups = areApart ? [...answers, ...results.map((result) => [result])] : [...answers, results]
  return [
    Prompt.assistantMessage({ content }),
    ...groups.filter((group) => group.length > 0).map((content) => Prompt.toolMessage({ content }))
  ]
}

const turnMessages = (
  { answer, asked, steps, system }: Turn,
  number: number,
  reusesIds: boolean
): ReadonlyArray<Prompt.Message> => [
  ...asked,
  ...steps.flatMap((step, at) =>
    messagesOf(step, (index) => reusesIds ? `call_${index}` : `call_${number}_${at}_${index}`)
  ),
  ...(answer === null ? [] : [
    pinnedOrNot(
      Prompt.assistantMessage({
        content: [...(answer[0] === null ? [] : [thought(answer[0])]), Prompt.textPart({ text: answer[1] })]
      }),
      answer[2]
    )
  ]),
  ...(system === undefined ? [] : [system])
]

/** Conversations that both protocols accept when their last calls have results. `reusesIds`: each answer counts its calls anew. */
export const history: fc.Arbitrary<ReadonlyArray<Prompt.Message>> = fc.record({
  system: fc.array(systemMessage, { maxLength: 2 }),
  turns: fc.array(turn, { minLength: 1, maxLength: 9 }),
  reusesIds: fc.boolean()
}).map(({ reusesIds, system, turns }) =>
  (system as ReadonlyArray<Prompt.Message>).concat(
    turns.flatMap((turn, number) => turnMessages(turn, number, reusesIds))
  )
)

/** The same, cut anywhere: in the middle of a turn, or of a batch of calls. */
export const cutHistory: fc.Arbitrary<ReadonlyArray<Prompt.Message>> = fc.tuple(history, fc.nat(60)).map((
  [messages, cut]
) => messages.slice(0, messages.length - cut % messages.length))

/** Logs as no provider accepts them: results come turns later, twice, or never, and the first message may be an answer. */
export const brokenHistory: fc.Arbitrary<ReadonlyArray<Prompt.Message>> = fc.tuple(
  history,
  fc.array(fc.tuple(fc.nat(200), fc.nat(200), fc.constantFrom("move", "drop", "double")), {
    minLength: 1,
    maxLength: 4
  })
).map(([messages, changes]) => {
  const changed = messages.slice()
  for (const [at, to, what] of changes) {
    const from = at % changed.length
    const message = changed[from]
    if (message === undefined || changed.length === 1) continue
    if (what !== "double") changed.splice(from, 1)
    if (what !== "drop") changed.splice(to % (changed.length + 1), 0, message)
  }
  return changed
})

export const itemsOf = (messages: ReadonlyArray<Prompt.Message>): ReadonlyArray<Compaction.Item> =>
  messages.map((message, at) => ({ message, position: at + 1 }))
