/** The laws of every strategy, over generated histories. */
import { Compaction, TokenCount } from "@clawback/agent"
import { Effect, Exit, Option, Schema } from "effect"
import { LanguageModel, type Prompt, type Response } from "effect/ai"
import * as fc from "fast-check"
import { assert, describe, it } from "vitest"
import * as Histories from "../../../test/support/histories.ts"
import { broken } from "../../../test/support/historyLaws.ts"
import { rejected, resolved } from "../../../test/support/promptRequests.ts"

const runs = { numRuns: 50, seed: 0x5eed }

/** A model that summarises by the number of messages it saw. */
const model = LanguageModel.make({
  generateText: ({ prompt }): Effect.Effect<Array<Response.PartEncoded>> =>
    Effect.succeed([
      { type: "text", text: `<summary>There were ${prompt.content.length} messages.</summary>` },
      { type: "finish", reason: "stop", usage: { inputTokens: {}, outputTokens: {} }, response: undefined }
    ] as unknown as Array<Response.PartEncoded>),
  streamText: () => {
    throw new Error("not streamed")
  }
})

type Any = Compaction.Compaction<Compaction.ContextTooLarge | Compaction.SummaryFailed, LanguageModel.LanguageModel>

const compact = (compaction: Any, items: ReadonlyArray<Compaction.Item>) =>
  Effect.runSyncExit(
    Effect.provideServiceEffect(compaction.compact(items), LanguageModel.LanguageModel, model)
  )

interface Case {
  readonly compaction: Any
  readonly budget: number
}

const budget = fc.integer({ min: 100, max: 4000 })

const strategies: Readonly<Record<string, fc.Arbitrary<Case>>> = {
  turns: fc.tuple(fc.integer({ min: 1, max: 6 }), fc.boolean()).map(([n, isSteady]) => ({
    compaction: Compaction.turns(n, isSteady ? { target: n } : {}),
    budget: Infinity
  })),
  tokens: budget.map((budget) => ({ compaction: Compaction.tokens(budget), budget })),
  "clearToolResults": fc.tuple(fc.nat(2000), fc.nat(4), fc.nat(300), fc.subarray(["search", "book"])).map((
    [trigger, keep, atLeast, exclude]
  ) => ({ compaction: Compaction.clearToolResults({ trigger, keep, atLeast, exclude }), budget: Infinity })),
  summary: fc.tuple(budget, fc.integer({ min: 1, max: 4 })).map(([budget, keep]) => ({
    compaction: Compaction.summary({ budget, keep, maxTokens: 40 }),
    budget
  })),
  all: fc.tuple(budget, fc.nat(3)).map(([budget, keep]) => ({
    compaction: Compaction.all(
      Compaction.clearToolResults({ trigger: Math.floor(budget / 2), keep, atLeast: 20 }),
      Compaction.orElse(Compaction.summary({ budget, maxTokens: 40 }), Compaction.tokens(budget)),
      Compaction.turns(4)
    ),
    budget
  }))
}

const frozen = (items: ReadonlyArray<Compaction.Item>): string => JSON.stringify(items)

/** One history through one strategy: what it broke. */
const judge = ({ budget, compaction }: Case, messages: ReadonlyArray<Prompt.Message>): ReadonlyArray<string> => {
  const items = Histories.itemsOf(messages)
  const before = frozen(items)
  const exit = compact(compaction, items)
  const laws: Array<string> = []
  if (frozen(items) !== before) laws.push("the history is not changed")
  if (Exit.isFailure(exit)) {
    const error = Exit.findErrorOption(exit)
    if (Option.isNone(error)) laws.push(`it dies: ${String(exit.cause)}`)
    else if (error.value._tag === "ContextTooLarge" && error.value.tokens <= error.value.budget) {
      laws.push("it fails only if what must stay is too large")
    }
    return laws
  }
  if (Option.isNone(exit.value)) {
    const total = messages.reduce((sum, message) => sum + TokenCount.estimate(message), 0)
    if (total > budget) laws.push("it does something above the budget")
    return laws
  }
  laws.push(...broken(items, exit.value.value, budget))
  const again = compact(compaction, exit.value.value.items)
  if (!Exit.isSuccess(again) || Option.isSome(again.value)) laws.push("to compact twice is to compact once")
  return laws
}

describe.each(Object.entries(strategies))("The laws of %s", (_, strategy) => {
  it("hold for conversations, which both protocols accept before and after", () => {
    fc.assert(
      fc.property(strategy, Histories.cutHistory, (one, messages) => {
        assert.deepStrictEqual(judge(one, messages), [])
        if (rejected(resolved(messages)) !== undefined) return
        const exit = compact(one.compaction, Histories.itemsOf(messages))
        if (Exit.isFailure(exit) || Option.isNone(exit.value)) return
        assert.isUndefined(rejected(resolved(exit.value.value.items.map(({ message }) => message))))
      }),
      runs
    )
  })

  it("hold for logs with results in wrong places", () => {
    fc.assert(
      fc.property(strategy, Histories.brokenHistory, (one, messages) => {
        assert.deepStrictEqual(judge(one, messages), [])
      }),
      runs
    )
  })

  it("hold again for what was compacted and went on", () => {
    fc.assert(
      fc.property(strategy, Histories.cutHistory, Histories.history, (one, messages, others) => {
        const exit = compact(one.compaction, Histories.itemsOf(messages))
        if (Exit.isFailure(exit) || Option.isNone(exit.value)) return
        const { items } = exit.value.value
        const tail = others.map((message, at) => ({ message, position: messages.length + 1 + at }))
        const before = [...items, ...tail]
        const next = compact(one.compaction, before)
        if (Exit.isFailure(next) || Option.isNone(next.value)) return
        assert.deepStrictEqual(broken(before, next.value.value, one.budget), [])
      }),
      runs
    )
  })

  it("hold for a view that was stored and read again", () => {
    const codec = Schema.toCodecJson(Compaction.Compacted)
    fc.assert(
      fc.property(strategy, Histories.history, (one, messages) => {
        const exit = compact(one.compaction, Histories.itemsOf(messages))
        if (Exit.isFailure(exit) || Option.isNone(exit.value)) return
        const stored = JSON.stringify(Schema.encodeSync(codec)(exit.value.value))
        const read = Schema.decodeUnknownSync(codec)(JSON.parse(stored))
        assert.strictEqual(JSON.stringify(Schema.encodeSync(codec)(read)), stored)
        assert.strictEqual(read.tokens, exit.value.value.tokens)
        const again = compact(one.compaction, read.items)
        assert.isTrue(Exit.isSuccess(again) && Option.isNone(again.value))
      }),
      runs
    )
  })
})
