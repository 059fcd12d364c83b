/** Tools whose handlers end in every way, and toolkits of them in every form that a call may be given. */
import { Context, Deferred, Effect, Schema } from "effect"
import { IdGenerator, LanguageModel, Prompt, Tool, Toolkit } from "effect/ai"
import * as fc from "fast-check"

/** The call in force, by which a handler reports what it does. */
export class Running extends Context.Service<Running, {
  readonly log: (event: ReadonlyArray<unknown>) => void
  readonly isStuck: Deferred.Deferred<void>
  /** Whether nothing else runs beside a handler. */
  readonly isSequential: boolean
}>()("clawback/test/support/directModel/tools/Running") {}

/** Counted ids, so that both models give the same to an approval. */
export const idGenerator = (): IdGenerator.Service => {
  let made = 0
  return { generateId: () => Effect.sync(() => `id${made++}`) }
}

const place = Schema.Struct({ place: Schema.String })
const dependencies = [Running]
const said = { success: Schema.String, dependencies }

const look = Tool.make("look", { parameters: place, success: place, dependencies })
const find = Tool.make("find", said)
const tools = Toolkit.make(
  look,
  find,
  Tool.make("refuse", { ...said, failure: Schema.String }),
  Tool.make("decline", { ...said, failure: Schema.String, failureMode: "return" }),
  Tool.make("strict", { ...said, parameters: place, failureMode: "return" }).annotate(Tool.Strict, true),
  Tool.make("crash", said),
  Tool.make("stop", said),
  Tool.make("hang", said),
  Tool.make("lie", said),
  Tool.make("ask", { ...said, needsApproval: true }),
  Tool.make("consider", {
    ...said,
    parameters: place,
    needsApproval: ({ place }, { messages, toolCallId }) =>
      Effect.as(
        note("considered", place, toolCallId, messages) as Effect.Effect<void>,
        place === "here"
      )
  }),
  Tool.make("delegate", { success: Schema.String, dependencies: [Running, LanguageModel.LanguageModel] }),
  Tool.make("report", said),
  Tool.make("draw", { ...said, toModelOutput: (text) => [Prompt.makePart("text", { text: `drawn ${text}` })] }),
  Tool.make("hosted", { ...said, parameters: place }),
  Tool.dynamic("raw", {
    success: Schema.String,
    parameters: { type: "object", properties: { place: { type: "string" } } }
  }).addDependency(Running)
)

/** Reports an event, with the span in which it happens, and whether there is a tracer. */
const note = (...event: ReadonlyArray<unknown>): Effect.Effect<void, never, Running> =>
  Running.use(({ log }) =>
    Effect.withFiber(({ cache: { span, tracer } }) => {
      log([...event, span?._tag === "Span" ? span.name : undefined, tracer === undefined ? "untraced" : "traced"])
      return Effect.void
    })
  )

interface Handled {
  readonly toolCallId?: string | undefined
}

/** Reports the call of a handler, and its end, between which others may run. */
const handled = (
  name: string,
  params: unknown,
  { toolCallId }: Handled
) =>
<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Running> =>
  note("handled", name, params, toolCallId).pipe(
    Effect.andThen(Effect.yieldNow),
    Effect.andThen(Effect.withSpan(self, `run ${name}`)),
    Effect.tap((result) => note("done", name, result))
  )

const inner = Toolkit.make(look, find)
const ofInner = inner.of({
  look: (params, context) => Effect.succeed(params).pipe(handled("look", params, context)),
  find: (params, context) => Effect.succeed("here").pipe(handled("find", params, context))
})

const deferred = { disableToolCallResolution: true, toolCallValidation: "deferred" } as const

/** Effect takes more turns of the scheduler for this than the direct path does, which others would notice. */
const askWithTools = Running.use(({ isSequential }) =>
  isSequential
    ? Effect.map(LanguageModel.generateText({ prompt: "And with tools?", toolkit: inner }), ({ text }) => text)
    : Effect.succeed("alone")
)

