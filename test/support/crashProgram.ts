/**
 * A process that talks with a model in several conversations at once, until it is killed. Started by `proofs/crash.ts`.
 *
 * It waits for its task, and sends what was acknowledged. A tool writes each of its runs to a file at once.
 */
import { Conversation } from "@clawback/agent"
import { Credential } from "@clawback/core"
import { NodeTransport } from "@clawback/node"
import { Anthropic, OpenAi } from "@clawback/providers"
import { Cause, type Context, Effect, Layer, Option, Random, Redacted, Schema } from "effect"
import { LanguageModel, Prompt, Tool, Toolkit } from "effect/ai"
import { once } from "node:events"
import { appendFileSync } from "node:fs"
import process from "node:process"
import * as Stores from "./crashStores.ts"

export interface Task {
  readonly place: Stores.Place
  readonly url: string
  readonly conversations: ReadonlyArray<string>
  /** The file of the runs. */
  readonly runs: string
  readonly leaseTtl: number
  /** Different for each process. */
  readonly life: number
}

export type Report =
  | { readonly _tag: "ready" }
  | { readonly _tag: "opened"; readonly conversation: string }
  /** These texts were appended. */
  | { readonly _tag: "appended"; readonly conversation: string; readonly texts: ReadonlyArray<string> }
  | { readonly _tag: "ran"; readonly conversation: string; readonly call: string }
  /** A provider accepted a request. */
  | { readonly _tag: "accepted"; readonly provider: string }
  | { readonly _tag: "failed"; readonly conversation: string; readonly detail: string }

const send = (report: Report): void => void process.send?.(report)

const Count = Tool.make("count", {
  description: "Counts something",
  parameters: Schema.Struct({ what: Schema.String }),
  success: Schema.String
})
const toolkit = Toolkit.make(Count)
const Handlers = toolkit.toLayer({ count: () => Effect.die("the conversation runs it") })

type Model = "openai" | "anthropic"

const models = (url: string): Readonly<Record<Model, Layer.Layer<LanguageModel.LanguageModel, unknown>>> => {
  const credential = Credential.redacted("a key for tests", Redacted.make("sk-test"))
  const transport = NodeTransport.layer()
  return {
    openai: OpenAi.layer({ model: "gpt-5", baseUrl: `${url}/v1`, credential }).pipe(Layer.provide(transport)),
    anthropic: Anthropic.layer({ model: "claude-sonnet-5-5", baseUrl: url, credential }).pipe(Layer.provide(transport))
  }
}

const textsOf = ({ content }: Prompt.Prompt): ReadonlyArray<string> =>
  content.flatMap((message) =>
    message.role === "assistant" || message.role === "user"
      ? message.content.flatMap((part) => part.type === "text" ? [part.text] : [])
      : []
  )

const append = (conversation: Conversation.Conversation, prompt: Prompt.Prompt) =>
  Effect.map(
    conversation.append(prompt),
    () => send({ _tag: "appended", conversation: conversation.id, texts: textsOf(prompt) })
  )

/** Asks the model, appends its answer, and runs its calls. Returns whether the model waits for their results. */
const step = (task: Task, conversation: Conversation.Conversation, model: Model) =>
  Effect.gen(function*() {
    const prompt = yield* conversation.prompt()
    const { content } = yield* LanguageModel.generateText({ prompt, toolkit, disableToolCallResolution: true })
    send({ _tag: "accepted", provider: model })
    yield* append(conversation, Prompt.fromResponseParts(content))
    const calls = content.flatMap((part) => part.type === "tool-call" ? [part.id] : [])
    yield* Effect.forEach(calls, (call) =>
      conversation.runTool(call, () =>
        Effect.gen(function*() {
          appendFileSync(task.runs, `${call}\n`)
          yield* Effect.sleep(10 * (yield* Random.next))
          return "one"
        })).pipe(Effect.map(() => send({ _tag: "ran", conversation: conversation.id, call }))), { concurrency: 2 })
    return calls.length > 0
  })

const talk = (
  task: Task,
  id: string,
  available: Readonly<Record<Model, Context.Context<LanguageModel.LanguageModel>>>
) => {
  let said = 0
  let turn = task.life
  const visit = Conversation.use(id, (conversation) =>
    Effect.gen(function*() {
      send({ _tag: "opened", conversation: id })
      for (let i = 0; i < 3; i++) {
        yield* append(conversation, Prompt.make(`${id} ${task.life} ${said++}`))
        let isWaiting = true
        while (isWaiting) {
          const model = turn++ % 2 === 0 ? "openai" : "anthropic"
          isWaiting = yield* Effect.provide(step(task, conversation, model), available[model])
        }
      }
    }))
  return Effect.forever(Effect.catchCause(visit, (cause) => {
    const error = Option.getOrUndefined(Cause.findErrorOption(cause))
    // A machine that is busy may lose a lease, which is short here.
    const isExpected = error !== undefined &&
      ["ConversationBusy", "LeaseLost", "LeaseStoreError", "StaleFence"].includes((error as { _tag: string })._tag)
    if (!isExpected) send({ _tag: "failed", conversation: id, detail: Cause.pretty(cause).slice(0, 500) })
    return Effect.sleep(20)
  }))
}

const program = (task: Task) => {
  const { anthropic, openai } = models(task.url)
  return Effect.gen(function*() {
    const available = { openai: yield* Layer.build(openai), anthropic: yield* Layer.build(anthropic) }
    yield* Effect.forEach(task.conversations, (id) => talk(task, id, available), { concurrency: "unbounded" })
  }).pipe(Effect.provide([
    Handlers,
    Conversation.layer({ leaseTtl: task.leaseTtl, wait: "10 seconds" }).pipe(
      Layer.provide(Stores.layer(task.place))
    )
  ]))
}

send({ _tag: "ready" })
const [task] = await once(process, "message")
await Effect.runPromise(Effect.scoped(program(task)))
