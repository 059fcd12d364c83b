/** The answer of a model, as the server in memory sends it, and as the caller gets it. */
import type { Transport } from "@clawback/core"
import { type ChatEvent, ChatResponse, Target } from "@clawback/providers"
import { Context, Effect, Layer, Stream } from "effect"
import { LanguageModel, type Response } from "effect/ai"
import type { Handler, Reply } from "./memoryServer.ts"

/** A model, called through one face or the other. */
export class Chat extends Context.Service<Chat, {
  readonly generate: Effect.Effect<string, unknown>
  readonly stream: Stream.Stream<string, unknown>
}>()("clawback/test/differential/chat") {}

const url = "http://server.test/v1/chat/completions"
const prompt = "Why do sockets leak?"

const event = (fields: object) => `data: ${JSON.stringify({ id: "c", model: "m", created: 1, ...fields })}\n\n`
const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 }

/** Words, how long to wait before the next one, or an object: a tool to call. */
export type Talk = ReadonlyArray<string | number | symbol | { readonly tool: string; readonly parameters: object }>

/** A talk as it is sent: in pieces where a stream is asked for, and otherwise as a whole. */
export const talk = (said: Talk, options: Reply = {}): Handler => (_path, _times, body) => {
  const calls = said.filter((one) => typeof one === "object")
  const finish = calls.length > 0 ? "tool_calls" : "stop"
  const called = (call: (typeof calls)[number], index: number) => ({
    index,
    id: `call_${index}`,
    type: "function",
    function: { name: call.tool, arguments: JSON.stringify(call.parameters) }
  })
  if (!body.includes(`"stream":true`)) {
    const text = said.filter((one) => typeof one === "string").join("")
    const wait = said.reduce<number>((sum, one) => sum + (typeof one === "number" ? one : 0), 0)
    const message = {
      role: "assistant",
      content: text,
      ...(calls.length > 0 && { tool_calls: calls.map(called) })
    }
    return {
      headers: { "content-type": "application/json" },
      body: [
        wait,
        JSON.stringify({
          id: "c",
          model: "m",
          created: 1,
          choices: [{ index: 0, message, finish_reason: finish }],
          usage
        })
      ],
      ...options
    }
  }
  const delta = (delta: object, reason: string | null = null) =>
    event({ choices: [{ index: 0, delta, finish_reason: reason }] })
  return {
    headers: { "content-type": "text/event-stream" },
    isSized: false,
    body: [
      ...said.map((one) =>
        typeof one === "string"
          ? delta({ content: one })
          : typeof one === "object"
          ? delta({ tool_calls: [called(one, calls.indexOf(one))] })
          : one as never
      ),
      ...said.some((one) => typeof one === "symbol")
        ? []
        : [delta({}, finish) + event({ choices: [], usage }) + "data: [DONE]\n\n"]
    ],
    ...options
  }
}

interface Message {
  readonly content?: string | null
  readonly tool_calls?: ReadonlyArray<
    { readonly id: string; readonly function: { readonly name: string; readonly arguments: string } }
  >
}

const used: (typeof Response.Usage)["Encoded"] = {
  inputTokens: { uncached: 1, total: 1, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 1, text: 1, reasoning: undefined }
}

const toolsOf = ({ tool_calls = [] }: Message): Array<Response.ToolCallPartEncoded> =>
  tool_calls.map((call) => ({
    type: "tool-call",
    id: call.id,
    name: call.function.name,
    params: JSON.parse(call.function.arguments)
  }))

const finished = (reason: string): Response.FinishPartEncoded => ({
  type: "finish",
  reason: reason === "stop" ? "stop" : "tool-calls",
  usage: used,
  response: undefined
})

/** What a line of a stream means. */
const partsOf = (line: string): ReadonlyArray<Response.StreamPartEncoded> => {
  if (line === "" || line.includes("[DONE]")) return []
  const { choices: [choice] } = JSON.parse(line.slice("data: ".length))
  if (choice === undefined) return []
  const { delta, finish_reason: reason } = choice
  return [
    ...typeof delta.content === "string" ? [{ type: "text-delta" as const, id: "0", delta: delta.content }] : [],
    ...toolsOf(delta),
    ...reason === null ? [] : [finished(reason)]
  ]
}

const decoded = ({ body }: Transport.Response) => Stream.decodeText(Stream.orDie(Stream.fromPull(Effect.succeed(body))))

/** Effect's own `LanguageModel`, over the plainest of transports. It takes the server at its word. */
export const plainModel = (transport: Transport.Transport["Service"]) => {
  const send = (stream: boolean) =>
    Effect.orDie(transport.execute({ method: "POST", url, headers: {}, body: JSON.stringify({ stream }) }))
  return LanguageModel.make({
    generateText: () =>
      Effect.scoped(Effect.gen(function*() {
        const { choices: [{ finish_reason, message }] } = JSON.parse(
          yield* Stream.mkString(decoded(yield* send(false)))
        )
        return [{ type: "text", text: message.content }, ...toolsOf(message), finished(finish_reason)]
      })),
    streamText: () =>
      Stream.unwrap(Effect.map(send(true), (response) =>
        decoded(response).pipe(
          Stream.map((text) => text.split("\n\n").flatMap(partsOf)),
          Stream.flattenIterable
        )))
  })
}

type Model = LanguageModel.LanguageModel

const textOf = (event: ChatEvent.ChatEvent) => event._tag === "TextDelta" ? [event.text] : []

/** A model's face in Effect's terms. */
export const ofLanguageModel: Layer.Layer<Chat, never, Model> = Layer.effect(
  Chat,
  Effect.map(Effect.context<Model>(), (context) => ({
    generate: Effect.provide(Effect.map(LanguageModel.generateText({ prompt }), ({ text }) => text), context),
    stream: LanguageModel.streamText({ prompt }).pipe(
      Stream.map((part) => part.type === "text-delta" ? [part.delta] : []),
      Stream.flattenIterable,
      Stream.provideContext(context)
    )
  }))
)

const request: Target.Request = { messages: [{ role: "user", content: prompt }] }

/** The same model's own face. */
export const ofTarget: Layer.Layer<Chat, never, Target.ChatModel> = Layer.effect(
  Chat,
  Effect.map(Target.ChatModel, (model) => ({
    generate: Effect.map(
      model.generate(request),
      (response) => ChatResponse.toEvents(response).flatMap(textOf).join("")
    ),
    stream: Stream.flattenIterable(Stream.map(model.stream(request), textOf))
  }))
)
