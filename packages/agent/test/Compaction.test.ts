/** What each strategy does, and what it leaves alone. */
import { Compaction, TokenCount } from "@clawback/agent"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Option } from "effect"
import { AiError, LanguageModel, Prompt, type Response, Tokenizer, Tool, Toolkit } from "effect/ai"
import { TestClock } from "effect/testing"
import { itemsOf } from "../../../test/support/histories.ts"

const user = (text: string) => Prompt.userMessage({ content: [Prompt.textPart({ text })] })
const said = (text: string) => Prompt.assistantMessage({ content: [Prompt.textPart({ text })] })
const call = (id: string, name = "search") =>
  Prompt.assistantMessage({
    content: [Prompt.toolCallPart({ id, name, params: { q: id }, providerExecuted: false })]
  })
const result = (id: string, result: unknown, name = "search") =>
  Prompt.toolMessage({
    content: [Prompt.toolResultPart({ id, name, isFailure: false, result, providerExecuted: false })]
  })

/** Each message as one text. */
const shown = (messages: ReadonlyArray<Prompt.Message>): ReadonlyArray<string> =>
  messages.map((message) =>
    message.role === "system" ? message.content : message.content.map((part) => {
      switch (part.type) {
        case "text":
          return part.text
        case "tool-call":
          return `${part.name} ${part.id}`
        case "tool-result":
          return `${part.id}: ${String(part.result)}`
        default:
          return part.type
      }
    }).join(" ")
  )

const through = <E, R>(compaction: Compaction.Compaction<E, R>, messages: ReadonlyArray<Prompt.Message>) =>
  Effect.map(Compaction.compactPrompt(Prompt.fromMessages(messages), compaction), ({ content }) => shown(content))

const chat = (turns: number) =>
  Array.from({ length: turns }, (_, at) => [user(`question ${at + 1}`), said(`answer ${at + 1}`)]).flat()

const finish = (reason: Response.FinishReason = "stop") => ({
  type: "finish" as const,
  reason,
  usage: {
    inputTokens: { uncached: undefined, total: 900, cacheRead: 800, cacheWrite: undefined },
    outputTokens: { total: 30, text: undefined, reasoning: undefined }
  },
  response: undefined
})

/** A model that answers in one way, and the prompts that it got. */
const answering = (answer: Effect.Effect<Array<Response.PartEncoded>, AiError.AiError>) => {
  const prompts: Array<Prompt.Prompt> = []
  const tools: Array<ReadonlyArray<string>> = []
  const layer = Layer.effect(
    LanguageModel.LanguageModel,
    LanguageModel.make({
      generateText: (options) => {
        prompts.push(options.prompt)
        tools.push(options.tools.map(({ name }) => name))
        return answer
      },
      streamText: () => assert.fail("not streamed")
    })
  )
  return { layer, prompts, tools }
}

const texts = (text: string, reason?: Response.FinishReason) =>
  answering(Effect.succeed([
    { type: "response-metadata", modelId: "model-7" },
    { type: "text", text },
    finish(reason)
  ] as unknown as Array<Response.PartEncoded>))

describe("Compaction.turns", () => {
  it.effect("keeps all turns up to its limit, and leaves its target when there are more", () =>
    Effect.gen(function*() {
      const five = Compaction.turns(5)
      assert.deepStrictEqual(yield* through(five, chat(5)), shown(chat(5)))
      assert.deepStrictEqual(yield* through(five, chat(6)), shown(chat(6).slice(6)))
      assert.deepStrictEqual(yield* through(Compaction.turns(5, { target: 1 }), chat(6)), shown(chat(6).slice(10)))
    }))

  it.effect("moves system messages and pinned ones of removed turns to the front", () =>
    Effect.gen(function*() {
      const messages = [
        Prompt.systemMessage({ content: "be brief" }),
        ...chat(1),
        Compaction.pin(user("I am allergic to nuts")),
        said("noted"),
        Prompt.systemMessage({ content: "it is Monday" }),
        ...chat(2)
      ]
      assert.deepStrictEqual(yield* through(Compaction.turns(1), messages), [
        "be brief",
        "it is Monday",
        "I am allergic to nuts",
        "question 2",
        "answer 2"
      ])
    }))

  it.effect("keeps a turn that waits for an approval, and drops those around it", () =>
    Effect.gen(function*() {
      const waiting = Prompt.assistantMessage({
        content: [
          Prompt.toolCallPart({ id: "pay", name: "pay", params: {}, providerExecuted: false }),
          Prompt.toolApprovalRequestPart({ approvalId: "a1", toolCallId: "pay" })
        ]
      })
      const messages = [...chat(1), user("pay it"), waiting, ...chat(3)]
      assert.deepStrictEqual(yield* through(Compaction.turns(1), messages), [
        "pay it",
        "pay pay tool-approval-request",
        "question 3",
        "answer 3"
      ])
    }))

  it.effect("takes turns with a call and its late result as one", () =>
    Effect.gen(function*() {
      const messages = [user("a"), call("1"), user("b"), said("wait"), result("1", "late"), ...chat(2)]
      assert.deepStrictEqual(yield* through(Compaction.turns(2, { target: 1 }), messages), shown(messages.slice(7)))
      const open = [user("a"), call("1"), user("b"), said("wait"), result("1", "late")]
      assert.deepStrictEqual(yield* through(Compaction.turns(1), [...chat(1), ...open]), shown(open))
    }))

  it("rejects limits that cannot work", () => {
    assert.throws(() => Compaction.turns(0), RangeError)
    assert.throws(() => Compaction.turns(3, { target: 4 }), RangeError)
  })
})

