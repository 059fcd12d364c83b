import { Compaction } from "@clawback/agent"
import type { Effect, Option } from "effect"
import { type LanguageModel, type Prompt, Tool, Toolkit } from "effect/ai"
import { describe, expectTypeOf, it } from "vitest"

type Failed = Compaction.ContextTooLarge | Compaction.SummaryFailed

const tools = Toolkit.make(Tool.make("search"))

describe("The types of compactions", () => {
  it("name what each strategy can fail with, and what it needs", () => {
    expectTypeOf(Compaction.none).toEqualTypeOf<Compaction.Compaction>()
    expectTypeOf(Compaction.turns(3)).toEqualTypeOf<Compaction.Compaction>()
    expectTypeOf(Compaction.clearToolResults()).toEqualTypeOf<Compaction.Compaction>()
    expectTypeOf(Compaction.tokens(8_000)).toEqualTypeOf<Compaction.Compaction<Compaction.ContextTooLarge>>()
    const summary = Compaction.summary({ budget: 8_000 })
    expectTypeOf(summary).toEqualTypeOf<Compaction.Compaction<Failed, LanguageModel.LanguageModel>>()
    expectTypeOf(Compaction.summary({ budget: 8_000, toolkit: tools })).toEqualTypeOf(summary)
  })

  it("collect the errors and the needs of all parts", () => {
    const both = Compaction.all(Compaction.clearToolResults(), Compaction.summary({ budget: 8_000 }))
    expectTypeOf(both).toEqualTypeOf<Compaction.Compaction<Failed, LanguageModel.LanguageModel>>()
    expectTypeOf(Compaction.all(Compaction.none, Compaction.turns(3))).toEqualTypeOf<Compaction.Compaction>()
    expectTypeOf(both.compact).returns.toEqualTypeOf<
      Effect.Effect<Option.Option<Compaction.Compacted>, Failed, LanguageModel.LanguageModel>
    >()
  })

  it("drop the errors of a compaction that has another one in its place", () => {
    const summary = Compaction.summary({ budget: 8_000 })
    const safe = Compaction.orElse(summary, Compaction.turns(3))
    expectTypeOf(safe).toEqualTypeOf<Compaction.Compaction<never, LanguageModel.LanguageModel>>()
    expectTypeOf(Compaction.orElse(Compaction.tokens(8_000))(summary)).toEqualTypeOf<
      Compaction.Compaction<Compaction.ContextTooLarge, LanguageModel.LanguageModel>
    >()
  })

  it("a prompt is compacted with the errors and the needs of the compaction", () => {
    expectTypeOf(Compaction.compactPrompt(Compaction.tokens(8_000))).parameter(0).toEqualTypeOf<Prompt.Prompt>()
    expectTypeOf(Compaction.compactPrompt(Compaction.tokens(8_000))).returns.toEqualTypeOf<
      Effect.Effect<Prompt.Prompt, Compaction.ContextTooLarge>
    >()
  })
})
