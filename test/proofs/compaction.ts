/**
 * Compacted histories are valid at each step, within their budget, and leave a provider's prompt cache its work.
 *
 * `npm run prove -- compaction [--scale small|full]`: full, the default, takes every recorded conversation in `CLAWBACK_DATA`, or
 * the samples in `test/data`, and ten thousand generated ones; small takes a few of each. Each is held again, message by message,
 * with a compaction before each request and at random moments between, and with each strategy in turn. The strict validators of
 * both protocols judge each history, unfinished calls resolved.
 *
 * Each request is sent to a model of a prompt cache (`test/support/prefixCache.ts`), in both protocols. A hit rate is cached
 * tokens ÷ tokens of messages that the conversation's request before had too:
 * - `after`: over the requests that follow the first one after a compaction. It must be at least 95 %.
 * - `first`: over the first request after each compaction. A compaction changes the beginning, so little of it is cached.
 * - `overall`: over all requests.
 * - `summaries`: over the requests for summaries.
 *
 * A request counts if its earlier tokens are at least 1,024, below which providers cache nothing. A window that moves with each turn
 * is the control: its overall rate must be lower. The last line is JSON.
 */
import { Compaction, TokenCount } from "@clawback/agent"
import { Prompt } from "effect/ai"
import * as fc from "fast-check"
import { exit } from "node:process"
import * as Histories from "../support/histories.ts"
import { rejected } from "../support/promptRequests.ts"
import { seeded } from "../support/random.ts"
import { customers, recordedRequests } from "../support/recordedPrompts.ts"
import { type Hits, hold, type Strategy, Tally } from "../support/replays.ts"
import { scale } from "../support/scale.ts"

const isSmall = scale() === "small"
const generated = isSmall ? 40 : 10_000
const recorded = isSmall ? 3 : Infinity
const requests = isSmall ? 10 : Infinity
const seed = 0x5eed
const random = seeded(seed)

type Messages = ReadonlyArray<Prompt.Message>

const sizeOf = (messages: Messages): number => TokenCount.estimate(Prompt.fromMessages(messages))

interface Case {
  readonly strategy: Strategy
  readonly budget: number
}

/** All strategies, so that a conversation of this size needs them several times. */
const strategies = (messages: Messages): ReadonlyArray<Case> => {
  const fixed = sizeOf(messages.filter(({ role }) => role === "system"))
  const budget = fixed + Math.max(200, Math.ceil((sizeOf(messages) - fixed) * 0.4))
  const maxTokens = 100
  const turns = Math.max(2, Math.ceil(messages.filter(({ role }) => role === "user").length * 0.4))
  const clearing = {
    trigger: fixed + Math.ceil((budget - fixed) / 2),
    keep: 1,
    atLeast: Math.ceil((budget - fixed) / 4)
  }
  return [
    { strategy: Compaction.tokens(budget, { target: fixed + Math.ceil((budget - fixed) * 0.5) }), budget },
    { strategy: Compaction.tokens(budget), budget },
    { strategy: Compaction.turns(turns), budget: Infinity },
    { strategy: Compaction.clearToolResults(clearing), budget: Infinity },
    { strategy: Compaction.summary({ budget, maxTokens }), budget },
    {
      strategy: Compaction.all(
        Compaction.clearToolResults(clearing),
        Compaction.orElse(Compaction.summary({ budget, maxTokens }), Compaction.tokens(budget))
      ),
      budget
    }
  ]
}

/** A window that moves by a turn with each turn. */
const control = (messages: Messages): Case => {
  const users = messages.filter(({ role }) => role === "user").length
  const n = Math.max(1, Math.ceil(users * 0.4))
  return { strategy: Compaction.turns(n, { target: n }), budget: Infinity }
}

const tally = new Tally()
const moving = new Tally()
const isBetween = () => random() < 0.1
const never = () => false

const long = customers(recorded, 5)
for (const messages of long) {
  for (const one of strategies(messages)) hold(tally, messages, { ...one, between: isBetween })
  hold(moving, messages, { ...control(messages), between: never })
}

let unsuitable = 0
for (const messages of recordedRequests().slice(0, requests)) {
  if (rejected(messages) === undefined) {
    for (const one of strategies(messages)) hold(tally, messages, { ...one, between: isBetween })
  } else unsuitable++
}

/** Instructions as long as those of agents are, so that providers cache the conversation. */
const instructions = (words: number) =>
  Prompt.systemMessage({ content: "You answer questions about orders. ".repeat(words) })

for (const [index, messages] of fc.sample(Histories.history, { numRuns: generated, seed }).entries()) {
  const whole = [instructions(150 + index % 400), ...messages]
  const all = strategies(whole)
  const one = all[index % all.length]
  if (one === undefined) continue
  hold(tally, whole, { ...one, between: isBetween })
  if (index % 20 === 0) hold(moving, whole, { ...control(whole), between: never })
}

const percent = ({ rate }: Hits) => Math.round(rate * 10_000) / 100
const rates = ({ after, all, first, summaries }: Tally) => ({
  after: percent(after),
  first: percent(first),
  overall: percent(all),
  summaries: percent(summaries)
})

for (const fault of tally.faults.concat(moving.faults)) console.error(fault)
console.log(
  `${tally.conversations} conversations held, ${tally.requests} requests, ${tally.compactions} compactions, ` +
    `${tally.tooLarge} times too large for the budget; ${unsuitable} recorded requests are rejected as they are`
)
const hits = rates(tally)
const controlHits = rates(moving)
console.log(`hit rates in percent: ${JSON.stringify(hits)}; a moving window: ${JSON.stringify(controlHits)}`)

const isTried = tally.compactions > 50 && tally.after.sent > 0 && tally.summaries.sent > 0
const met = tally.faults.length + moving.faults.length === 0 && isTried && hits.after >= 95 && hits.summaries >= 95 &&
  controlHits.overall < hits.overall
console.log(JSON.stringify({
  name: "compaction",
  met,
  conversations: tally.conversations,
  generated,
  requests: tally.requests,
  judged: tally.judged,
  compactions: tally.compactions,
  tooLarge: tally.tooLarge,
  unsuitable,
  hits,
  control: controlHits,
  faults: tally.faults.length + moving.faults.length
}))
exit(met ? 0 : 1)
