/** Mistakes in how histories are made smaller. */
import type { Mutant } from "../../support/mutant.ts"

const folder = "packages/agent/src/internal/compaction"
const compaction = "packages/agent/src/Compaction.ts"
const pairs = `${folder}/pairs.ts`
const layout = `${folder}/layout.ts`
const drop = `${folder}/drop.ts`
const clear = `${folder}/clear.ts`
const strategy = `${folder}/strategy.ts`
const summary = `${folder}/summary.ts`
const summarise = `${folder}/summarise.ts`

const mistakes: ReadonlyArray<Omit<Mutant, "module">> = [
  {
    file: pairs,
    find: "link(calls.settle(part.id), at)",
    replace: "calls.settle(part.id)",
    rule: "a result stays with its call"
  },
  {
    file: pairs,
    find: "link(requests.get(part.approvalId)?.at, at)",
    replace: "requests.get(part.approvalId)",
    rule: "a response to an approval stays with its request"
  },
  {
    file: layout,
    find: "open.has(at) || Marks.isPinned(item.message)",
    replace: "Marks.isPinned(item.message)",
    rule: "an unfinished call stays"
  },
  {
    file: layout,
    find: "role === \"user\" && before !== \"user\" && reach < at",
    replace: "role !== undefined && reach < at",
    rule: "reasoning stays with its turn"
  },
  {
    file: layout,
    find: "reach = Math.max(reach, until[at] ?? at)",
    replace: "reach = until[at] ?? at",
    rule: "a result stays with its call at any distance"
  },
  {
    file: drop,
    find: "(stays.has(at) ? front : removed).push(item)",
    replace: "removed.push(item)",
    rule: "system messages and pinned ones stay"
  },
  {
    file: drop,
    find: "(isSystem(item) ? front : rest).push(item)",
    replace: "rest.push(item)",
    rule: "system messages stand at the front"
  },
  {
    file: layout,
    find: "message.role === \"system\" || (message.role === \"user\" && Marks.isPinned(message))",
    replace: "message.role === \"system\"",
    rule: "a pinned message keeps its turn at most, and never goes"
  },
  {
    file: drop,
    find: "isHeld || index === turns.length - 1",
    replace: "isHeld",
    rule: "the newest turn stays"
  },
  {
    file: drop,
    find: "[...front.filter(isSystem), ...front.filter((item) => !isSystem(item)), ...inserted, ...rest]",
    replace: "[...front.filter(isSystem), ...rest, ...front.filter((item) => !isSystem(item)), ...inserted]",
    rule: "what stays is in order, and begins with the user"
  },
  {
    file: summarise,
    find: "message: Prompt.userMessage({",
    replace: "message: Prompt.assistantMessage({",
    rule: "a history begins with the user, also with a summary"
  },
  {
    file: compaction,
    find: "if (size > budget) return new ContextTooLarge",
    replace: "if (size > Infinity) return new ContextTooLarge",
    rule: "tokens: a result is within the budget, or the compaction fails"
  },
  {
    file: drop,
    find: "if (size > target) break",
    replace: "if (size > target * 3) break",
    rule: "a compaction leaves what fits into its target"
  },
  {
    file: summary,
    find: "after.total <= settings.budget && after.total < before.total",
    replace: "after.total < Infinity && before.total > 0",
    rule: "a summary that is too long is none"
  },
  {
    file: summary,
    find: "return tokens <= budget ? kept",
    replace: "return tokens <= Infinity ? kept",
    rule: "summary: what must stay is within the budget, or the compaction fails before it asks"
  },
  {
    file: compaction,
    find: "if (Drop.isWhole(kept)) return Effect.succeed(undefined)",
    replace: "if (kept.length === 0) return Effect.succeed(undefined)",
    rule: "to compact twice is to compact once"
  },
  {
    file: compaction,
    find: "Math.ceil(limit * share)",
    replace: "limit",
    rule: "a compaction leaves room until the next one"
  },
  {
    file: compaction,
    find: "if (layout.turns.length <= n) return Effect.succeed(undefined)",
    replace: "if (layout.turns.length < n) return Effect.succeed(undefined)",
    rule: "turns: nothing changes below the limit"
  },
  {
    file: compaction,
    find: "if (counted.total <= budget) return Effect.succeed(undefined)",
    replace: "if (counted.total <= target) return Effect.succeed(undefined)",
    rule: "tokens: nothing changes below the limit"
  },
  {
    file: compaction,
    find: "if (counted.total <= trigger) return Effect.succeed(undefined)",
    replace: "if (counted.total <= 0) return Effect.succeed(undefined)",
    rule: "clearToolResults: nothing changes below the limit"
  },
  {
    file: summary,
    find: "if (counted.total <= budget) return undefined",
    replace: "if (counted.total <= target) return undefined",
    rule: "summary: nothing changes below the limit"
  },
  {
    file: clear,
    find: "changed.set(at, { message: Prompt.toolMessage({ content, options: message.options }), position })",
    replace: "changed.set(at, { message: Object.assign(message, { content }), position })",
    rule: "the log is not changed"
  },
  {
    file: clear,
    find: "isFailure: part.isFailure,",
    replace: "isFailure: !part.isFailure,",
    rule: "a cleared result differs in nothing else"
  },
  {
    file: strategy,
    find: "removed: positionsOf(outcome.removed)",
    replace: "removed: []",
    rule: "the provenance names what is gone"
  },
  {
    file: strategy,
    find: "tokens: after.total",
    replace: "tokens: before.total",
    rule: "the provenance states the size"
  },
  {
    file: compaction,
    find: "Effect.provideService(part.compact(items), Original, original)",
    replace: "Effect.provideService(part.compact(items), Original, items)",
    rule: "a request for a summary begins with the conversation's last request"
  },
  {
    file: summarise,
    find: "return Prompt.fromMessages([...sent, question(options.instructions, options.maxTokens)])",
    replace: "return Prompt.fromMessages([question(options.instructions, options.maxTokens), ...sent])",
    rule: "the question comes after the conversation"
  },
  {
    file: summarise,
    find: "if (finishReason === \"content-filter\") return { reason: \"refused\" }",
    replace: "",
    rule: "an answer that the provider filtered is no summary"
  },
  {
    file: summarise,
    find: "if (finishReason === \"length\") return { reason: \"cut-short\" }",
    replace: "",
    rule: "an answer that was cut short is no summary"
  },
  {
    file: summarise,
    find: "if (from === -1) return { reason: \"refused\" }",
    replace: "if (from === -1) return { text }",
    rule: "a refusal is no summary"
  },
  {
    file: summary,
    find: "Effect.mapError((cause) => new SummaryFailed({ reason: \"model\", cause }))",
    replace: "Effect.orDie",
    rule: "a failed call of the model is a typed error"
  }
]

export const mutants: ReadonlyArray<Mutant> = mistakes.map((mistake) =>
  Object.assign({ module: "Compaction" }, mistake)
)
