/**
 * Memory before a second store: conversations that were not used for longest move there, and come back when they are used.
 *
 * Changes of one conversation run one after the other. So no change is made to a conversation while it moves.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { StoreUnavailable } from "./errors.ts"
import type { Keeper } from "./keeper.ts"
import { Locks } from "./locks.ts"
import type { Memory } from "./memory.ts"
import type { Page, ScanOptions } from "./model.ts"
import type { ConversationStore } from "./port.ts"
import type { Resident } from "./residents.ts"
import { utf8Length } from "./utf8.ts"

/** How many conversations are saved at the same time. */
const concurrency = 16

const now = Effect.map(Clock.Clock, (clock) => clock.currentTimeMillisUnsafe())

export class Saving implements Keeper {
  private readonly memory: Memory
  private readonly second: ConversationStore
  private readonly locks = new Locks()

  constructor(memory: Memory, second: ConversationStore) {
    this.memory = memory
    this.second = second
  }

  within<A, E>(
    conversation: string,
    bytes: number | undefined,
    step: (now: number) => Effect.Effect<A, E>
  ): Effect.Effect<A, E | StoreUnavailable> {
    return this.locks.within(
      conversation,
      Effect.gen({ self: this }, function*() {
        yield* this.fetch(conversation)
        if (bytes !== undefined) yield* this.makeRoom(conversation, bytes)
        return yield* step(yield* now)
      })
    )
  }

  /** Brings the conversation to memory, if the second store has it. */
  private fetch(conversation: string): Effect.Effect<void, StoreUnavailable> {
    const { memory, second } = this
    if (memory.residents.get(conversation) !== undefined) return Effect.void
    return Effect.flatMap(second.export(conversation), (stored) => {
      if (stored === undefined) return Effect.void
      const room = this.makeRoom(conversation, utf8Length(...stored.entries, stored.view))
      return Effect.andThen(room, Effect.map(now, (now) => memory.install(stored, now)))
    })
  }

  private makeRoom(conversation: string, bytes: number): Effect.Effect<void, StoreUnavailable> {
    return Effect.suspend(() => {
      const { memory } = this
      if (!memory.isFull(conversation, bytes)) return Effect.void
      const victim = this.victim(conversation)
      if (victim === undefined) return Effect.void
      const evicted = Effect.andThen(this.save(victim), Effect.sync(() => this.forget(victim)))
      return Effect.andThen(this.locks.within(victim.conversation, evicted), this.makeRoom(conversation, bytes))
    })
  }

  /** The one that was not used for longest, and is not in use now. Its lock is free, so that nobody waits for it. */
  private victim(conversation: string): Resident | undefined {
    for (const resident of this.memory.residents.byAge()) {
      if (resident.conversation !== conversation && !this.locks.has(resident.conversation)) return resident
    }
    return undefined
  }

  private forget(resident: Resident): void {
    if (this.memory.residents.get(resident.conversation) === resident) this.memory.evict(resident)
  }

  /** Gives the second store what it does not have yet. To be run with the lock of the conversation. */
  private save(resident: Resident): Effect.Effect<void, StoreUnavailable> {
    return Effect.flatMap(now, (now) => {
      const { conversation } = resident
      const stored = resident.isSaved ? undefined : this.memory.stored(conversation, now)
      if (stored === undefined) return Effect.void
      return Effect.flatMap(this.second.adopt(stored), (isTaken) => {
        resident.isSaved = true
        return isTaken
          ? Effect.void
          : Effect.logError(
            `The store ${this.second.name} has a newer state of a conversation than this process, ` +
              `which alone should use it. The state in memory is lost: ${conversation}`
          )
      })
    })
  }

  /** Saves one conversation, unless it has left the memory. */
  private saveNow(conversation: string): Effect.Effect<void, StoreUnavailable> {
    return this.locks.within(
      conversation,
      Effect.suspend(() => {
        const resident = this.memory.residents.get(conversation)
        return resident === undefined ? Effect.void : this.save(resident)
      })
    )
  }

  /** Saves all conversations. One that cannot be saved does not keep the others. */
  readonly persist: Effect.Effect<void, StoreUnavailable> = Effect.suspend(() => {
    const unsaved = Array.from(this.memory.residents.byAge()).filter(({ isSaved }) => !isSaved)
    const saving = Effect.forEach(
      unsaved,
      ({ conversation }) => Effect.result(this.saveNow(conversation)),
      { concurrency }
    )
    return Effect.flatMap(saving, (results) => {
      const failed = results.find((result) => result._tag === "Failure")
      return failed === undefined ? Effect.void : Effect.fail(failed.failure)
    })
  })

  /** Removes a conversation from both. Repeated after a failure, it goes on. */
  remove(conversation: string, step: (now: number) => boolean): Effect.Effect<boolean, StoreUnavailable> {
    return this.within(conversation, undefined, (now) => {
      const isRemoved = step(now)
      const resident = this.memory.residents.get(conversation)
      if (resident === undefined || resident.isSaved || resident.state._tag === "Live") return Effect.succeed(isRemoved)
      return Effect.as(this.save(resident), true)
    })
  }

  /** First what is in memory, then what the second store has. */
  scan(options: ScanOptions): Effect.Effect<Page, StoreUnavailable> {
    const { memory, second } = this
    const { after = "memory:", idleSince = Infinity } = options
    const [, tier, token] = /^(memory|second):(.*)$/s.exec(after) ?? []
    const own = token === "" ? undefined : token
    return Effect.flatMap(now, (now): Effect.Effect<Page, StoreUnavailable> => {
      if (tier === "memory") {
        const { heads, next } = memory.page(now, { ...options, after: own })
        return Effect.succeed<Page>({ heads, next: next === undefined ? "second:" : `memory:${next}` })
      }
      return Effect.map(second.scan({ ...options, after: own }), ({ heads, next }): Page => ({
        heads: heads.flatMap((head) => {
          if (memory.residents.get(head.conversation) === undefined) return [head]
          const newer = memory.head(head.conversation, now, idleSince)
          return newer === undefined ? [] : [newer]
        }),
        next: next === undefined ? undefined : `second:${next}`
      }))
    })
  }

  readonly sweep: Effect.Effect<number, StoreUnavailable> = Effect.suspend(() => this.second.sweep)
}
