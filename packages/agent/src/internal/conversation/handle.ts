/** An open conversation, over its writer. */
import * as Prompt from "effect/ai/Prompt"
import * as Cause from "effect/Cause"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { Item } from "../compaction/model.ts"
import type { OperationMismatch } from "../store/errors.ts"
import type { Cursor } from "../store/model.ts"
import type { Entry, View } from "./entry.ts"
import { CompactionFailed, NotStorable, ToolCallState } from "./errors.ts"
import { complete, promptOf, unfinished } from "./history.ts"
import { type Decision, errorResult, Machine, said, unknownOutcome } from "./machine.ts"
import type {
  AppendOptions,
  ChangeError,
  Compactor,
  Conversation,
  Input,
  ReadError,
  Smaller,
  ToolCall
} from "./model.ts"
import type { Snapshot, Writer } from "./writer.ts"

type Failure = ChangeError | CompactionFailed

interface Compacted {
  readonly prompt: Prompt.Prompt
  readonly isSmaller: boolean
}

/** A compaction with what it needs. */
export interface Compacting {
  readonly compactor: Compactor<unknown, unknown>
  readonly context: Context.Context<unknown>
}

const isSingle = (input: Input): input is Prompt.Message | Prompt.MessageEncoded =>
  typeof input === "object" && "role" in input

/** Throws if the input is no message. */
const given = (input: Input): Prompt.Prompt => Prompt.make(isSingle(input) ? [input as Prompt.MessageEncoded] : input)

/** A conversation changes little while it is compacted. */
const maxCompactions = 3

/** What a handler's error tells the model. */
const textOf = (error: unknown): unknown => {
  if (error instanceof Error) return error.message === "" ? error.name : error.message
  return error
}

const succeeded = (part: Prompt.ToolCallPart, result: unknown): Prompt.ToolResultPart =>
  Prompt.makePart("tool-result", {
    id: part.id,
    name: part.name,
    isFailure: false,
    result,
    providerExecuted: part.providerExecuted
  })

const resultOf = (part: Prompt.ToolCallPart, exit: Exit.Exit<unknown, unknown>): Prompt.ToolResultPart => {
  if (Exit.isSuccess(exit)) return succeeded(part, exit.value)
  const error = Cause.findErrorOption(exit.cause)
  return Option.isSome(error) ? errorResult(part, textOf(error.value)) : unknownOutcome(part)
}

export class Open implements Conversation {
  readonly id: string

  private readonly writer: Writer
  private readonly compacting: Compacting | undefined

  constructor(writer: Writer, compacting: Compacting | undefined) {
    this.writer = writer
    this.compacting = compacting
    this.id = writer.id
  }

  get position(): Conversation["position"] {
    return Effect.map(this.writer.current, ({ cursor }) => cursor)
  }

  get history(): Conversation["history"] {
    return Effect.map(this.writer.current, (machine) => promptOf(complete(machine)))
  }

  get calls(): Effect.Effect<ReadonlyArray<ToolCall>, Effect.Error<Conversation["calls"]>> {
    return Effect.map(
      this.writer.current,
      ({ open }) => open.map(({ approvalId, part, state }) => ({ approvalId, part, state }))
    )
  }

  private read(input: Input): Effect.Effect<ReadonlyArray<Prompt.Message>, NotStorable> {
    return Effect.try({
      try: () => given(input).content,
      catch: (error) => new NotStorable({ conversation: this.id, reason: String(error).split("\n")[0] ?? "" })
    })
  }

  append(input: Input, options: AppendOptions = {}): Effect.Effect<Cursor, ChangeError | OperationMismatch> {
    return Effect.flatMap(
      this.read(input),
      (messages) => this.writer.change(() => Result.succeed(messages.map(said)), options.operation)
    )
  }

  /** An id that is made for each change is never that of another. */
  private change<E = never>(
    decide: (machine: Machine) => Result.Result<ReadonlyArray<Entry>, E>
  ): Effect.Effect<Cursor, ChangeError | E> {
    return Effect.catchTag(
      this.writer.change(decide) as Effect.Effect<Cursor, ChangeError | OperationMismatch>,
      "OperationMismatch",
      Effect.die
    ) as Effect.Effect<Cursor, ChangeError | E>
  }

  private decide(
    call: string,
    decision: (machine: Machine) => Decision
  ): Effect.Effect<Cursor, ChangeError | ToolCallState> {
    return this.change((machine) => {
      const decided = decision(machine)
      return decided._tag === "append"
        ? Result.succeed(decided.entries)
        : Result.fail(new ToolCallState({ conversation: this.id, call, state: decided.state }))
    })
  }

  approve(call: string): Effect.Effect<void, ChangeError | ToolCallState> {
    return Effect.asVoid(this.decide(call, (machine) => machine.approve(call)))
  }

  deny(call: string, reason?: string): Effect.Effect<void, ChangeError | ToolCallState> {
    return Effect.asVoid(this.decide(call, (machine) => machine.deny(call, reason)))
  }

  /** What the log says now. */
  get machine(): Effect.Effect<Machine, ReadError> {
    return this.writer.current
  }

