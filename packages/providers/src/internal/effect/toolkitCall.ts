/**
 * A call with a toolkit on the direct path, whose answer comes in one piece.
 *
 * An answer without tool calls ends the call here. Any other is handed to Effect (handover.ts), so that its decoding, its
 * approvals and the tool handlers stay Effect's.
 */
import type * as AiError from "effect/ai/AiError"
import * as IdGenerator from "effect/ai/IdGenerator"
import type * as LanguageModel from "effect/ai/LanguageModel"
import type * as Prompt from "effect/ai/Prompt"
import type * as Response from "effect/ai/Response"
import type * as Telemetry from "effect/ai/Telemetry"
import type * as Tool from "effect/ai/Tool"
import type * as Toolkit from "effect/ai/Toolkit"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type * as Tracer from "effect/Tracer"
import { Handover, provide } from "./handover.ts"
import type { Hooks } from "./hooks.ts"
import * as ModelCall from "./modelCall.ts"
import * as Part from "./parts.ts"

/** Its errors are those of the toolkit and its handlers, too. */
type Answer = Effect.Effect<LanguageModel.GenerateTextResponse<{}, Response.ToolParametersMode>, unknown>

type Resolved = Toolkit.WithHandler<Record<string, Tool.Any>>

/** What a model is made of. */
export interface Made {
  readonly hooks: Hooks
  /** The transformer in force where the model was made. */
  readonly transformer: Telemetry.SpanTransformer | undefined
  readonly idGenerator: IdGenerator.Service
  /** Effect's own call, which runs tool handlers in sessions. */
  readonly throughEffect: (options: ModelCall.Options) => Answer
}

const resolve = (toolkit: unknown, { idGenerator }: Made): Effect.Effect<Resolved, unknown> =>
  Effect.isEffect(toolkit)
    ? Effect.provideService(toolkit as Effect.Effect<Resolved, unknown>, IdGenerator.IdGenerator, idGenerator)
    : Effect.succeed(toolkit as Resolved)

type Choice = LanguageModel.ToolChoice<string>

const chosen = (tools: ReadonlyArray<Tool.Any>, choice: Choice): ReadonlyArray<Tool.Any> =>
  typeof choice === "object" && "oneOf" in choice ? tools.filter(({ name }) => choice.oneOf.includes(name)) : tools

const begin = (
  fiber: Fiber.Fiber<unknown, unknown>,
  { tools: all }: Resolved,
  { toolChoice = "auto" }: ModelCall.Options,
  prompt: Prompt.Prompt,
  span: Tracer.Span,
  { transformer }: Made
): ModelCall.Call => {
  const tools = Object.values(all)
  return tools.length === 0
    ? ModelCall.begin(fiber, prompt, [], "none", span, transformer)
    : ModelCall.begin(fiber, prompt, chosen(tools, toolChoice), toolChoice, span, transformer)
}

type Parts = Array<Response.Part<{}>>

/** How the call ends, once the provider has answered. A tool call is never decoded yet: only the toolkit knows its schema. */
const respond = (
  made: Made,
  options: ModelCall.Options,
  toolkit: Resolved,
  call: ModelCall.Call
): Effect.Effect<Answer, AiError.AiError> =>
  Effect.map(
    ModelCall.ask(made.hooks, call),
    (parts) => {
      if (Part.areDecoded<Parts>(parts)) return Effect.succeed(ModelCall.answer(call, parts))
      const { prompt } = call.asked
      const resolved = { ...options, prompt, toolkit: toolkit as Toolkit.WithHandler<{}> }
      return provide(made.throughEffect(resolved), new Handover(call, parts))
    }
  )

/** The toolkit's effect may fail with a `SchemaError`, too. Effect takes it for one of the answer. */
const asAiError = (error: unknown): unknown =>
  Schema.isSchemaError(error) ? ModelCall.invalidOutput("generateText", error) : error

export const generateText = (made: Made, options: ModelCall.Options, prompt: Prompt.Prompt): Answer =>
  Effect.useSpan("LanguageModel.generateText", ModelCall.spanOptions, (span) => {
    ModelCall.annotate(span, options)
    const answered = Effect.flatMap(
      resolve(options.toolkit, made),
      (toolkit) =>
        Effect.withFiber((fiber) => respond(made, options, toolkit, begin(fiber, toolkit, options, prompt, span, made)))
    )
    // What Effect does with the answer, it does in the span by itself.
    return Effect.flatten(
      Effect.withParentSpan(Effect.mapError(answered, asAiError), span, { captureStackTrace: false })
    )
  })
