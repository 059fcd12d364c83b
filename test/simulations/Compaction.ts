/**
 * A conversation that two writers append to, while others compact it, clear it and read it, and are interrupted at any step.
 *
 * The turns of the writers interleave, so that results come far from their calls. Each of two compactors has a strategy of its
 * own, the same in all rounds. The model that summarises is slow, fails, refuses, answers nothing, or calls a tool. The names
 * of the properties say what must hold.
 */
import { Compaction, ConversationStore, TokenCount } from "@clawback/agent"
import { Simulation } from "@clawback/testing"
import { Effect, Exit, Fiber, Layer, Option } from "effect"
import { AiError, LanguageModel, Prompt, type Response } from "effect/ai"
import { broken, crowded, pairs, unfinished } from "../support/historyLaws.ts"

const conversation = "c42"
const expiry = { idle: undefined, absolute: undefined }
const turnsEach = 7
const roundsEach = 8
/** What the model says when it gives no summary. None of it may ever stand in a view. */
const failureText = "I am sorry, but"

interface Strategy {
  readonly compaction: Compaction.Compaction<
    Compaction.ContextTooLarge | Compaction.SummaryFailed,
    LanguageModel.LanguageModel
  >
  readonly budget: number
  /** Whether a history is above the limit at which it acts. */
  readonly isDue: (items: ReadonlyArray<Compaction.Item>, tokens: number) => boolean
  /** What a compaction leaves at most, beside what must stay. */
  readonly room: { readonly tokens: number; readonly turns: number }
}

const maxTokens = 40

/** At most so many turns. A history may begin in the middle of one, after a clear. */
const turnsIn = (items: ReadonlyArray<Compaction.Item>): number => {
  const roles = items.map(({ message }) => message.role).filter((role) => role !== "system")
  return roles.filter((role) => role === "user").length + (roles[0] === "user" ? 0 : 1)
}

const strategies: ReadonlyArray<Strategy> = [
  ...[1, 3, 6].map((n): Strategy => ({
    compaction: Compaction.turns(n),
    budget: Infinity,
    isDue: (items) => turnsIn(items) > n,
    room: { tokens: Infinity, turns: Math.ceil(n * 0.6) }
  })),
  ...[150, 300, 600].flatMap((budget): ReadonlyArray<Strategy> => [
    {
      compaction: Compaction.tokens(budget),
      budget,
      isDue: (_, tokens) => tokens > budget,
      room: { tokens: Math.ceil(budget * 0.6), turns: Infinity }
    },
    {
      compaction: Compaction.summary({ budget, keep: 2, maxTokens, timeout: 200 }),
      budget,
      isDue: (_, tokens) => tokens > budget,
      room: { tokens: Math.ceil(budget * 0.6), turns: 2 }
    },
    {
      compaction: Compaction.clearToolResults({ trigger: budget, keep: 1, atLeast: 60 }),
      budget: Infinity,
      isDue: (items, tokens) => tokens > budget && items.some(({ message }) => message.role === "tool"),
      room: { tokens: Infinity, turns: Infinity }
    },
    {
      compaction: Compaction.all(
        Compaction.clearToolResults({ trigger: budget / 2, keep: 1, atLeast: 20 }),
        Compaction.orElse(Compaction.summary({ budget, maxTokens, timeout: 200 }), Compaction.tokens(budget))
      ),
      budget,
      isDue: (_, tokens) => tokens > budget / 2,
      room: { tokens: Infinity, turns: Infinity }
    }
  ])
]

/** The texts of the store are numbers of messages, so that a message stays the same object. */
class World {
  readonly messages: Array<Prompt.Message> = []
  readonly numbers = new Map<Prompt.Message, number>()
  /** Positions that an append has acknowledged, with their messages. */
  readonly acknowledged = new Map<number, Prompt.Message>()
  /** The newest position that a clear has acknowledged. */
  cleared = 0
  /** The position that a clear is being made at. */
  clearing = 0
  /** The last request of the reader, and the view that it was made of. */
  last: { readonly version: number; readonly lines: ReadonlyArray<Prompt.Message> } = { version: 0, lines: [] }
  count = 0

