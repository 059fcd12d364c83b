/** Calls of a model: what is asked, what it answers, and what is around them. */
import type { ChatEvent, ChatResponse, ProviderError } from "@clawback/providers"
import * as fc from "fast-check"
import { calling, pieces, response } from "./answers.ts"
import { errors, rejected } from "./errors.ts"
import { callOptions, type MakePrompt, type Options, prompt } from "./prompts.ts"
import { type Kind, toolkits } from "./tools.ts"
import { mostly } from "./values.ts"

/** How an answer ends that does not come, or not whole. */
export type End =
  | { readonly type: "error"; readonly error: ProviderError.CallError }
  | { readonly type: "defect" }
  /** It never ends: the caller is interrupted. */
  | { readonly type: "never" }

type Whole = { readonly type: "whole"; readonly response: ChatResponse.ChatResponse } | End

interface Streamed {
  readonly pieces: ReadonlyArray<ReadonlyArray<ChatEvent.ChatEvent>>
  readonly end: { readonly type: "done" } | End
}

/** One call, to which the model may be asked twice. */
export interface Call {
  readonly isStreamed: boolean
  readonly prompt: MakePrompt
  readonly options: Options
  readonly toolkit: Kind
  readonly whole: readonly [Whole, Whole]
  readonly streamed: readonly [Streamed, Streamed]
  /** After how many parts a reader stops; undefined for the end. */
  readonly readUntil: number | undefined
}

/** What calls find in their context. */
export interface Around {
  readonly transformer: "none" | "call" | "model" | "throws"
  readonly tracker: boolean
  readonly tracer: "none" | "recording" | "disabled" | "unsampled"
  /** Whether spans get attributes, among them some that a call sets itself. */
  readonly isAnnotated: boolean
  readonly through: "model" | "chat"
}

export interface Scenario {
  readonly around: Around
  readonly calls: ReadonlyArray<Call>
}

const end: fc.Arbitrary<End> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("error"), error: fc.constantFrom(...errors) }) },
  fc.constant({ type: "defect" }),
  fc.constant({ type: "never" })
)
const anyWhole: fc.Arbitrary<Whole> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant("whole"), response }) },
  end
)
const anyStreamed: fc.Arbitrary<Streamed> = fc.record({
  pieces,
  end: fc.oneof({ weight: 4, arbitrary: fc.constant({ type: "done" as const }) }, end)
})

const callOf = (prompt: fc.Arbitrary<MakePrompt>, whole: fc.Arbitrary<Whole>, streamed: fc.Arbitrary<Streamed>) =>
  fc.record<Call>({
    isStreamed: fc.boolean(),
    prompt,
    options: callOptions,
    toolkit: fc.oneof(
      { weight: 2, arbitrary: fc.constant("none") },
      { weight: 1, arbitrary: fc.constant("tools") },
      fc.constantFrom(...toolkits)
    ),
    whole: fc.tuple(whole, anyWhole),
    streamed: fc.tuple(streamed, anyStreamed),
    readUntil: fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, fc.nat(4))
  })

const around = fc.record<Around>({
  transformer: fc.constantFrom("none", "none", "call", "model", "throws"),
  tracker: fc.boolean(),
  tracer: fc.constantFrom("none", "recording", "recording", "disabled", "unsampled"),
  isAnnotated: fc.boolean(),
  through: fc.constantFrom("model", "model", "chat")
})

const any = fc.record<Scenario>({
  around,
  calls: fc.array(callOf(prompt, anyWhole, anyStreamed), { minLength: 1, maxLength: 3 })
})

// A conversation of which the provider knows the beginning: it may reject a prompt that has only the rest.
const question = fc.constant(() => "Why?")
const greeting: Whole = {
  type: "whole",
  response: {
    id: "r1",
    model: "m",
    choices: [{ content: [{ type: "text", text: "Hi" }], finish: { reason: "stop", raw: "stop" } }],
    usage: undefined
  }
}
const rejection: End = { type: "error", error: rejected }
const opening = callOf(question, fc.constant(greeting), anyStreamed).map((call) =>
  Object.assign(call, { isStreamed: false, toolkit: "none", options: {} })
)
const incremental = fc.record<Scenario>({
  around: fc.record<Around>({
    transformer: fc.constantFrom("none", "call"),
    tracker: fc.constant(true),
    tracer: fc.constantFrom("none", "recording"),
    isAnnotated: fc.constant(false),
    through: fc.constant("chat")
  }),
  calls: fc.tuple(
    opening,
    callOf(
      question,
      mostly(fc.constant(rejection), anyWhole, 2),
      fc.record({ pieces, end: mostly(fc.constant(rejection), fc.constant({ type: "done" as const }), 2) })
    )
  )
})

// Conversations whose tools are called.
const callingTools = fc.tuple(
  callOf(question, fc.record({ type: fc.constant("whole"), response: calling }), anyStreamed),
  fc.constantFrom<Array<Kind>>("tools", "with handlers", "effect"),
  fc.constantFrom(1, 1, 2, "unbounded")
).map(([call, toolkit, concurrency]) =>
  Object.assign(call, { isStreamed: false, toolkit, options: { ...call.options, concurrency } })
)
const tooled = fc.record<Scenario>({
  around,
  calls: fc.oneof(fc.tuple(callingTools), fc.tuple(callingTools, callingTools), fc.tuple(opening, callingTools))
})

export const scenario: fc.Arbitrary<Scenario> = fc.oneof(
  { weight: 4, arbitrary: any },
  { weight: 1, arbitrary: incremental },
  { weight: 3, arbitrary: tooled }
)
