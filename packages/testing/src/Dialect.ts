/**
 * A provider that speaks: it reads requests as strictly as the vendor does, and answers by what it is told to say.
 *
 * `handler` makes a `FaultyProvider` a server of OpenAI's chat completions and embeddings and of Anthropic's Messages at
 * once, by the other half of the codecs with which our clients speak. What is to be said is one function of the request, in
 * the terms that all providers share; it may also say an error of the vendor's, or any other behavior.
 *
 * ```ts
 * import { NodeTransport } from "@clawback/node"
 * import { Anthropic, Target } from "@clawback/providers"
 * import { Dialect, FaultyProvider } from "@clawback/testing"
 * import { Console, Effect, Layer } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const provider = yield* FaultyProvider.make({ handler: Dialect.handler({ say: () => "Because.", key: "sk-test" }) })
 *   const target = Anthropic.target("claude-sonnet-5-5", { baseUrl: provider.url, credential: Dialect.credential("sk-test") })
 *   const response = yield* Target.generate({ messages: [{ role: "user", content: "Why?" }] }).pipe(
 *     Effect.provide(Target.layer(target).pipe(Layer.provide(NodeTransport.layer())))
 *   )
 *   yield* Console.log(response.choices[0].content)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program))
 * ```
 */
import * as Credential from "@clawback/core/Credential"
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as AnthropicMessages from "@clawback/providers/AnthropicMessages"
import type * as ChatEvent from "@clawback/providers/ChatEvent"
import type * as ChatRequest from "@clawback/providers/ChatRequest"
import * as ChatResponse from "@clawback/providers/ChatResponse"
import type * as Embedding from "@clawback/providers/Embedding"
import * as OpenAiChat from "@clawback/providers/OpenAiChat"
import * as OpenAiEmbeddings from "@clawback/providers/OpenAiEmbeddings"
import type * as Protocol from "@clawback/providers/Protocol"
import * as ProviderError from "@clawback/providers/ProviderError"
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Behavior from "./Behavior.ts"
import type { Handler, Received } from "./FaultyProvider.ts"
import * as Pieces from "./internal/dialect/pieces.ts"
import { embeddingObjection, objection } from "./internal/dialect/strict.ts"
import { vectorOf } from "./internal/dialect/vectors.ts"

/** What to say: a text, a whole answer, an error of the vendor's, or anything else that a provider can do. */
export type Said = string | ChatResponse.ChatResponse | ProviderError.ProviderError | Behavior.Behavior

/** What to make of a text: its vector, an error of the vendor's, or anything else that a provider can do. */
export type Embedded = ReadonlyArray<number> | ProviderError.ProviderError | Behavior.Behavior

export interface Options {
  readonly say: (request: ChatRequest.ChatRequest, received: Received) => Said
  /**
   * What becomes of each input of a request of embeddings; one that is no vector is the whole answer. Tokens come as their
   * numbers, joined by spaces. Default: 8 numbers made of the text's bytes, the same for the same text, of length one.
   */
  readonly embed?: ((text: string, request: Embedding.EmbeddingRequest, received: Received) => Embedded) | undefined
  /** The only key that is accepted; others get a 401. Default: any that is not blank. */
  readonly key?: string | undefined
  /** Characters of text in each piece of a stream, 1 at least. Default: 16. */
  readonly pieceSize?: number | undefined
  /** The pause before each piece of a stream but the first. Default: none. */
  readonly every?: Duration.Input | undefined
}

/** A text as a whole answer. Its tokens are counted as a quarter of its bytes, and the request's likewise. */
export const answer = (text: string, request?: ChatRequest.ChatRequest): ChatResponse.ChatResponse => ({
  id: "answer-1",
  model: request?.model ?? "a-model",
  choices: [{ content: [{ type: "text", text }], finish: { reason: "stop", raw: "stop" } }],
  usage: {
    inputTokens: Pieces.tokens(JSON.stringify(request?.messages ?? [])),
    cachedInputTokens: undefined,
    cacheWriteTokens: undefined,
    outputTokens: Pieces.tokens(text),
    reasoningTokens: undefined,
    raw: {}
  }
})

/** A key for a test, as what a provider layer takes. */
export const credential = (key: string): Credential.Credential =>
  Credential.redacted("a key for tests", Redacted.make(key))

/** What all protocols of a provider have, whatever is asked by them. */
type Protocol = Pick<Protocol.ChatProtocol, "credential" | "encodeError" | "headers" | "name" | "path">

const refuse = (protocol: Protocol, error: ProviderError.ProviderError): Behavior.Behavior => {
  const { body, headers, status } = protocol.encodeError(error)
  return Behavior.status(status, { body, headers })
}

const said = (detail: string, status: number) => ({
  provider: "test",
  status,
  detail,
  code: undefined,
  requestId: undefined
})

/** Whether the key is right, and the headers beside it, such as a version, are there. */
const isAuthorized = (protocol: Protocol, { headers }: Received, key: string | undefined): boolean => {
  const credential = protocol.credential(headers)
  const others = Object.keys(protocol.headers("")).filter((name) => name !== "authorization" && name !== "x-api-key")
  return credential !== undefined && (key === undefined || credential === key) &&
    others.every((name) => headers[name] !== undefined)
}