  textOf(message: Prompt.Message): string {
    const known = this.numbers.get(message)
    if (known !== undefined) return String(known)
    // A log that a compaction changed would be another one.
    Object.freeze(message)
    Object.freeze(message.content)
    const number = this.messages.push(message) - 1
    this.numbers.set(message, number)
    return String(number)
  }

  messageOf(text: string): Prompt.Message {
    const message = this.messages[Number(text)]
    if (message === undefined) throw new Error(`There is no message ${text}`)
    return message
  }
}

interface Seen {
  readonly cursor: ConversationStore.Cursor
  readonly version: number
  readonly items: ReadonlyArray<Compaction.Item>
  /** Positions that compactions have removed. */
  readonly gone: ReadonlyArray<Compaction.Range>
}

interface ViewText {
  readonly items: ReadonlyArray<readonly [text: string, position: number | null]>
  readonly gone: ReadonlyArray<Compaction.Range>
}

const nothing: ViewText = { items: [], gone: [] }

const includes = (ranges: ReadonlyArray<Compaction.Range>, position: number) =>
  ranges.some(({ from, to }) => position >= from && position <= to)

const load = Effect.fnUntraced(function*(world: World) {
  const store = yield* ConversationStore.ConversationStore
  const { cleared } = world
  const loaded = yield* store.load(conversation)
  if (loaded === undefined) {
    return { cursor: { incarnation: 0, position: 0 }, version: 0, items: [], gone: [] } satisfies Seen
  }
  const { cursor, entries, from, view } = loaded
  const { gone, items }: ViewText = view === undefined || view.text === "" ? nothing : JSON.parse(view.text)
  const seen: Seen = {
    cursor,
    version: view?.version ?? 0,
    gone,
    items: [
      ...items.map(([text, position]) => ({ message: world.messageOf(text), position: position ?? undefined })),
      ...entries.map((text, at) => ({ message: world.messageOf(text), position: from + 1 + at }))
    ]
  }
  yield* judge(world, seen, cleared)
  return seen
})

const textsOf = (message: Prompt.Message): string =>
  message.role === "system"
    ? message.content
    : message.content.map((part) => part.type === "text" ? part.text : "").join(" ")

/** What must hold of a conversation whenever somebody reads it. */
const judge = Effect.fnUntraced(function*(world: World, { cursor, gone, items }: Seen, cleared: number) {
  const present = new Map(items.map(({ message, position }) => [position, message]))
  const lost = [...world.acknowledged].filter(([position]) =>
    position > world.cleared && position > world.clearing && position <= cursor.position && !present.has(position) &&
    !includes(gone, position)
  )
  yield* Simulation.check(
    "what was appended is there, or was compacted",
    lost.length === 0,
    () => `${lost.map(([at]) => at).join()}`
  )
  const old = items.filter(({ position }) => position !== undefined && position <= cleared)
  yield* Simulation.check(
    "what was cleared does not come back",
    old.length === 0,
    () => `${old.map((_) => _.position).join()}`
  )
  const back = [...present.keys()].filter((position) => position !== undefined && includes(gone, position))
  yield* Simulation.check("what was compacted does not come back", back.length === 0, () => back.join())
  yield* Simulation.check(
    "no text of a failure is a summary",
    items.every(({ message, position }) => position !== undefined || !textsOf(message).includes(failureText)),
    () => items.map(({ message }) => textsOf(message)).join("\n")
  )
})

const append = Effect.fnUntraced(function*(world: World, operation: string, messages: ReadonlyArray<Prompt.Message>) {
  const store = yield* ConversationStore.ConversationStore
  const entries = messages.map((message) => world.textOf(message))
  for (;;) {
    const { cursor } = yield* load(world)
    const appended = yield* store.append({
      conversation,
      operation,
      digest: entries.join(),
      expected: cursor,
      entries,
      expiry
    }).pipe(Effect.catchTag("Conflict", () => Effect.succeed(undefined)))
    if (appended === undefined) {
      yield* Simulation.fault("an append is too late", 1)
      continue
    }
    const first = appended.cursor.position - entries.length + 1
    for (const [at, message] of messages.entries()) world.acknowledged.set(first + at, message)
    return
  }
})

const text = (text: string) => Prompt.textPart({ text })

