/** Compares the direct path of a language model with Effect's `LanguageModel.make`, over generated calls. */
import { Effect, Result } from "effect"
import type { LanguageModel } from "effect/ai"
import * as fc from "fast-check"
import { deepStrictEqual } from "node:assert"
import { readPrompt } from "../../packages/providers/src/internal/effect/readPrompt.ts"
import { type Call, type Scenario, scenario } from "./directModel/calls.ts"
import { direct, throughEffect } from "./directModel/models.ts"
import { observe } from "./directModel/observe.ts"

/** How often each thing happened in the scenarios. */
export type Tally = Record<string, number>

const count = (tally: Tally, what: string) => {
  tally[what] = (tally[what] ?? 0) + 1
}

const hasToolkit = ({ toolkit }: Call) => toolkit !== "none" && toolkit !== "undefined"

const isDeferred = ({ options }: Call) =>
  options.disableToolCallResolution === true && options.toolCallValidation === "deferred"

const isDirect = (call: Call) =>
  !(call.isStreamed && hasToolkit(call)) && !isDeferred(call) && Result.isSuccess(readPrompt(call.prompt()))

const countAsked = (tally: Tally, { incrementalFallback, incrementalPrompt }: LanguageModel.ProviderOptions) => {
  if (incrementalPrompt !== undefined) count(tally, "asked for the rest")
  if (incrementalFallback === true) count(tally, "asked again in full")
}

const countAll = (tally: Tally, { around, calls }: Scenario, log: ReadonlyArray<ReadonlyArray<unknown>>) => {
  count(tally, `tracer ${around.tracer}`)
  for (const call of calls) {
    count(tally, call.isStreamed ? "streamed calls" : "whole calls")
    if (isDirect(call)) count(tally, hasToolkit(call) ? "direct calls with a toolkit" : "direct calls")
  }
  for (const [what, first, second] of log) {
    count(tally, what === "result" ? `result ${describe(first)}` : String(what))
    if (what === "handled") count(tally, `handled ${String(first)}`)
    if (what === "asked") countAsked(tally, second as LanguageModel.ProviderOptions)
  }
}

const describe = (end: unknown): string => {
  const [first] = end as ReadonlyArray<unknown>
  if (!Array.isArray(first)) return String(first)
  const reason: unknown = first[1]?.reason?._tag
  return [first[0], reason].filter((word) => word !== undefined).join(" ")
}

/** Makes the calls of each scenario by both. Throws at the first difference in anything that can be observed. */
export const compare = async (runs: number, seed: number): Promise<Tally> => {
  const tally: Tally = {}
  await fc.assert(
    fc.asyncProperty(scenario, async (scenario) => {
      const theirs = await Effect.runPromise(observe(scenario, throughEffect))
      const ours = await Effect.runPromise(observe(scenario, direct))
      deepStrictEqual(ours, theirs)
      countAll(tally, scenario, ours)
    }),
    { numRuns: runs, seed }
  )
  return tally
}
