/** Makes the calls of a scenario by a model, and keeps all that can be seen of them. */
import type { ChatEvent, ProviderError } from "@clawback/providers"
import { Cause, Deferred, Effect, Exit, Fiber, Option, type Pull, Ref, Schema, Stream, Tracer } from "effect"
import { Chat, LanguageModel, Prompt, ResponseIdTracker, Telemetry, Tool, Toolkit } from "effect/ai"
import { toCodecOpenAI } from "effect/ai/OpenAiStructuredOutput"
import type { Chat as CallChat } from "../../../packages/providers/src/internal/call/chat.ts"
import type { Settings } from "../../../packages/providers/src/internal/effect/chatRequest.ts"
import * as Hooks from "../../../packages/providers/src/internal/effect/hooks.ts"
import { overHooks } from "../../../packages/providers/src/internal/effect/languageModel.ts"
import type { Around, Call, End, Scenario } from "./calls.ts"
import { encodedHooks } from "./encodedHooks.ts"

/** All that happened, in its order. */
type Log = Array<ReadonlyArray<unknown>>

/** Hooks that log what they are asked. */
const logged = (hooks: Hooks.Hooks, log: Log): Hooks.Hooks => {
  const asked = ({ span, ...options }: LanguageModel.ProviderOptions) => log.push(["asked", nameOf(span), options])
  return {
    generateText: (options) => {
      asked(options)
      return hooks.generateText(options)
    },
    streamText: (options) => {
      asked(options)
      return hooks.streamText(options)
    }
  }
}

type MakeModel = (chat: CallChat, settings: Settings, log: Log) => Effect.Effect<LanguageModel.LanguageModel>

export const direct: MakeModel = (chat, settings, log) =>
  overHooks(logged(Hooks.make(chat, settings), log), settings.transformer)

/** The oracle. */
export const throughEffect: MakeModel = (chat, settings, log) =>
  LanguageModel.make({ ...logged(encodedHooks(chat, settings), log), codecTransformer: settings.transformer })

const settings: Settings = { model: "m", parameters: { temperature: 1 }, transformer: toCodecOpenAI }

const toolkit = Toolkit.make(
  Tool.make("look", {
    parameters: Schema.Struct({ place: Schema.String }),
    success: Schema.Struct({ place: Schema.String })
  }),
  Tool.make("find", { success: Schema.String })
)
const handlers = toolkit.toLayer({ look: (place) => Effect.succeed(place), find: () => Effect.succeed("here") })

const reasonsOf = (cause: Cause.Cause<unknown>) =>
  cause.reasons.map((reason) => {
    if (Cause.isFailReason(reason)) return ["fail", reason.error]
    if (Cause.isDieReason(reason)) return ["die", String(reason.defect)]
    return ["interrupt"]
  })
const endOf = (exit: Exit.Exit<unknown, unknown>) => Exit.isSuccess(exit) ? ["success"] : reasonsOf(exit.cause)
const nameOf = (span: Tracer.AnySpan | undefined) => span?._tag === "Span" ? span.name : undefined

/** How a call ends that has no answer. It says so before it hangs. */
const endless = (end: End, isStuck: Deferred.Deferred<void>) => {
  switch (end.type) {
    case "error":
      return Effect.fail(end.error)
    case "defect":
      return Effect.die(new Error("defect"))
    case "never":
      return Effect.andThen(Deferred.succeed(isStuck, undefined), Effect.never)
  }
}

/** The call that is made, and whether it hangs. */
interface Current {
  readonly call: Call
  readonly isStuck: Deferred.Deferred<void>
  /** How often the model was asked for it. */
  turns: number
}

type Events = Pull.Pull<readonly [ChatEvent.ChatEvent, ...Array<ChatEvent.ChatEvent>], ProviderError.CallError>

/** A chat model that answers the calls of a scenario. */
const chatOf = (current: () => Current, log: Log): CallChat => {
  const turn = () => current().turns++ === 0 ? 0 : 1
  return {
    addresses: { generate: "http://provider.test/chat", stream: "http://provider.test/stream" },
    generate: (request, span) =>
      Effect.suspend(() => {
        log.push(["generate", request, nameOf(span)])
        const { call, isStuck } = current()
        const answer = call.whole[turn()]
        return answer.type === "whole" ? Effect.succeed(answer.response) : endless(answer, isStuck)
      }).pipe(Effect.withSpan("attempt")),
    stream: (request, span) =>
      Stream.unwrap(Effect.gen(function*() {
        const inForce = Option.getOrUndefined(yield* Effect.serviceOption(Tracer.ParentSpan))
        log.push(["stream", request, nameOf(span), nameOf(inForce)])
        yield* Effect.addFinalizer((exit) => Effect.sync(() => log.push(["closed", endOf(exit)])))
        const { call, isStuck } = current()
        const { end, pieces } = call.streamed[turn()]
        const left = [...pieces]
        return Stream.fromPull(Effect.succeed(Effect.suspend((): Events => {
          const [first, ...rest] = left.shift() ?? []
          if (first !== undefined) return Effect.succeed([first, ...rest] as const)
          return end.type === "done" ? Cause.done() : endless(end, isStuck)
        })))
      }))
  }
}