/** A result of the size of one or of many words. */
const resultOf = (id: string, isLong: boolean) =>
  Prompt.toolMessage({
    content: [
      Prompt.toolResultPart({
        id,
        name: "search",
        isFailure: false,
        result: `found ${id} ${isLong ? "row ".repeat(60) : ""}`,
        providerExecuted: false
      })
    ]
  })

/** Two calls, after a thought that belongs to them. */
const calling = (id: string, isApproved: boolean) =>
  Prompt.assistantMessage({
    content: [
      Prompt.reasoningPart({ text: `thought ${id}`, options: { vendor: { signature: "sig" } } }),
      ...[`${id}a`, `${id}b`].map((id) =>
        Prompt.toolCallPart({ id, name: "search", params: { q: id }, providerExecuted: false })
      ),
      ...(isApproved ? [Prompt.toolApprovalRequestPart({ approvalId: `approval ${id}`, toolCallId: `${id}a` })] : [])
    ]
  })

const approving = (id: string) =>
  Prompt.toolMessage({
    content: [Prompt.toolApprovalResponsePart({ approvalId: `approval ${id}`, approved: true })]
  })

/** A turn, in the pieces in which it is appended. */
const turn = Effect.fnUntraced(function*(world: World) {
  const id = `${world.count++}`
  const asked = Prompt.userMessage({
    content: [text(`question ${id} ${"word ".repeat(yield* Simulation.choose([0, 5, 40]))}`)]
  })
  const answered = Prompt.assistantMessage({ content: [text(`answer ${id} 日本`)] })
  const isLong = yield* Simulation.choose([true, false])
  switch (
    yield* Simulation.choose(["plain", "plain", "tools", "tools", "approval", "open", "pinned", "system", "empty"])
  ) {
    case "tools":
      return [[asked], [calling(id, false)], [resultOf(`${id}a`, isLong)], [resultOf(`${id}b`, isLong), answered]]
    case "approval":
      return [[asked, calling(id, true)], [approving(id)], [resultOf(`${id}b`, false), resultOf(`${id}a`, isLong)], [
        answered
      ]]
    case "open":
      yield* Simulation.fault("a call stays unfinished", 1)
      return [[asked, calling(id, true)], [resultOf(`${id}b`, isLong)]]
    case "pinned":
      return [[Compaction.pin(asked), answered]]
    case "system":
      return [[Prompt.systemMessage({ content: `rule ${id}` })], [asked, answered]]
    case "empty":
      return [[Prompt.userMessage({ content: [] }), answered]]
    default:
      return [[asked], [answered]]
  }
})

const writer = Effect.fnUntraced(function*(world: World, name: number) {
  for (let i = 0; i < turnsEach; i++) {
    let piece = 0
    for (const messages of yield* turn(world)) {
      yield* append(world, `${name} ${i} ${piece++}`, messages)
      yield* Simulation.latency(0, 15)
    }
  }
}, Simulation.phase("appending"))

/** The messages that the model is asked with begin with the last request of the conversation. */
const asked = Effect.fnUntraced(function*(prompt: Prompt.Prompt, items: ReadonlyArray<Compaction.Item>) {
  const sent = prompt.content.slice(0, -1)
  const open = unfinished(items)
  const places = items.map(({ message }) => message)
  const newest = places.findLastIndex(({ role }) => role === "assistant" || role === "tool")
  // Effect's language models take approvals out of a prompt.
  if (
    places.some(({ content }) =>
      typeof content !== "string" && content.some(({ type }) => type.startsWith("tool-approval"))
    )
  ) {
    return
  }
  // An unfinished call elsewhere than in the newest turn cannot be sent at all.
  if (
    open.length > 0 || pairs(items).some(([from, to]) => places.slice(from, to).some(({ role }) => role === "user"))
  ) return
  yield* Simulation.check(
    "a request for a summary begins with the conversation",
    sent.length > newest && sent.every((message, at) => message === places[at]),
    () => `${sent.length} of ${places.length} messages, the newest answer at ${newest}`
  )
})

type Answer = ReadonlyArray<Response.PartEncoded>

const finish = (reason: Response.FinishReason) =>
  ({
    type: "finish",
    reason,
    usage: { inputTokens: {}, outputTokens: {} },
    response: undefined
  }) as unknown as Response.PartEncoded