describe("Compaction.tokens", () => {
  it.effect("does nothing within the budget, and leaves its target above it", () =>
    Effect.gen(function*() {
      const messages = chat(20)
      const total = TokenCount.estimate(Prompt.fromMessages(messages))
      assert.deepStrictEqual(yield* through(Compaction.tokens(total), messages), shown(messages))
      const smaller = yield* Compaction.compactPrompt(Prompt.fromMessages(messages), Compaction.tokens(total - 1))
      const left = TokenCount.estimate(smaller)
      assert.isAtMost(left, Math.ceil((total - 1) * 0.6))
      assert.isAbove(left, total * 0.5)
    }))

  it.effect("fails if the newest turn is larger than the budget", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(through(Compaction.tokens(50), [...chat(2), user("x".repeat(300))]))
      assert.deepInclude({ ...error }, { _tag: "ContextTooLarge", budget: 50, tokens: 104, counter: "estimate" })
    }))

  it.effect("counts by Effect's Tokenizer where one is provided, and by a counter that is set", () =>
    Effect.gen(function*() {
      const items = itemsOf(chat(3))
      const counted = Effect.map(Compaction.tokens(4).compact(items), Option.getOrThrow)
      const words = Tokenizer.make({ tokenize: () => Effect.succeed([1]) })
      const byTokenizer = yield* Effect.provideService(counted, Tokenizer.Tokenizer, words)
      assert.deepInclude(byTokenizer.steps[0], { tokensBefore: 6, tokensAfter: 2, counter: "tokenizer" })
      const byCounter = yield* Effect.provideService(counted, TokenCount.CurrentCounter, {
        name: "ones",
        count: () => 1
      })
      assert.deepInclude(byCounter.steps[0], { tokensBefore: 6, tokensAfter: 2, counter: "ones" })
    }))

  it.effect("estimates a message that the tokenizer rejects", () =>
    Effect.gen(function*() {
      const failing = Tokenizer.make({
        tokenize: () =>
          Effect.fail(AiError.make({
            module: "test",
            method: "tokenize",
            reason: new AiError.InvalidUserInputError({ description: "no" })
          }))
      })
      const compacted = yield* Effect.map(Compaction.tokens(40).compact(itemsOf(chat(4))), Option.getOrThrow).pipe(
        Effect.provideService(Tokenizer.Tokenizer, failing)
      )
      assert.strictEqual(
        compacted.tokens,
        compacted.items.reduce((sum, { message }) => sum + TokenCount.estimate(message), 0)
      )
    }))
})

describe("Compaction.clearToolResults", () => {
  const long = "row ".repeat(300)
  const history = [
    user("find it"),
    ...["1", "2", "3", "4"].flatMap((id) => [call(id), result(id, long)]),
    said("found")
  ]

  it.effect("empties all but the newest results at once, and keeps their calls", () =>
    Effect.gen(function*() {
      const cleared = yield* through(Compaction.clearToolResults({ trigger: 1000, keep: 1 }), history)
      assert.deepStrictEqual(cleared, [
        "find it",
        ...["1", "2", "3"].flatMap((id) => [`search ${id}`, `${id}: [cleared]`]),
        "search 4",
        `4: ${long}`,
        "found"
      ])
    }))

  it.effect("clears nothing below the trigger, for too little, of excluded tools, and in pinned messages", () =>
    Effect.gen(function*() {
      for (
        const options of [
          { trigger: 100_000 },
          { trigger: 1000, atLeast: 5000 },
          { trigger: 1000, keep: 0, exclude: ["search"] },
          { trigger: 1000, keep: 4 }
        ]
      ) assert.deepStrictEqual(yield* through(Compaction.clearToolResults(options), history), shown(history))
      const pinned = history.map((message) => message.role === "tool" ? Compaction.pin(message) : message)
      assert.deepStrictEqual(yield* through(Compaction.clearToolResults({ trigger: 0 }), pinned), shown(pinned))
    }))

  it.effect("leaves the results of tools that the provider runs", () =>
    Effect.gen(function*() {
      const own = Prompt.assistantMessage({
        content: [
          Prompt.toolCallPart({ id: "s", name: "web", params: {}, providerExecuted: true }),
          Prompt.toolResultPart({ id: "s", name: "web", isFailure: false, result: long, providerExecuted: true })
        ]
      })
      const messages = [user("search"), own, said("found")]
      assert.deepStrictEqual(
        yield* through(Compaction.clearToolResults({ trigger: 0, keep: 0 }), messages),
        shown(messages)
      )
    }))
})