  /** Appends what a decision says. */
  add(decide: (machine: Machine) => ReadonlyArray<Entry>): Effect.Effect<Cursor, ChangeError> {
    return this.change((machine) => Result.succeed(decide(machine)))
  }

  /** Replaces all that there was at a moment, unless that was replaced since. Returns whether it did. */
  replace(
    at: Snapshot,
    messages: ReadonlyArray<Prompt.Message>,
    steps: View["steps"]
  ): Effect.Effect<boolean, ChangeError> {
    return this.writer.replace(at, { items: messages.map((message) => ({ message })), started: [], steps })
  }

  /** The results that end what the writer before has left behind. */
  get repair(): Effect.Effect<void, ChangeError> {
    return Effect.asVoid(this.change((machine) => Result.succeed(machine.repair())))
  }

  runTool<A, E, R>(
    call: string,
    handler: (call: Prompt.ToolCallPart) => Effect.Effect<A, E, R>
  ): Effect.Effect<Prompt.ToolResultPart, ChangeError | ToolCallState, R> {
    let part: Prompt.ToolCallPart | undefined
    const start = this.decide(call, (machine) => {
      part = machine.call(call)?.part
      return machine.start(call)
    })
    return Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(restore(start), () => {
        const known = part as Prompt.ToolCallPart
        return Effect.flatMap(
          Effect.exit(restore(Effect.suspend(() => handler(known)))),
          (exit) => this.finish(known, exit)
        )
      })
    )
  }

  private finish<A, E>(
    part: Prompt.ToolCallPart,
    exit: Exit.Exit<A, E>
  ): Effect.Effect<Prompt.ToolResultPart, ChangeError | ToolCallState> {
    const result = resultOf(part, exit)
    const end = (result: Prompt.ToolResultPart) => this.decide(part.id, (machine) => machine.finish(part.id, result))
    const isOver = Exit.isFailure(exit) && Option.isNone(Cause.findErrorOption(exit.cause))
    // The repair ends a call whose end cannot be recorded here.
    if (isOver) return Effect.andThen(Effect.ignore(end(result)), Effect.failCause(exit.cause as Cause.Cause<never>))
    return Effect.as(
      Effect.catchTag(
        end(result),
        "NotStorable",
        (error) =>
          Effect.andThen(end(errorResult(part, "This tool ran, but its result cannot be written as JSON.")), error)
      ),
      result
    )
  }

  get clear(): Effect.Effect<void, ChangeError> {
    return this.writer.clear
  }

  get compact(): Effect.Effect<boolean, ChangeError | CompactionFailed> {
    return Effect.map(this.compacted([]), ({ isSmaller }) => isSmaller)
  }

  prompt(input?: Input): Effect.Effect<Prompt.Prompt, ChangeError | CompactionFailed> {
    return Effect.flatMap(
      input === undefined ? Effect.succeed([]) : this.read(input),
      (messages) => Effect.map(this.compacted(messages), ({ prompt }) => prompt)
    )
  }

  /** The history with messages behind it, within the limit of the compaction. */
  private compacted(input: ReadonlyArray<Prompt.Message>, count = 1): Effect.Effect<Compacted, Failure> {
    return Effect.flatMap(this.writer.current, (machine) => {
      const extended = machine.with(input)
      const whole = { prompt: promptOf(complete(extended)), isSmaller: false }
      if (this.compacting === undefined) return Effect.succeed(whole)
      const snapshot = { ...machine.cursor, version: machine.version, started: machine.started }
      return Effect.flatMap(
        this.smaller(this.compacting, unfinished(extended)),
        (smaller) => Option.isNone(smaller) ? Effect.succeed(whole) : this.store(snapshot, smaller.value, input, count)
      )
    })
  }

  private store(
    snapshot: Snapshot & Pick<View, "started">,
    { items, steps }: Smaller,
    input: ReadonlyArray<Prompt.Message>,
    count: number
  ): Effect.Effect<Compacted, Failure> {
    const { started } = snapshot
    const from = items.length - input.length
    // What is not in the log yet cannot be a part of its view.
    if (input.some((message, index) => items[from + index]?.message !== message)) {
      return Effect.succeed({ prompt: promptOf(complete(new Machine({ items, started }))), isSmaller: true })
    }
    return Effect.flatMap(this.writer.replace(snapshot, { items: items.slice(0, from), started, steps }), (isDone) => {
      if (isDone) {
        return Effect.map(this.writer.current, (machine) => ({
          prompt: promptOf(complete(machine.with(input))),
          isSmaller: true
        }))
      }
      // A clear or another compaction was faster: the history is another one now.
      return count < maxCompactions
        ? Effect.suspend(() => this.compacted(input, count + 1))
        : this.failed(new Error("The history was changed too often meanwhile"))
    })
  }

  private failed(cause: unknown) {
    return Effect.fail(new CompactionFailed({ conversation: this.id, cause }))
  }

  private smaller({ compactor, context }: Compacting, items: ReadonlyArray<Item>) {
    return compactor.compact(items).pipe(
      Effect.provideContext(context),
      Effect.catch((cause) => this.failed(cause))
    )
  }
}