const say = (text: string, reason: Response.FinishReason = "stop"): Answer => [{ type: "text", text }, finish(reason)]

/** A slow model that gives summaries of any length, and fails in every way. */
const model = (items: () => ReadonlyArray<Compaction.Item>, said: { isLong: boolean }) =>
  LanguageModel.make({
    generateText: Effect.fnUntraced(function*({ prompt }: LanguageModel.ProviderOptions) {
      yield* asked(prompt, items())
      yield* Simulation.latency(0, 60)
      if (yield* Simulation.fault("the model hangs", 0.1)) return yield* Effect.never
      if (yield* Simulation.fault("the model fails", 0.1)) {
        return yield* AiError.make({
          module: "test",
          method: "generateText",
          reason: new AiError.InvalidUserInputError({ description: failureText })
        })
      }
      if (yield* Simulation.fault("the model refuses", 0.1)) return [...say(`${failureText} no.`)]
      if (yield* Simulation.fault("the provider filters", 0.1)) {
        return [...say(`<summary>${failureText}</summary>`, "content-filter")]
      }
      if (yield* Simulation.fault("the summary is cut short", 0.1)) {
        return [...say(`<summary>${failureText}</summary>`, "length")]
      }
      if (yield* Simulation.fault("the summary is empty", 0.1)) return [...say("<summary> </summary>")]
      if (yield* Simulation.fault("the summary is too long", 0.1)) {
        said.isLong = true
        return [...say(`<summary>${failureText} ${"word ".repeat(700)}</summary>`)]
      }
      return [...say(`<summary>summary of ${prompt.content.length} messages</summary>`)]
    }) as never,
    streamText: () => {
      throw new Error("not streamed")
    }
  })

/** Compacts what it has read, and stores that, unless another one was faster. */
const compact = Effect.fnUntraced(function*(world: World, { budget, compaction, isDue, room }: Strategy) {
  const store = yield* ConversationStore.ConversationStore
  const seen = yield* load(world)
  const total = seen.items.reduce((sum, { message }) => sum + TokenCount.estimate(message), 0)
  const copy = [...seen.items]
  const said = { isLong: false }
  const run = (items: ReadonlyArray<Compaction.Item>) =>
    Effect.provideServiceEffect(compaction.compact(items), LanguageModel.LanguageModel, model(() => items, said))
  const exit = yield* Effect.exit(run(seen.items))
  yield* Simulation.check("a history is not changed", copy.every((item, at) => seen.items[at] === item))
  if (Exit.isFailure(exit)) {
    const error = Option.getOrUndefined(Exit.findErrorOption(exit))
    yield* Simulation.check(
      "a compaction that fails says why",
      Exit.hasInterrupts(exit) || error?._tag === "ContextTooLarge" || error?._tag === "SummaryFailed",
      () => String(exit.cause)
    )
    yield* Simulation.check(
      "a compaction fails for its budget only if what must stay is larger",
      error?._tag !== "ContextTooLarge" || (error.tokens > budget && total > budget),
      () => String(error)
    )
    yield* Simulation.check(
      "only a long summary is too long: the model is not asked where there is no room",
      error?._tag !== "SummaryFailed" || error.reason !== "too-long" || said.isLong
    )
    return yield* Exit.hasInterrupts(exit) ? exit : Effect.void
  }
  if (Option.isNone(exit.value)) {
    yield* Simulation.check("no history is left above its budget", total <= budget, () => `${total} of ${budget}`)
    return
  }
  const compacted = exit.value.value
  yield* Simulation.check(
    "a history is compacted only above its limit",
    isDue(seen.items, total),
    () => `${compaction.name} at ${total}`
  )
  for (const law of broken(seen.items, compacted, budget)) yield* Simulation.check(law, false, compaction.name)
  for (const law of crowded(compacted.items, room)) yield* Simulation.check(law, false, compaction.name)
  const again = yield* Effect.exit(run(compacted.items))
  yield* Simulation.check(
    "to compact twice is to compact once",
    Exit.isFailure(again) ? Exit.hasInterrupts(again) : Option.isNone(again.value),
    () => String(again)
  )
  const text: ViewText = {
    items: compacted.items.map(({ message, position }) => [world.textOf(message), position ?? null]),
    gone: [...seen.gone, ...compacted.steps.flatMap(({ removed }) => removed)]
  }
  yield* store.setView({
    conversation,
    incarnation: seen.cursor.incarnation,
    version: seen.version,
    upTo: seen.cursor.position,
    text: JSON.stringify(text)
  }).pipe(Effect.catchTag("Conflict", () => Simulation.fault("a compaction is too late", 1)))
})