const transformer = (log: Log, throws: boolean): Telemetry.SpanTransformer => ({ span, ...options }) => {
  log.push(["transformer", nameOf(span), options])
  if (throws) throw new Error("transformer")
}

const trackerOf = (tracker: ResponseIdTracker.Service, log: Log): ResponseIdTracker.Service => ({
  clearUnsafe: () => tracker.clearUnsafe(),
  markParts: (parts, id) => {
    log.push(["mark", [...parts], id])
    tracker.markParts(parts, id)
  },
  prepareUnsafe: (prompt) => {
    const prepared = tracker.prepareUnsafe(prompt)
    log.push(["prepare", prompt, prepared])
    return prepared
  }
})

const tracerOf = (log: Log): Tracer.Tracer =>
  Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      const { kind, name, parent, sampled } = options
      log.push(["begin", name, kind, sampled, nameOf(Option.getOrUndefined(parent))])
      const end = span.end.bind(span)
      span.end = (time, exit) => {
        if (span.status._tag === "Started") log.push(["end", name, [...span.attributes], endOf(exit)])
        end(time, exit)
      }
      return span
    }
  })

const context = ({ tracer, tracker, transformer: kind }: Around, log: Log) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    let program = self
    if (kind === "call" || kind === "throws") {
      program = Effect.provideService(program, Telemetry.CurrentSpanTransformer, transformer(log, kind === "throws"))
    }
    if (tracker) {
      const service = trackerOf(yield* ResponseIdTracker.make, log)
      program = Effect.provideService(program, ResponseIdTracker.ResponseIdTracker, service)
    }
    if (tracer === "none") return yield* program
    if (tracer === "disabled") program = Effect.withTracerEnabled(program, false)
    program = Effect.withSpan(program, "outer", { sampled: tracer !== "unsampled" })
    return yield* Effect.withTracer(program, tracerOf(log))
  })

/** What a user calls: a model, or a chat over it. */
interface Face {
  readonly generateText: (options: Asked) => Effect.Effect<unknown, unknown, LanguageModel.LanguageModel>
  readonly streamText: (options: Asked) => Stream.Stream<unknown, unknown, LanguageModel.LanguageModel>
}

type Asked = { readonly prompt: string }

const toolkitOf = ({ toolkit: kind }: Call) => {
  switch (kind) {
    case "none":
      return {}
    case "undefined":
      return { toolkit: undefined }
    case "empty":
      return { toolkit: Toolkit.empty }
    case "tools":
      return { toolkit }
  }
}

/** Makes one call as a user does. */
const make = (model: Face, call: Call, log: Log) => {
  const options = { ...call.options, ...toolkitOf(call), prompt: call.prompt() } as unknown as Asked
  if (!call.isStreamed) {
    return Effect.tap(
      model.generateText(options),
      (response) =>
        Effect.sync(() => log.push(["answer", response, response instanceof LanguageModel.GenerateTextResponse]))
    )
  }
  const stream = model.streamText(options)
  const read = call.readUntil === undefined ? stream : Stream.take(stream, call.readUntil)
  // With tools, parts wait in a queue: how many come at once is a matter of time.
  return call.toolkit === "tools"
    ? Stream.runForEach(read, (part) => Effect.sync(() => log.push(["part", part])))
    : Stream.runForEachArray(read, (parts) => Effect.sync(() => log.push(["parts", parts])))
}

/** All that can be seen of a scenario's calls by a model: requests, parts, errors, spans, transformers, trackers, scopes. */
export const observe = (scenario: Scenario, makeModel: MakeModel): Effect.Effect<Log> =>
  Effect.gen(function*() {
    const { around, calls } = scenario
    const log: Log = []
    let current: Current | undefined
    const chat = chatOf(() => current!, log)
    const model = yield* around.transformer === "model"
      ? Effect.provideService(makeModel(chat, settings, log), Telemetry.CurrentSpanTransformer, transformer(log, false))
      : makeModel(chat, settings, log)
    let history = Prompt.empty
    yield* Effect.forEach(calls, (call) =>
      Effect.gen(function*() {
        current = { call, isStuck: Deferred.makeUnsafe(), turns: 0 }
        // A new one for each call, since a prompt that it refuses leaves a chat locked.
        const conversation = yield* Chat.fromPrompt(history)
        const face = around.through === "chat" ? conversation : model
        const fiber = yield* Effect.forkChild(make(face as unknown as Face, call, log))
        yield* Effect.raceFirst(Fiber.await(fiber), Deferred.await(current.isStuck))
        yield* Fiber.interrupt(fiber)
        log.push(["result", endOf(yield* Fiber.await(fiber))])
        history = yield* Ref.get(conversation.history)
      })).pipe(
        context(around, log),
        Effect.provideService(LanguageModel.LanguageModel, model),
        Effect.provide(handlers)
      )
    log.push(["history", history])
    return log
  })
