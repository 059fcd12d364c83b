/** The clients that ours are compared with. */
import type * as PlatformNode from "@effect/platform-node"
import type * as Effects from "effect"
import type { Response } from "effect/ai"
import type * as Ai from "effect/ai"
import type * as Encodings from "effect/encoding"
import type * as Http from "effect/http"
import type * as Undici from "undici"
import * as Peers from "../peers.ts"
import { baseUrl, checkEvents, checkTokens, messages, model, type Place, promised, type Work } from "./work.ts"

/** The part of an answer that the checks read. */
interface Completion {
  readonly usage?: { readonly completion_tokens: number } | null
}

interface Chunk {
  readonly choices: ReadonlyArray<{ readonly delta: { readonly content?: string | null } }>
}

const isOutput = (chunk: Chunk): boolean => typeof chunk.choices[0]?.delta.content === "string"

const headers = { authorization: "Bearer sk-nobody", "content-type": "application/json" }

const bodyOf = (isStreamed: boolean): string => JSON.stringify({ model, messages, stream: isStreamed })

/** undici with `JSON.parse`, and for streams the shortest decoding of events. */
export const undici = async (place: Place): Promise<Work> => {
  const { Pool } = await place.load<typeof Undici>("undici")
  const pool = new Pool(place.origin, { connections: 128 })
  const { pathname } = new URL(`${baseUrl(place)}/chat/completions`)
  const request = () => pool.request({ method: "POST", path: pathname, headers, body: bodyOf(place.isStreamed) })
  const whole = async () => {
    const { body } = await request()
    const completion = JSON.parse(await body.text()) as Completion
    checkTokens(completion.usage?.completion_tokens)
  }
  const streamed = async () => {
    const { body } = await request()
    const decoder = new TextDecoder()
    let rest = ""
    let found = 0
    for await (const bytes of body) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n")
      rest = lines.pop() ?? ""
      for (const line of lines) {
        if (!line.startsWith("data: ") || line === "data: [DONE]") continue
        if (isOutput(JSON.parse(line.slice(6)))) found++
      }
    }
    checkEvents(found)
  }
  return promised(place.isStreamed ? streamed : whole)
}

interface OpenAiClient {
  readonly chat: { readonly completions: { readonly create: (request: object) => Promise<unknown> } }
}

/** OpenAI's own SDK. */
export const openai = async (place: Place): Promise<Work> => {
  const { OpenAI } = await Peers.load<{ readonly OpenAI: new(options: object) => OpenAiClient }>("openai")
  const client = new OpenAI({ apiKey: "sk-nobody", baseURL: baseUrl(place), maxRetries: 0 })
  const create = () => client.chat.completions.create({ model, messages, stream: place.isStreamed })
  const whole = async () => checkTokens(((await create()) as Completion).usage?.completion_tokens)
  const streamed = async () => {
    let found = 0
    for await (const chunk of (await create()) as AsyncIterable<Chunk>) if (isOutput(chunk)) found++
    checkEvents(found)
  }
  return promised(place.isStreamed ? streamed : whole)
}

interface AiModule {
  readonly generateText: (options: object) => Promise<{ readonly usage: { readonly outputTokens: number } }>
  readonly streamText: (options: object) => { readonly textStream: AsyncIterable<string> }
}

interface AiProvider {
  readonly createOpenAICompatible: (options: object) => (model: string) => unknown
}

/** Vercel's SDK with its provider for servers that speak OpenAI's protocol. */
export const ai = async (place: Place): Promise<Work> => {
  const { generateText, streamText } = await Peers.load<AiModule>("ai")
  const { createOpenAICompatible } = await Peers.load<AiProvider>("@ai-sdk/openai-compatible")
  const provider = createOpenAICompatible({ name: "upstream", apiKey: "sk-nobody", baseURL: baseUrl(place) })
  const [{ content: instructions }, question] = messages
  const options = { model: provider(model), instructions, messages: [question], maxRetries: 0 }
  const whole = async () => checkTokens((await generateText(options)).usage.outputTokens)
  const streamed = async () => {
    let found = 0
    for await (const _ of streamText(options).textStream) found++
    checkEvents(found)
  }
  return promised(place.isStreamed ? streamed : whole)
}

/** Effect's `HttpClient` on undici with `JSON.parse`, without tracing. For streams with Effect's decoder of events. */
export const effect = async (place: Place): Promise<Work> => {
  const { Effect, Layer, ManagedRuntime, Stream } = await place.load<typeof Effects>("effect")
  const { HttpBody, HttpClient, HttpClientRequest } = await place.load<typeof Http>("effect/http")
  const { Sse } = await place.load<typeof Encodings>("effect/encoding")
  const { NodeHttpClient } = await place.load<typeof PlatformNode>("@effect/platform-node")
  const execute = Effect.suspend(() =>
    HttpClient.execute(HttpClientRequest.post(`${baseUrl(place)}/chat/completions`, {
      headers,
      body: HttpBody.text(bodyOf(place.isStreamed), "application/json")
    }))
  )
  const whole = Effect.map(
    Effect.flatMap(execute, (response) => response.json),
    (completion) => checkTokens((completion as unknown as Completion).usage?.completion_tokens)
  )
  const streamed = Effect.flatMap(execute, (response) =>
    response.stream.pipe(
      Stream.decodeText,
      Stream.pipeThroughChannel(Sse.decode()),
      Stream.runFold(() => 0, (found, { data }) => data !== "[DONE]" && isOutput(JSON.parse(data)) ? found + 1 : found)
    ))
  const call = place.isStreamed ? Effect.map(streamed, checkEvents) : whole
  const runtime = ManagedRuntime.make(Layer.fresh(NodeHttpClient.layerUndiciOptions({ connections: 128 })))
  return (width, goesOn) => {
    const worker = Effect.whileLoop({ while: goesOn, body: () => call, step: () => {} })
    return runtime.runPromise(
      Effect.all(Array.from({ length: width }, () => worker), { concurrency: "unbounded", discard: true }).pipe(
        Effect.provideService(HttpClient.TracerDisabledWhen, () => true)
      )
    )
  }
}

const parts: Array<Response.PartEncoded> = [
  { type: "response-metadata", id: "chatcmpl-1", modelId: model },
  { type: "text", text: "A socket leaks when nobody closes it. ".repeat(20) },
  {
    type: "finish",
    reason: "stop",
    usage: {
      inputTokens: { uncached: 19, total: 19, cacheRead: 0, cacheWrite: undefined },
      outputTokens: { total: 180, text: 180, reasoning: 0 }
    }
  }
]

/** Effect's `LanguageModel` over a provider that answers at once: what that face costs by itself. */
export const effectModel = async (place: Place): Promise<Work> => {
  const { Effect, Stream } = await place.load<typeof Effects>("effect")
  const { LanguageModel } = await place.load<typeof Ai>("effect/ai")
  const provider = await Effect.runPromise(
    LanguageModel.make({ generateText: () => Effect.succeed(parts), streamText: () => Stream.empty })
  )
  const call = Effect.map(
    Effect.suspend(() => LanguageModel.generateText({ prompt: messages })),
    ({ usage }) => checkTokens(usage.outputTokens.total)
  )
  return (width, goesOn) => {
    const worker = Effect.whileLoop({ while: goesOn, body: () => call, step: () => {} })
    return Effect.runPromise(
      Effect.all(Array.from({ length: width }, () => worker), { concurrency: "unbounded", discard: true }).pipe(
        Effect.provideService(LanguageModel.LanguageModel, provider)
      )
    )
  }
}