const compactor = Effect.fnUntraced(function*(world: World, strategy: Strategy) {
  for (let i = 0; i < roundsEach; i++) {
    yield* Simulation.latency(0, 25)
    yield* compact(world, strategy)
  }
}, Simulation.phase("compacting"))

/** Forgets all that was said so far. */
const clearer = Effect.fnUntraced(function*(world: World) {
  const store = yield* ConversationStore.ConversationStore
  for (let i = 0; i < 2; i++) {
    yield* Simulation.latency(20, 120)
    if (!(yield* Simulation.fault("the conversation is cleared", 0.4))) continue
    const { cursor, version } = yield* load(world)
    if (cursor.position === 0) continue
    yield* Simulation.latency(0, 10)
    world.clearing = cursor.position
    yield* store.setView({ conversation, incarnation: cursor.incarnation, version, upTo: cursor.position, text: "" })
      .pipe(
        Effect.tap(() => Effect.sync(() => world.cleared = Math.max(world.cleared, cursor.position))),
        Effect.catchTag("Conflict", () => {
          world.clearing = world.cleared
          return Simulation.fault("a clear is too late", 1)
        })
      )
  }
}, Simulation.phase("clearing"))

/** Makes requests of the conversation, as a user's turns do. */
const reader = Effect.fnUntraced(function*(world: World) {
  for (let i = 0; i < 12; i++) {
    yield* Simulation.latency(0, 20)
    const { items, version } = yield* load(world)
    const lines = items.map(({ message }) => message)
    const { last } = world
    yield* Simulation.check(
      "a request begins with the one before, while nothing was compacted",
      version !== last.version || last.lines.every((message, at) => message === lines[at])
    )
    world.last = { version, lines }
  }
}, Simulation.phase("reading"))

const program = Effect.gen(function*() {
  const world = new World()
  const [first, ...others] = strategies
  if (first === undefined) return
  const [one, other] = [yield* Simulation.choose([first, ...others]), yield* Simulation.choose([first, ...others])]
  const fibers: ReadonlyArray<Fiber.Fiber<void, unknown>> = [
    yield* Simulation.fork(writer(world, 1), "writer"),
    yield* Simulation.fork(writer(world, 2), "second writer"),
    yield* Simulation.fork(compactor(world, one), "compactor"),
    yield* Simulation.fork(compactor(world, other), "second compactor"),
    yield* Simulation.fork(clearer(world), "clearer"),
    yield* Simulation.fork(reader(world), "reader")
  ]
  for (const fiber of fibers) {
    const exit = yield* Fiber.await(fiber)
    yield* Simulation.check(
      "only who was interrupted ends so",
      Exit.isSuccess(exit) || (Exit.hasInterrupts(exit) && (yield* Simulation.isStruck(fiber))),
      () => String(exit)
    )
  }
  yield* Simulation.heal
  yield* load(world)
  yield* compact(world, one)
  const store = yield* ConversationStore.ConversationStore
  const log = yield* store.load(conversation, { from: 0 })
  yield* Simulation.check(
    "the log is as it was appended",
    [...world.acknowledged].every(([position, message]) => log?.entries[position - 1] === world.textOf(message))
  )
})

export default {
  name: "Compaction",
  program: program.pipe(Effect.provide(Layer.fresh(ConversationStore.layerMemory())), Effect.orDie),
  phases: ["appending", "compacting", "clearing", "reading"],
  faults: [
    "an append is too late",
    "a call stays unfinished",
    "the model hangs",
    "the model fails",
    "the model refuses",
    "the provider filters",
    "the summary is cut short",
    "the summary is empty",
    "the summary is too long",
    "a compaction is too late",
    "the conversation is cleared",
    "a clear is too late"
  ]
} satisfies Simulation.Scenario
