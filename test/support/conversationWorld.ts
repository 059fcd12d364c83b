/**
 * What the scenario of conversations knows: stores that several processes share, the processes, and what must be in a history.
 *
 * A process that crashes changes nothing from then on: its steps do not reach the stores any more. Steps take time before and
 * after they are made, so that a crash also comes between a change and its answer.
 */
import { type Conversation, ConversationStore } from "@clawback/agent"
import { LeaseStore } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Data, Effect, Option } from "effect"
import { Prompt } from "effect/ai"
import { objections } from "./strictHistory.ts"

type Store = ConversationStore.ConversationStore
type Leases = LeaseStore.LeaseStore

/** One process, until it crashes. */
export class Process {
  isDead = false
  /** Whether it reaches the store of leases. */
  isCutOff = false
  readonly name: string

  constructor(name: string) {
    this.name = name
  }
}

const unavailable = (outcome: "none" | "unknown") =>
  new ConversationStore.StoreUnavailable({ store: "simulated", outcome, reason: "simulated" })

const unreachable = (operation: "acquire" | "renew" | "release" | "holders") =>
  new LeaseStore.LeaseStoreError({ store: "simulated", operation, problem: "simulated", isUnknown: false })

/** A step of a store, as this process makes it. */
const step = <A, E, E2>(
  process: Process,
  self: Effect.Effect<A, E>,
  fails: (outcome: "none" | "unknown") => E2
): Effect.Effect<A, E | E2> =>
  Effect.gen(function*() {
    yield* Simulation.latency(0, 3)
    if (process.isDead || (yield* Simulation.fault("a step is not made", 0.03))) {
      return yield* Effect.fail(fails("none"))
    }
    const answer = yield* self
    yield* Simulation.latency(0, 3)
    if (process.isDead || (yield* Simulation.fault("an answer is lost", 0.04))) {
      return yield* Effect.fail(fails("unknown"))
    }
    return answer
  })

/** The store as a process reaches it. */
export const storeOf = (process: Process, store: Store): Store => ({
  ...store,
  load: (id, options) => step(process, store.load(id, options), unavailable),
  append: (append) => step(process, store.append(append), unavailable),
  setView: (change) => step(process, store.setView(change), unavailable),
  remove: (id, options) => step(process, store.remove(id, options), unavailable)
})

/** The leases as a process reaches them. */
export const leasesOf = (process: Process, store: Leases): Leases => {
  const reach = <A, E>(operation: "acquire" | "renew" | "release", self: Effect.Effect<A, E>) =>
    Effect.gen(function*() {
      yield* Simulation.latency(0, 2)
      if (process.isDead || process.isCutOff) return yield* unreachable(operation)
      return yield* self
    })
  return {
    name: store.name,
    acquire: (request) => reach("acquire", store.acquire(request)),
    renew: (renewal) => reach("renew", store.renew(renewal)),
    release: (release) => reach("release", store.release(release)),
    holders: store.holders
  }
}

/** A text that a writer appends. Moments count up. */
interface Text {
  readonly id: string
  readonly conversation: string
  readonly process: Process
  readonly begun: number
  /** When the append has returned or failed. */
  ended: number
  isAcknowledged: boolean
}

interface Clear {
  /** Only a reader of the store sees a removal. A writer hears of it at its next change. */
  readonly isRemoval: boolean
  readonly conversation: string
  readonly begun: number
  ended: number
  isAcknowledged: boolean
}

interface Call {
  readonly id: string
  readonly conversation: string
  readonly needsApproval: boolean
  /** An approval or a denial may have been made. */
  isAnswered: boolean
  isDenied: boolean
  runs: number
  /** When its result was acknowledged. */
  doneAt: number
}

export class SummaryFailed extends Data.TaggedError("SummaryFailed")<{}> {}

const summaryMark = "summary of "

const textsOf = (message: Prompt.Message): ReadonlyArray<string> =>
  message.role === "system" || message.role === "tool"
    ? []
    : message.content.flatMap((part) => part.type === "text" ? [part.text] : [])

/** The texts that a history stands for. */
const idsOf = (messages: ReadonlyArray<Prompt.Message>): ReadonlyArray<string> =>
  messages.flatMap(textsOf).flatMap((text) =>
    text.startsWith(summaryMark) ? JSON.parse(text.slice(summaryMark.length)) as ReadonlyArray<string> : [text]
  )

const callIds = (message: Prompt.Message): ReadonlyArray<string> =>
  message.role === "assistant" ? message.content.flatMap((part) => part.type === "tool-call" ? [part.id] : []) : []

const resultIds = (message: Prompt.Message): ReadonlyArray<string> =>
  message.role === "tool" ? message.content.flatMap((part) => part.type === "tool-result" ? [part.id] : []) : []

/** Replaces all but the last messages by one that lists them, which takes time and may fail. */
export const summarising: Conversation.Compactor<SummaryFailed> = {
  compact: (items) =>
    Effect.gen(function*() {
      if (items.length <= 8) return Option.none()
      const open = new Set<string>()
      let cut = 0
      for (const [index, { message }] of items.entries()) {
        if (message.role === "user" && open.size === 0 && index <= items.length - 3) cut = index
        for (const id of callIds(message)) open.add(id)
        for (const id of resultIds(message)) open.delete(id)
      }
      if (cut < 2) return Option.none()
      yield* Simulation.latency(0, 30)
      if (yield* Simulation.fault("a summary fails", 0.2)) return yield* new SummaryFailed()
      const ids = idsOf(items.slice(0, cut).map(({ message }) => message))
      const summary = Prompt.makeMessage("user", {
        content: [Prompt.makePart("text", { text: summaryMark + JSON.stringify(ids) })]
      })
      return Option.some({ items: [{ message: summary }, ...items.slice(cut)], steps: [] })
    })
}

