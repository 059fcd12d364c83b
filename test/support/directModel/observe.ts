/** Makes the calls of a scenario by a model, and keeps all that can be seen of them. */
import type { ChatEvent, ProviderError } from "@clawback/providers"
import { Cause, Deferred, Effect, Exit, Fiber, Option, type Pull, Ref, Scheduler, Stream, Tracer } from "effect"
import { Chat, IdGenerator, LanguageModel, Prompt, ResponseIdTracker, Telemetry } from "effect/ai"
import { toCodecOpenAI } from "effect/ai/OpenAiStructuredOutput"
import type { Chat as CallChat } from "../../../packages/providers/src/internal/call/chat.ts"
import type { Settings } from "../../../packages/providers/src/internal/effect/chatRequest.ts"
import type { Around, Call, End, Scenario } from "./calls.ts"
import { type Log, type MakeModel, nameOf } from "./models.ts"
import { handlers, idGenerator, Running, toolkitField } from "./tools.ts"

const settings: Settings = { model: "m", parameters: { temperature: 1 }, transformer: toCodecOpenAI }

const reasonsOf = (cause: Cause.Cause<unknown>) =>
  cause.reasons.map((reason) => {
    if (Cause.isFailReason(reason)) return ["fail", reason.error]
    if (Cause.isDieReason(reason)) return ["die", String(reason.defect)]
    return ["interrupt"]
  })
const endOf = (exit: Exit.Exit<unknown, unknown>) => Exit.isSuccess(exit) ? ["success"] : reasonsOf(exit.cause)

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
        if (span?._tag === "Span") span.attribute("gen_ai.request.model", request.model)
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

const annotations = { "gen_ai.request.model": "annotated", "effect.ai.tool_choice": "annotated", other: 1 }

const context =
  ({ isAnnotated, tracer, tracker, transformer: kind }: Around, log: Log) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.gen(function*() {
      let program = self
      if (kind === "call" || kind === "throws") {
        program = Effect.provideService(program, Telemetry.CurrentSpanTransformer, transformer(log, kind === "throws"))
      }
      if (tracker) {
        const service = trackerOf(yield* ResponseIdTracker.make, log)
        program = Effect.provideService(program, ResponseIdTracker.ResponseIdTracker, service)
      }
      if (isAnnotated) program = Effect.annotateSpans(program, annotations)
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

/** Makes one call as a user does. */
const make = (model: Face, call: Call, log: Log) =>
  Effect.flatMap(toolkitField(call.toolkit), (toolkit) => {
    const options = { ...call.options, ...toolkit, prompt: call.prompt() } as unknown as Asked
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
    return call.toolkit === "none" || call.toolkit === "undefined" || call.toolkit === "empty"
      ? Stream.runForEachArray(read, (parts) => Effect.sync(() => log.push(["parts", parts])))
      : Stream.runForEach(read, (part) => Effect.sync(() => log.push(["part", part])))
  })

/**
 * All that can be seen of a scenario's calls by a model: requests, parts, errors, spans, transformers, trackers, scopes.
 * A fiber yields only where it says so, not after so many steps: the two models take more or fewer.
 */
export const observe = (scenario: Scenario, makeModel: MakeModel): Effect.Effect<Log> =>
  Effect.gen(function*() {
    const { around, calls } = scenario
    const log: Log = []
    let current: Current | undefined
    const chat = chatOf(() => current!, log)
    const making = Effect.provideService(makeModel(chat, settings, log), IdGenerator.IdGenerator, idGenerator())
    const model = yield* around.transformer === "model"
      ? Effect.provideService(making, Telemetry.CurrentSpanTransformer, transformer(log, false))
      : making
    let history = Prompt.empty
    yield* Effect.forEach(calls, (call) =>
      Effect.gen(function*() {
        const isStuck = Deferred.makeUnsafe<void>()
        current = { call, isStuck, turns: 0 }
        // A new one for each call, since a prompt that it refuses leaves a chat locked.
        const conversation = yield* Chat.fromPrompt(history)
        const face = around.through === "chat" ? conversation : model
        const running = Running.of({
          log: (event) => log.push(event),
          isStuck,
          isSequential: !call.isStreamed && call.options.concurrency === 1
        })
        const fiber = yield* Effect.forkChild(
          Effect.provideService(make(face as unknown as Face, call, log), Running, running)
        )
        yield* Effect.raceFirst(Fiber.await(fiber), Deferred.await(isStuck))
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
  }).pipe(Effect.provideService(Scheduler.MaxOpsBeforeYield, Infinity))
