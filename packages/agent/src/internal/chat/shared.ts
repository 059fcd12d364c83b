/** One chat of this process: a history that its users share, and what of it the store has. */
import type * as Chat from "effect/ai/Chat"
import * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import type { Open } from "../conversation/handle.ts"
import { promptOf, withApprovals } from "../conversation/history.ts"
import { type Machine, said } from "../conversation/machine.ts"
import type { ChangeError } from "../conversation/model.ts"
import type { Snapshot } from "../conversation/writer.ts"
import { Conflict } from "../store/errors.ts"

/** What the store had when the history was last compared with it. */
interface Known extends Snapshot {
  readonly history: Prompt.Prompt
}

const knownOf = (machine: Machine): Known => ({
  ...machine.cursor,
  version: machine.version,
  history: promptOf(withApprovals(machine))
})

const beginsWith = (history: Prompt.Prompt, beginning: Prompt.Prompt): boolean =>
  history.content.length >= beginning.content.length &&
  beginning.content.every((message, index) => history.content[index] === message)

/** A call of the model that has begun: what it is asked, and what is to be appended with its answer. */
export interface Turn {
  readonly prompt: Prompt.Prompt
  readonly unsaved: ReadonlyArray<Prompt.Message>
}

export class Shared {
  readonly id: string
  /** Its history is the shared one. */
  readonly chat: Chat.Chat
  private known: Known

  constructor(id: string, chat: Chat.Chat, machine: Machine) {
    this.id = id
    this.chat = chat
    this.known = { ...knownOf(machine), history: chat.history.ref.current }
  }

  /** Takes over what the store has, unless the history was changed here. */
  refresh(machine: Machine): Effect.Effect<void> {
    return Effect.suspend(() =>
      this.chat.history.ref.current === this.known.history ? this.accept(machine) : Effect.void
    )
  }

  private accept(machine: Machine): Effect.Effect<void> {
    return Effect.suspend(() => {
      this.known = knownOf(machine)
      return Ref.set(this.chat.history, this.known.history)
    })
  }

  /**
   * Saves what was set here, if the store has nothing that it did not have then. Otherwise fails, and takes over what the store
   * has.
   */
  save(open: Open): Effect.Effect<void, ChangeError> {
    return Effect.gen({ self: this }, function*() {
      const machine = yield* open.machine
      const current = yield* Ref.get(this.chat.history)
      const { history, incarnation, position, version } = this.known
      if (current === history) return yield* this.accept(machine)
      const { cursor } = machine
      const isSame = cursor.position === position && machine.version === version &&
        (cursor.incarnation === incarnation || position === 0)
      if (!isSame || !(yield* this.set(open, current))) {
        yield* this.accept(yield* open.machine)
        return yield* new Conflict({ conversation: this.id, what: isSame ? "view" : "position", actual: cursor })
      }
      yield* this.accept(yield* open.machine)
    })
  }

  private set(open: Open, current: Prompt.Prompt): Effect.Effect<boolean, ChangeError> {
    const { history, position } = this.known
    const isLonger = beginsWith(current, history)
    const added = isLonger ? current.content.slice(history.content.length) : current.content
    if (isLonger || position === 0) return Effect.as(open.add(() => added.map(said)), true)
    return open.replace(this.known, current.content, [{ by: "chat" }])
  }

  /**
   * Begins a call of the model. Tools that were approved are run by Effect: what approves them and that they start is durable
   * before.
   */
  begin(open: Open, input: Prompt.Prompt, hasTools: boolean): Effect.Effect<Turn, ChangeError> {
    return Effect.gen({ self: this }, function*() {
      yield* this.save(open)
      const machine = yield* open.machine
      const extended = machine.with(input.content)
      const prompt = promptOf(withApprovals(extended))
      const approved = hasTools ? extended.open.filter(({ state }) => state === "approved") : []
      if (approved.length === 0) return { prompt, unsaved: input.content }
      yield* open.add(() => [
        ...input.content.map(said),
        ...approved.map(({ part }) => ({ _tag: "started", call: part.id }) as const)
      ])
      return { prompt, unsaved: [] }
    })
  }

  /** Appends the question and the answer, together. */
  end(open: Open, { unsaved }: Turn, parts: ReadonlyArray<Response.AnyPart>): Effect.Effect<void, ChangeError> {
    const messages = [...unsaved, ...Prompt.fromResponseParts(parts).content]
    return open.add(() => messages.map(said)).pipe(
      Effect.andThen(open.machine),
      Effect.flatMap((machine) => this.accept(machine))
    )
  }
}

/** The chats of this process that somebody refers to. */
export class Chats {
  private readonly chats = new Map<string, WeakRef<Shared>>()

  private get(id: string): Shared | undefined {
    return this.chats.get(id)?.deref()
  }

  /** The chat that somebody has of this id, or else this one. */
  share(shared: Shared): Shared {
    const known = this.get(shared.id)
    if (known === undefined) this.chats.set(shared.id, new WeakRef(shared))
    return known ?? shared
  }

  /** The chat of an id was lost. A newer one of the same id stays. */
  lost(id: string): void {
    if (this.get(id) === undefined) this.chats.delete(id)
  }
}