export class World {
  readonly texts = new Map<string, Text>()
  readonly calls = new Map<string, Call>()
  private readonly clears: Array<Clear> = []
  private moment = 0
  /** Who opened each conversation last. */
  private readonly writers = new Map<string, object>()

  private get now(): number {
    return ++this.moment
  }

  /** A writer has opened a conversation. Returns whether no other one has since. */
  enter(conversation: string): () => boolean {
    const writer = {}
    this.writers.set(conversation, writer)
    return () => this.writers.get(conversation) === writer
  }

  done(call: string): void {
    const known = this.calls.get(call)
    if (known !== undefined) known.doneAt = this.now
  }

  text(conversation: string, process: Process): Text {
    const id = `t${this.texts.size}`
    const text = { id, conversation, process, begun: this.now, ended: Infinity, isAcknowledged: false }
    this.texts.set(id, text)
    return text
  }

  call(conversation: string, needsApproval: boolean): Call {
    const id = `call${this.calls.size}`
    const call = { id, conversation, needsApproval, isAnswered: false, isDenied: false, runs: 0, doneAt: Infinity }
    this.calls.set(id, call)
    return call
  }

  /** Appends texts, and notes whether that was acknowledged. A crashed process hears of nothing. */
  appending<A, E, R>(texts: ReadonlyArray<Text>, self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> {
    return Effect.onExit(self, (exit) =>
      Effect.sync(() => {
        const { now } = this
        for (const text of texts) {
          text.ended = now
          text.isAcknowledged = exit._tag === "Success" && !text.process.isDead
        }
      }))
  }

  /** Clears or removes a conversation. */
  clearing<A, E, R>(
    conversation: string,
    process: Process,
    self: Effect.Effect<A, E, R>,
    isRemoval = false
  ): Effect.Effect<A, E, R> {
    return Effect.suspend(() => {
      const clear: Clear = { isRemoval, conversation, begun: this.now, ended: Infinity, isAcknowledged: false }
      this.clears.push(clear)
      return Effect.onExit(self, (exit) =>
        Effect.sync(() => {
          clear.ended = this.now
          clear.isAcknowledged = exit._tag === "Success" && !process.isDead
        }))
    })
  }

  /** Whether a clear may have come after the append of a text. */
  private mayBeCleared(text: Text, until: number): boolean {
    return this.clears.some(({ begun, conversation, ended }) =>
      conversation === text.conversation && begun < until && ended > text.begun
    )
  }

  private isCleared(text: Text, since: number, isWriter: boolean): boolean {
    return this.clears.some(({ begun, conversation, ended, isAcknowledged, isRemoval }) =>
      conversation === text.conversation && isAcknowledged && begun > text.ended && ended < since &&
      !(isWriter && isRemoval)
    )
  }

  /** Reads a history and judges it. What happened while it was read may be in it or not. */
  judged<E, R>(
    conversation: string,
    read: Effect.Effect<Prompt.Prompt, E, R>,
    isWriter = true
  ): Effect.Effect<Prompt.Prompt, E, R> {
    return Effect.gen({ self: this }, function*() {
      const since = this.now
      const history = yield* read
      const until = this.now
      const wrong = objections(history)
      yield* Simulation.check("every history is accepted", wrong.length === 0, () => wrong.join())
      for (const message of history.content) yield* this.results(message, since)
      const ids = idsOf(history.content)
      const present = new Set(ids)
      yield* Simulation.check("nothing is in a history twice", present.size === ids.length, () => ids.join())
      for (const text of this.texts.values()) {
        if (text.conversation !== conversation) continue
        if (present.has(text.id)) {
          yield* Simulation.check(
            "nothing that was cleared comes back",
            !this.isCleared(text, since, isWriter),
            text.id
          )
        } else if (text.isAcknowledged && text.ended < since) {
          yield* Simulation.check(
            "nothing acknowledged is lost",
            this.mayBeCleared(text, until),
            () => `${text.id} is not among ${ids.join()}`
          )
        }
      }
      yield* this.inOrder(ids)
      return history
    })
  }

  private results(message: Prompt.Message, since: number): Effect.Effect<void> {
    if (message.role !== "tool") return Effect.void
    return Effect.forEach(message.content, (part) => {
      const isWrong = part.type === "tool-result" && part.isFailure &&
        (this.calls.get(part.id)?.doneAt ?? Infinity) < since
      return Simulation.check("a tool that ran has its result", !isWrong, () => JSON.stringify(part))
    }, { discard: true })
  }

  /** What was appended later stands later. */
  private inOrder(ids: ReadonlyArray<string>): Effect.Effect<void> {
    let latest: Text | undefined
    for (const id of ids) {
      const text = this.texts.get(id)
      if (text === undefined) return Simulation.check("a history has only what was appended", false, id)
      if (latest !== undefined && text.ended < latest.begun) {
        return Simulation.check("a history is in order", false, `${id} after ${latest.id}`)
      }
      latest = text
    }
    return Effect.void
  }
}