describe("Compaction.summary", () => {
  const history = [Prompt.systemMessage({ content: "be brief" }), ...chat(40)]
  const budget = 400
  const by = Compaction.summary({ budget, keep: 2, maxTokens: 60 })

  it.effect("replaces older turns, and asks with the very messages of the conversation", () =>
    Effect.gen(function*() {
      const { layer, prompts } = texts("Thinking.\n<summary>They asked 38 questions.</summary>")
      yield* TestClock.adjust(5)
      const { items, steps } = yield* Effect.map(by.compact(itemsOf(history)), Option.getOrThrow).pipe(
        Effect.provide(layer)
      )
      assert.deepStrictEqual(shown(items.map(({ message }) => message)), [
        "be brief",
        "Summary of the conversation so far:\n\nThey asked 38 questions.",
        "question 39",
        "answer 39",
        "question 40",
        "answer 40"
      ])
      assert.deepInclude(steps[0], {
        at: 5,
        model: "model-7",
        removed: [{ from: 2, to: 77 }],
        usage: { input: 900, cached: 800, output: 30 }
      })
      const asked = prompts[0]?.content ?? []
      assert.deepStrictEqual(asked.slice(0, -1), history)
      assert.strictEqual(asked.at(-1)?.role, "user")
    }))

  it.effect("replaces an older summary, and knows all positions that the new one stands for", () =>
    Effect.gen(function*() {
      const first = yield* Effect.map(by.compact(itemsOf(history)), Option.getOrThrow)
      const tail = chat(40).map((message, at) => ({ message, position: history.length + 1 + at }))
      const second = yield* Effect.map(by.compact([...first.items, ...tail]), Option.getOrThrow)
      assert.lengthOf(second.items.filter(({ position }) => position === undefined), 1)
      assert.deepStrictEqual(second.items[1]?.message.options, {
        clawback: { summary: [{ from: 2, to: history.length + 76 }] }
      })
    }).pipe(Effect.provide(texts("<summary>Questions.</summary>").layer)))

  it.effect("ends its request before the newest turn if nobody has answered it, and before an unfinished call", () =>
    Effect.gen(function*() {
      const { layer, prompts } = texts("<summary>Questions.</summary>")
      for (const tail of [[user("new")], [user("new"), call("open")]]) {
        yield* Effect.provide(by.compact(itemsOf([...history, ...tail])), layer)
        assert.deepStrictEqual(prompts.at(-1)?.content.slice(0, -1), history)
      }
      const steps = [user("new"), call("1"), result("1", "done"), call("open")]
      yield* Effect.provide(by.compact(itemsOf([...history, ...steps])), layer)
      assert.deepStrictEqual(prompts.at(-1)?.content.slice(0, -1), [...history, ...steps.slice(0, 3)])
    }))

  it.effect("sends the conversation's tools, and runs none", () =>
    Effect.gen(function*() {
      const toolkit = Toolkit.make(Tool.make("search"), Tool.make("book"))
      const { layer, tools } = texts("<summary>Questions.</summary>")
      yield* Effect.provide(Compaction.summary({ budget, toolkit }).compact(itemsOf(history)), layer)
      assert.deepStrictEqual(tools, [["search", "book"]])
      const calling = answering(
        Effect.succeed([
          { type: "tool-call", id: "1", name: "search", params: {}, providerExecuted: false },
          finish("tool-calls")
        ])
      )
      const error = yield* Effect.flip(
        Effect.provide(Compaction.summary({ budget, toolkit }).compact(itemsOf(history)), calling.layer)
      )
      assert.deepInclude({ ...error }, { _tag: "SummaryFailed", reason: "tool-call" })
    }))

  const failures: ReadonlyArray<readonly [Compaction.SummaryFailed["reason"], ReturnType<typeof texts>]> = [
    ["refused", texts("I cannot help with that.")],
    ["refused", texts("<summary>Filtered", "content-filter")],
    ["empty", texts("")],
    ["empty", texts("<summary> \n </summary>")],
    ["cut-short", texts("<summary>They asked")],
    ["cut-short", texts("<summary>They asked</summary>", "length")],
    ["too-long", texts(`<summary>${"word ".repeat(400)}</summary>`)],
    [
      "model",
      answering(
        Effect.fail(
          AiError.make({
            module: "test",
            method: "generateText",
            reason: new AiError.InvalidUserInputError({ description: "no" })
          })
        )
      )
    ]
  ]
  for (const [index, [reason, { layer }]] of failures.entries()) {
    it.effect(`fails, and returns no view: ${reason} (${index})`, () =>
      Effect.gen(function*() {
        const error = yield* Effect.flip(by.compact(itemsOf(history)))
        assert.deepInclude({ ...error }, { _tag: "SummaryFailed", reason })
        const fallback = Compaction.orElse(by, Compaction.turns(2))
        assert.deepStrictEqual(yield* through(fallback, history), [
          "be brief",
          ...shown(chat(40).slice(76))
        ])
      }).pipe(Effect.provide(layer)))
  }

  it.effect("fails when the model does not answer in time", () =>
    Effect.gen(function*() {
      const { layer } = answering(Effect.never)
      const fiber = yield* Effect.forkChild(Effect.flip(Effect.provide(by.compact(itemsOf(history)), layer)))
      yield* TestClock.adjust("2 minutes")
      assert.deepInclude({ ...(yield* Fiber.join(fiber)) }, { _tag: "SummaryFailed", reason: "timeout" })
    }))

  it.effect("fails without a request if what must stay leaves no room", () =>
    Effect.gen(function*() {
      const { layer, prompts } = texts("<summary>Questions.</summary>")
      const large = [...history, user("x".repeat(1200))]
      const error = yield* Effect.flip(Effect.provide(by.compact(itemsOf(large)), layer))
      assert.strictEqual(error._tag, "ContextTooLarge")
      assert.lengthOf(prompts, 0)
    }))
})