export const handlers = tools.toLayer({
  ...ofInner,
  refuse: (params, context) => Effect.fail("no").pipe(handled("refuse", params, context)),
  decline: (params, context) => Effect.fail("no").pipe(handled("decline", params, context)),
  strict: (params, context) => Effect.succeed(params.place).pipe(handled("strict", params, context)),
  crash: (params, context) => Effect.die(new Error("crash")).pipe(handled("crash", params, context)),
  stop: (params, context) => Effect.interrupt.pipe(handled("stop", params, context)),
  hang: (params, context) =>
    Running.use(({ isStuck }) => Deferred.succeed(isStuck, undefined)).pipe(
      Effect.andThen(Effect.never),
      handled("hang", params, context)
    ),
  lie: (params, context) => Effect.succeed(5 as unknown as string).pipe(handled("lie", params, context)),
  ask: (params, context) => Effect.succeed("asked").pipe(handled("ask", params, context)),
  consider: (params, context) => Effect.succeed("considered").pipe(handled("consider", params, context)),
  // The same model again, on each of its paths: it has a tracker, spans and an answer of its own.
  delegate: (params, context) =>
    LanguageModel.generateText({ prompt: "Once more?" }).pipe(
      Effect.andThen(LanguageModel.generateText({ prompt: "Unchecked?", ...deferred })),
      Effect.andThen(askWithTools),
      Effect.provide(inner.toLayer(ofInner)),
      Effect.catch((error) => Effect.succeed(`failed: ${String(error)}`)),
      handled("delegate", params, context)
    ),
  report: (params, context) => context.preliminary("soon").pipe(Effect.as("now"), handled("report", params, context)),
  draw: (params, context) => Effect.succeed("a cat").pipe(handled("draw", params, context)),
  hosted: (params, context) => Effect.succeed("hosted").pipe(handled("hosted", params, context)),
  raw: (params, context) => Effect.succeed(JSON.stringify(params)).pipe(handled("raw", params, context))
})

export const toolName = fc.constantFrom(...Object.keys(tools.tools))

const placed = fc.constantFrom("here", "there").map((place) => JSON.stringify({ place }))
const ofNone = fc.constantFrom("", "{}")

/** Arguments that the tool takes. */
export const toolArguments = (name: string) =>
  ["look", "strict", "consider", "hosted", "raw"].includes(name) ? placed : ofNone

const ofProvider = Toolkit.make(
  Tool.providerDefined({ id: "test.search", customName: "search", providerName: "search" })(undefined)
)

class NoToolkit extends Schema.TaggedError<NoToolkit>()("NoToolkit", {}) {}

/** Reports where it is made. */
const made = <A, E, R>(toolkit: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const { generateId } = yield* IdGenerator.IdGenerator
    yield* note("toolkit", yield* generateId())
    yield* Effect.annotateCurrentSpan("effect.ai.concurrency", "of the toolkit")
    yield* Effect.yieldNow
    return yield* toolkit
  })

const kinds = {
  none: Effect.succeed({}),
  undefined: Effect.succeed({ toolkit: undefined }),
  empty: Effect.succeed({ toolkit: Toolkit.empty }),
  tools: Effect.succeed({ toolkit: tools }),
  few: Effect.succeed({ toolkit: inner }),
  "with handlers": Effect.map(tools, (toolkit) => ({ toolkit })),
  "of provider": Effect.succeed({ toolkit: ofProvider }),
  effect: Effect.succeed({ toolkit: made(tools) }),
  "effect of none": Effect.succeed({ toolkit: made(Toolkit.empty) }),
  fails: Effect.succeed({ toolkit: made(Effect.fail(new NoToolkit())) }),
  "fails by a schema": Effect.succeed({ toolkit: made(Schema.decodeUnknownEffect(Schema.String)(1)) }),
  dies: Effect.succeed({ toolkit: made(Effect.die(new Error("no toolkit"))) })
}

export type Kind = keyof typeof kinds

/** The kinds that have a toolkit. */
export const toolkits: ReadonlyArray<Kind> = (Object.keys(kinds) as Array<Kind>).filter((kind) => kind !== "none")

/** The toolkit of a call, as a field of its options. */
export const toolkitField = (kind: Kind) => kinds[kind]