const streamed = (
  protocol: Protocol.ChatProtocol,
  response: ChatResponse.ChatResponse,
  delivery: Protocol.Delivery,
  { every, pieceSize = 16 }: Options
): Behavior.Behavior => {
  const encoder = protocol.makeEncoder(delivery)
  const events: ReadonlyArray<ChatEvent.ChatEvent> = ChatResponse.toEvents(response)
  const texts = [...Pieces.cut(events, pieceSize).map((event) => encoder.push([event])), encoder.end()]
  return Pieces.behavior(
    texts.filter((text) => text !== ""),
    every === undefined ? 0 : Duration.toMillis(Duration.fromInputUnsafe(every))
  )
}

const rejected = (detail: string, status = 400) => new ProviderError.RequestRejected(said(detail, status))

/** A protocol, and what is answered to a request that is in order by its head. */
interface Speaker {
  readonly protocol: Protocol
  /** The whole path, which our clients have in two parts: the one above the protocol's is in the base URL. */
  readonly path: string
  /** What its vendor says of a path that it does not know. */
  readonly notFound: (method: string, path: string) => object
  readonly answer: (received: Received, options: Options) => Behavior.Behavior | ProviderError.ProviderError
}

const openAiNotFound = (method: string, path: string) => ({
  error: { message: `Invalid URL (${method} ${path})`, type: "invalid_request_error", param: null, code: null }
})

const anthropicNotFound = () => ({ type: "error", error: { type: "not_found_error", message: "Not Found" } })

const chat = (protocol: Protocol.ChatProtocol, path: string, notFound: Speaker["notFound"]): Speaker => ({
  protocol,
  path,
  notFound,
  answer: (received, options) => {
    const decoded = protocol.decodeRequest(received.body)
    if (Result.isFailure(decoded)) return rejected(decoded.failure.message)
    const { delivery, request } = decoded.success
    const wrong = objection(protocol.name, request, received)
    if (wrong !== undefined) return rejected(wrong)
    const told = options.say(request, received)
    if (typeof told === "object" && ("_tag" in told || "steps" in told)) return told
    const response = typeof told === "string" ? answer(told, request) : told
    return delivery.stream
      ? streamed(protocol, response, delivery, options)
      : Behavior.json(protocol.encodeResponse(response))
  }
})

const embeddings = (protocol: Protocol.EmbeddingProtocol): Speaker => ({
  protocol,
  path: "/v1/embeddings",
  notFound: openAiNotFound,
  answer: (received, { embed = (text, { dimensions }) => vectorOf(text, dimensions) }) => {
    const decoded = protocol.decodeRequest(received.body)
    if (Result.isFailure(decoded)) return rejected(decoded.failure.message)
    const { delivery, request } = decoded.success
    const wrong = embeddingObjection(protocol.name, request, received)
    if (wrong !== undefined) return rejected(wrong)
    const vectors: Array<ReadonlyArray<number>> = []
    let inputTokens = 0
    for (const input of request.input) {
      const told = embed(typeof input === "string" ? input : input.join(" "), request, received)
      if ("_tag" in told || "steps" in told) return told
      vectors.push(told)
      inputTokens += typeof input === "string" ? Pieces.tokens(input) : input.length
    }
    const usage = { inputTokens, raw: {} }
    return Behavior.json(protocol.encodeResponse({ model: request.model, embeddings: vectors, usage }, delivery))
  }
})

const speakers: ReadonlyArray<Speaker> = [
  chat(OpenAiChat.protocol, "/v1/chat/completions", openAiNotFound),
  chat(AnthropicMessages.protocol, "/v1/messages", anthropicNotFound),
  embeddings(OpenAiEmbeddings.protocol)
]

const speak = ({ answer, protocol }: Speaker, options: Options, received: Received): Behavior.Behavior => {
  if (received.method !== "POST") return refuse(protocol, rejected(`${received.method} is not allowed here`, 405))
  if (!isAuthorized(protocol, received, options.key)) {
    return refuse(
      protocol,
      new ProviderError.AuthenticationFailed(said("The key or a header beside it is missing or wrong", 401))
    )
  }
  const told = answer(received, options)
  return "_tag" in told ? refuse(protocol, told) : told
}

/**
 * Speaks the protocol whose path a request comes on: `/v1/chat/completions`, `/v1/embeddings`, `/v1/messages`. Below a base
 * URL that is not the vendor's, without its `/v1` or with one too many, the same get its 404; what comes on any other path
 * gets the default.
 */
export const handler = (options: Options): Handler => {
  if (options.pieceSize !== undefined) OptionCheck.count("pieceSize", options.pieceSize, 1)
  if (options.every !== undefined) OptionCheck.finite("every", options.every)
  return (received) => {
    const { method, url } = received
    const [path = ""] = url.split("?")
    const speaker = speakers.find((speaker) => speaker.path.endsWith(path.slice(path.lastIndexOf("/"))))
    if (speaker === undefined) return undefined
    return path === speaker.path
      ? speak(speaker, options, received)
      : Behavior.status(404, { body: speaker.notFound(method, path) })
  }
}