describe("Compactions as values", () => {
  it.effect("run one after the other, and tell what each did", () =>
    Effect.gen(function*() {
      const messages = [user("find it"), call("1"), result("1", "row ".repeat(500)), said("found"), ...chat(9)]
      const all = Compaction.all(
        Compaction.clearToolResults({ trigger: 500, keep: 0 }),
        Compaction.none,
        Compaction.turns(8)
      )
      const { items, steps } = yield* Effect.map(all.compact(itemsOf(messages)), Option.getOrThrow)
      assert.deepStrictEqual(steps.map(({ by, changed, removed }) => ({ by, changed, removed })), [
        { by: "clearToolResults(500)", changed: [{ from: 3, to: 3 }], removed: [] },
        { by: "turns(8)", changed: [], removed: [{ from: 1, to: 12 }] }
      ])
      assert.lengthOf(items, 10)
    }))

  it.effect("change nothing if one of them fails", () =>
    Effect.gen(function*() {
      const all = Compaction.all(Compaction.turns(2), Compaction.tokens(3))
      const exit = yield* Effect.exit(all.compact(itemsOf(chat(5))))
      assert.isTrue(Exit.isFailure(exit))
    }))
})

describe("TokenCount", () => {
  it.effect("truncates to whole turns, and keeps system messages", () =>
    Effect.gen(function*() {
      const tokenizer = yield* Tokenizer.Tokenizer
      const messages = [
        Prompt.systemMessage({ content: "be brief" }),
        ...chat(2),
        user("q"),
        call("1"),
        result("1", "r")
      ]
      const prompt = Prompt.fromMessages(messages)
      assert.lengthOf(yield* tokenizer.tokenize(prompt), TokenCount.estimate(prompt))
      assert.deepStrictEqual(shown((yield* tokenizer.truncate(prompt, 10_000)).content), shown(messages))
      assert.deepStrictEqual(shown((yield* tokenizer.truncate(prompt, 40)).content), [
        "be brief",
        "q",
        "search 1",
        "1: r"
      ])
      assert.strictEqual((yield* Effect.flip(tokenizer.truncate(prompt, 20))).reason._tag, "InvalidUserInputError")
    }).pipe(Effect.provide(TokenCount.layerTokenizer)))

  it("counts bytes, not characters, and files by their kind", () => {
    assert.deepStrictEqual(["aaaaaa", "éé", "日本", "👍🏽"].map((text) => TokenCount.estimate(user(text)) - 4), [
      2,
      2,
      2,
      3
    ])
    const image = Prompt.filePart({ mediaType: "image/png", data: new Uint8Array(5_000_000) })
    assert.strictEqual(TokenCount.estimate(Prompt.userMessage({ content: [image] })), 1604)
    const circle: Record<string, unknown> = {}
    circle["self"] = circle
    assert.isAbove(TokenCount.estimate(result("1", circle)), 0)
  })
})
