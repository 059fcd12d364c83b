/** Conversations held again, message by message, with a compaction before each request. */
import { type Compaction, TokenCount } from "@clawback/agent"
import { Effect, Exit, Option } from "effect"
import { LanguageModel, type Prompt, type Response } from "effect/ai"
import { unfinished } from "./historyLaws.ts"
import { isCacheable, PrefixCache, tokensOf } from "./prefixCache.ts"
import { protocols, rejected, rendered, resolved } from "./promptRequests.ts"

export type Strategy = Compaction.Compaction<
  Compaction.ContextTooLarge | Compaction.SummaryFailed,
  LanguageModel.LanguageModel
>

/** Tokens that were sent before, and those of them that the provider read from its cache. */
export class Hits {
  sent = 0
  cached = 0

  add(sent: number, cached: number): void {
    this.sent += sent
    this.cached += cached
  }

  get rate(): number {
    return this.sent === 0 ? 1 : this.cached / this.sent
  }
}

export class Tally {
  conversations = 0
  requests = 0
  /** Histories that the strict validators of both protocols accepted. */
  judged = 0
  compactions = 0
  tooLarge = 0
  /** Requests after a compaction, without the first one after each. */
  readonly after = new Hits()
  /** The first request after each compaction. */
  readonly first = new Hits()
  readonly all = new Hits()
  /** The requests for summaries. */
  readonly summaries = new Hits()
  readonly faults: Array<string> = []
}

const summaryText = "<summary>The user asked, and the tools were called. Much was settled, little is open.</summary>"

const modelOf = (asked: (prompt: Prompt.Prompt) => void) =>
  LanguageModel.make({
    generateText: ({ prompt }): Effect.Effect<Array<Response.PartEncoded>> =>
      Effect.sync(() => {
        asked(prompt)
        return [
          { type: "text", text: summaryText },
          { type: "finish", reason: "stop", usage: { inputTokens: {}, outputTokens: {} }, response: undefined }
        ] as unknown as Array<Response.PartEncoded>
      }),
    streamText: () => {
      throw new Error("not streamed")
    }
  })

type Items = ReadonlyArray<Compaction.Item>

const messagesOf = (items: Items) => items.map(({ message }) => message)

/** One protocol's server, and what the conversation has sent to it. */
class Server {
  private readonly cache = new PrefixCache()
  private sent: ReadonlyArray<Prompt.Message> = []
  private tokens = 0
  private readonly protocol: (typeof protocols)[number]

  constructor(protocol: (typeof protocols)[number]) {
    this.protocol = protocol
  }

  /** The tokens of the messages that the last request had too. */
  private sentOf(messages: ReadonlyArray<Prompt.Message>): number {
    if (this.sent.every((message, at) => message === messages[at])) return this.tokens
    const known = new Set(this.sent)
    const before = messages.filter((message) => known.has(message))
    return before.length === 0 ? 0 : tokensOf(rendered(this.protocol, before))
  }

  /** Sends a request. The tokens of messages that the last request had, and those that came from the cache. */
  send(messages: ReadonlyArray<Prompt.Message>, isRemembered = true): readonly [sent: number, cached: number] {
    const sent = this.sentOf(messages)
    const prompt = rendered(this.protocol, messages)
    const cached = this.cache.send(prompt)
    if (isRemembered) {
      this.sent = messages
      this.tokens = tokensOf(prompt)
    }
    return isCacheable(sent) ? [sent, Math.min(sent, cached)] : [0, 0]
  }
}

/** Why no provider accepts a history, its unfinished calls resolved. */
const verdicts = new WeakMap<Items, { readonly wrong: string | undefined }>()

const verdict = (items: Items): string | undefined => {
  const before = verdicts.get(items)
  if (before !== undefined) return before.wrong
  const wrong = rejected(resolved(messagesOf(items)))
  verdicts.set(items, { wrong })
  return wrong
}

export interface Held {
  readonly strategy: Strategy
  readonly budget: number
  /** How often it is compacted in the middle of a turn too. */
  readonly between: () => boolean
}

/** Holds one conversation. Its histories must be valid, and within the budget, at each step. */
export const hold = (
  tally: Tally,
  messages: ReadonlyArray<Prompt.Message>,
  { between, budget, strategy }: Held
): void => {
  const servers = protocols.map((protocol) => new Server(protocol))
  const model = modelOf((prompt) => {
    for (const server of servers) tally.summaries.add(...server.send(prompt.content, false))
  })
  let items: Items = []
  let compactions = 0
  let isFirst = false
  const fault = (what: string) => tally.faults.length < 20 && tally.faults.push(`${strategy.name}: ${what}`)
  const compact = () => {
    const before = items
    const exit = Effect.runSyncExit(
      Effect.provideServiceEffect(strategy.compact(items), LanguageModel.LanguageModel, model)
    )
    if (Exit.isFailure(exit)) {
      const error = Option.getOrUndefined(Exit.findErrorOption(exit))
      if (error?._tag === "ContextTooLarge") tally.tooLarge++
      else fault(String(exit.cause))
      return
    }
    if (Option.isSome(exit.value)) {
      items = exit.value.value.items
      tally.compactions++
      compactions++
      isFirst = true
    }
    const size = items.reduce((sum, { message }) => sum + TokenCount.estimate(message), 0)
    if (size > budget) fault(`${size} tokens are above the budget of ${budget}`)
    const wrong = verdict(items)
    // No provider accepts a conversation without a message of the user, also before a compaction.
    if (wrong === undefined) tally.judged++
    else if (verdict(before) === undefined) fault(wrong)
  }
  const request = () => {
    compact()
    tally.requests++
    for (const server of servers) {
      const hit = server.send(messagesOf(items))
      tally.all.add(...hit)
      if (isFirst) tally.first.add(...hit)
      else if (compactions > 0) tally.after.add(...hit)
    }
    isFirst = false
  }
  for (const [at, message] of messages.entries()) {
    if (message.role === "assistant" && unfinished(items).length === 0 && verdict(items) === undefined) {
      request()
    } else if (between()) compact()
    items = [...items, { message, position: at + 1 }]
  }
  compact()
  tally.conversations++
}
