/**
 * A provider that decodes requests, and answers as your function decides.
 *
 * It rejects what the vendor rejects by form: unknown fields, wrong types, missing models, messages and keys, tool calls without
 * results, and invalid names of tools. It does not check the ranges of numbers, such as a temperature of 3.
 *
 * `handler` makes a `FaultyProvider` a server of OpenAI's chat completions and embeddings and of Anthropic's Messages at
 * once, and of other providers by their rows. It uses the server half of the protocols. `say` returns the answer to a
 * request in the terms that all providers share, an error of the vendor's, or any other behavior.
 *
 * ```ts
 * import { NodeTransport } from "@clawback/node"
 * import { Anthropic, Target } from "@clawback/providers"
 * import { Dialect, FaultyProvider } from "@clawback/testing"
 * import { Console, Effect, Layer } from "effect"
 *
 * const program = Effect.gen(function*() {
 *   const provider = yield* FaultyProvider.make({ handler: Dialect.handler({ say: () => "Because.", keys: ["sk-test"] }) })
 *   const target = Anthropic.target("claude-sonnet-5-5", { baseUrl: provider.url, credential: Dialect.credential("sk-test") })
 *   const response = yield* Target.generate({ messages: [{ role: "user", content: "Why?" }] }).pipe(
 *     Effect.provide(Target.layer(target).pipe(Layer.provide(NodeTransport.layer())))
 *   )
 *   yield* Console.log(response.choices[0].content)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program))
 * ```
 *
 * @experimental
 */

import * as Credential from "@clawback/core/Credential"
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Anthropic from "@clawback/providers/Anthropic"
import * as Auth from "@clawback/providers/Auth"
import type * as ChatEvent from "@clawback/providers/ChatEvent"
import type * as ChatRequest from "@clawback/providers/ChatRequest"
import * as ChatResponse from "@clawback/providers/ChatResponse"
import type * as Embedding from "@clawback/providers/Embedding"
import * as OpenAi from "@clawback/providers/OpenAi"
import * as Protocol from "@clawback/providers/Protocol"
import type * as Provider from "@clawback/providers/Provider"
import * as ProviderError from "@clawback/providers/ProviderError"
import type * as RateLimit from "@clawback/providers/RateLimit"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Behavior from "./Behavior.ts"
import type { Handler, Received } from "./FaultyProvider.ts"
import * as Pieces from "./internal/dialect/pieces.ts"
import { embeddingObjection, objection } from "./internal/dialect/strict.ts"
import { vectorOf } from "./internal/dialect/vectors.ts"

/** An answer: a text, a whole response, an error as the vendor sends it, or any other behavior. */
export type Said = string | ChatResponse.ChatResponse | ProviderError.ProviderError | Behavior.Behavior

/** The answer for one text: its vector, an error as the vendor sends it, or any other behavior. */
export type Embedded = ReadonlyArray<number> | ProviderError.ProviderError | Behavior.Behavior

export interface Options {
  readonly say: (request: ChatRequest.ChatRequest, received: Received) => Said
  /**
   * The answer for each input of an embeddings request. An answer that is no vector answers the whole request. An input of
   * tokens is given as their numbers, joined by spaces. Default: 8 numbers made of the text's bytes, of length one.
   */
  readonly embed?: ((text: string, request: Embedding.EmbeddingRequest, received: Received) => Embedded) | undefined
  /** The providers to speak for. Default: `OpenAi.provider` and `Anthropic.provider`. */
  readonly providers?: ReadonlyArray<Provider.Row> | undefined
  /** The limits that each success states, in the provider's headers. Default: none. */
  readonly limits?: ReadonlyArray<RateLimit.RateLimit> | undefined
  /** The keys that are accepted; others get a 401. Default: any that is not blank. */
  readonly keys?: ReadonlyArray<string> | undefined
  /** Characters of text in each piece of a stream, 1 at least. Default: 16. */
  readonly pieceSize?: number | undefined
  /** The pause before each piece of a stream but the first. Default: none. */
  readonly every?: Duration.Input | undefined
}

/** A whole response of one choice, of which `written` is the output. */
const responseOf = (
  choice: ChatResponse.Choice,
  written: string,
  request: ChatRequest.ChatRequest | undefined
): ChatResponse.ChatResponse => ({
  id: "answer-1",
  model: request?.model ?? "a-model",
  choices: [choice],
  usage: {
    inputTokens: Pieces.tokens(JSON.stringify(request?.messages ?? [])),
    cachedInputTokens: undefined,
    cacheWriteTokens: undefined,
    outputTokens: Pieces.tokens(written),
    reasoningTokens: undefined,
    raw: {}
  }
})

/** A text as a whole response. Tokens are counted as a quarter of the bytes, of the answer and of the request. */
export const answer = (text: string, request?: ChatRequest.ChatRequest): ChatResponse.ChatResponse =>
  responseOf({ content: [{ type: "text", text }], finish: { reason: "stop", raw: "stop" } }, text, request)

/** A call of a tool of the request. */
export interface ToolCall {
  readonly name: string
  /** Sent as JSON. Default: an empty object. */
  readonly parameters?: Readonly<Record<string, unknown>> | undefined
  /** Default: `call-1` for the first call of the conversation, `call-2` for the second. */
  readonly id?: string | undefined
}

/** Calls of tools as a whole response. Tokens are counted as those of `answer`. */
export const toolCalls = (
  calls: ReadonlyArray<ToolCall>,
  request?: ChatRequest.ChatRequest
): ChatResponse.ChatResponse => {
  const before = request?.messages.filter(({ role }) => role === "tool").length ?? 0
  const content = calls.map(({ id, name, parameters = {} }, index) => ({
    type: "tool-call" as const,
    id: id ?? `call-${before + index + 1}`,
    name,
    arguments: JSON.stringify(parameters)
  }))
  return responseOf({ content, finish: { reason: "tool-calls", raw: "tool_calls" } }, JSON.stringify(content), request)
}

/** A key for tests, as a provider's layer takes it. */
export const credential = (key: string): Credential.Credential =>
  Credential.redacted("a key for tests", Redacted.make(key))

/** One protocol of one provider, and what it answers to a request whose head is in order. */
interface Speaker {
  /** The path of the provider's base URL. */
  readonly basePath: string
  readonly auth: Auth.Auth
  readonly protocol: Pick<Protocol.ChatProtocol, "encodeError" | "methodAt" | "notFound">
  /** The headers that a client must send besides its credential. */
  readonly headers: ReadonlyArray<string>
  readonly answer: (
    request: Protocol.HttpRequest,
    received: Received,
    options: Options
  ) => Behavior.Behavior | ProviderError.ProviderError
}

const reply = ({ body, headers, status }: Protocol.ErrorReply): Behavior.Behavior =>
  Behavior.status(status, { body: body as object, headers })

const said = (detail: string, status: number) => ({
  provider: "test",
  status,
  detail,
  code: undefined,
  requestId: undefined
})

const rejected = (detail: string, status = 400) => new ProviderError.RequestRejected(said(detail, status))

const isAuthorized = ({ auth, headers }: Speaker, request: Protocol.HttpRequest, keys: Options["keys"]): boolean => {
  const claim = auth.identify(request)
  return claim !== undefined && (keys === undefined || keys.some((key) => claim.isMadeWith(key))) &&
    headers.every((name) => request.headers[name] !== undefined)
}

const streamed = (
  protocol: Protocol.ChatProtocol,
  response: ChatResponse.ChatResponse,
  delivery: Protocol.Delivery,
  options: Options
): Behavior.Behavior => {
  const { every, pieceSize = 16 } = options
  const encoder = protocol.makeEncoder(delivery)
  const events: ReadonlyArray<ChatEvent.ChatEvent> = ChatResponse.toEvents(response)
  const pieces = [...Pieces.cut(events, pieceSize).map((event) => encoder.push([event])), encoder.end()]
  return Pieces.behavior(
    pieces.filter((piece) => piece.length > 0),
    { "content-type": protocol.framing.contentType, ...limitsOf(protocol, options) },
    every === undefined ? 0 : Duration.toMillis(Duration.fromInputUnsafe(every))
  )
}

/** The server dates its responses by this clock. */
const clock = Context.get(Context.empty(), Clock.Clock)

const limitsOf = (
  { encodeLimits }: Pick<Protocol.ChatProtocol, "encodeLimits">,
  { limits = [] }: Options
): Readonly<Record<string, string>> => encodeLimits?.(limits, clock.currentTimeMillisUnsafe()) ?? {}

const headersOf = (row: Provider.Row, head: Protocol.RequestHead): ReadonlyArray<string> =>
  Object.keys({ ...row.headers, ...head.headers }).map((name) => name.toLowerCase())

/** What the request has that the provider does not offer. */
const lacking = (
  protocol: Protocol.ChatProtocol,
  asked: ChatRequest.ChatRequest,
  delivery: Protocol.Delivery
): string | undefined => {
  const encoded = protocol.encodeRequest(asked, delivery)
  return Result.isFailure(encoded) ? encoded.failure.message : undefined
}

const chat = (row: Provider.Row, protocol: Protocol.ChatProtocol): Omit<Speaker, "auth" | "basePath"> => ({
  protocol,
  headers: headersOf(row, protocol.request("a-model", { stream: false, includeUsage: false })),
  answer: (request, received, options) => {
    const decoded = protocol.decodeRequest(request)
    if (Result.isFailure(decoded)) return rejected(decoded.failure.message)
    const { delivery, request: asked } = decoded.success
    const wrong = objection(protocol, asked, received) ?? lacking(protocol, asked, delivery)
    if (wrong !== undefined) return rejected(wrong)
    const told = options.say(asked, received)
    if (typeof told === "object" && ("_tag" in told || "steps" in told)) return told
    const response = typeof told === "string" ? answer(told, asked) : told
    return delivery.stream
      ? streamed(protocol, response, delivery, options)
      : Behavior.json(protocol.encodeResponse(response), { headers: limitsOf(protocol, options) })
  }
})

const embeddings = (row: Provider.Row, protocol: Protocol.EmbeddingProtocol): Omit<Speaker, "auth" | "basePath"> => ({
  protocol,
  headers: headersOf(row, protocol.request("a-model", protocol.delivery)),
  answer: (request, received, options) => {
    const { embed = (text, { dimensions }) => vectorOf(text, dimensions) } = options
    const decoded = protocol.decodeRequest(request)
    if (Result.isFailure(decoded)) return rejected(decoded.failure.message)
    const { delivery, request: asked } = decoded.success
    const wrong = embeddingObjection(protocol, row.limits?.embeddings?.inputs ?? Infinity, asked, received)
    if (wrong !== undefined) return rejected(wrong)
    const vectors: Array<ReadonlyArray<number>> = []
    let inputTokens = 0
    for (const input of asked.input) {
      const told = embed(typeof input === "string" ? input : input.join(" "), asked, received)
      if ("_tag" in told || "steps" in told) return told
      vectors.push(told)
      inputTokens += typeof input === "string" ? Pieces.tokens(input) : input.length
    }
    const usage = { inputTokens, raw: {} }
    return Behavior.json(protocol.encodeResponse({ model: asked.model, embeddings: vectors, usage }, delivery), {
      headers: limitsOf(protocol, options)
    })
  }
})

/** The path of a base URL. A server of the user's own is served at the root. */
const pathOf = (baseUrl: string | undefined): string =>
  baseUrl === undefined ? "" : new URL(baseUrl).pathname.replace(/\/+$/, "")

const speakersOf = (row: Provider.Row): ReadonlyArray<Speaker> => {
  const place = { auth: row.auth ?? Auth.bearer, basePath: pathOf(row.baseUrl) }
  const protocols = [
    row.chat && chat(row, row.chat),
    row.embeddings && embeddings(row, row.embeddings)
  ]
  return protocols.flatMap((speaker) => speaker === undefined ? [] : [{ ...speaker, ...place }])
}

const speak = (
  speaker: Speaker,
  method: string,
  request: Protocol.HttpRequest,
  received: Received,
  options: Options
): Behavior.Behavior => {
  const refuse = (error: ProviderError.ProviderError) => reply(speaker.protocol.encodeError(error))
  if (received.method !== method) return refuse(rejected(`${received.method} is not allowed here`, 405))
  if (!isAuthorized(speaker, request, options.keys)) {
    return refuse(
      new ProviderError.AuthenticationFailed(said("The key or a header beside it is missing or wrong", 401))
    )
  }
  const told = speaker.answer(request, received, options)
  return "_tag" in told ? refuse(told) : told
}

/** Whether the path ends with a path of the protocol, below whatever base URL. */
const isBelowAny = ({ protocol }: Speaker, path: string): boolean =>
  Array.from(path.matchAll(/\//g)).some(({ index }) => protocol.methodAt(path.slice(index)) !== undefined)

/**
 * Speaks the protocol whose path a request comes on: `/v1/chat/completions`, `/v1/embeddings`, `/v1/messages`, and those of
 * other `providers`. Below a base URL that is not the provider's, without its `/v1` or with one too many, the same paths get
 * the provider's 404. Any other path gets the server's default.
 */
export const handler = (options: Options): Handler => {
  if (options.pieceSize !== undefined) OptionCheck.count("pieceSize", options.pieceSize, 1)
  if (options.every !== undefined) OptionCheck.finite("every", options.every)
  const speakers = (options.providers ?? [OpenAi.provider, Anthropic.provider]).flatMap(speakersOf)
  return (received) => {
    for (const speaker of speakers) {
      const request = Protocol.httpRequest(received, speaker.basePath)
      const method = request && speaker.protocol.methodAt(request.path)
      if (request !== undefined && method !== undefined) return speak(speaker, method, request, received, options)
    }
    const [path = ""] = received.url.split("?")
    const meant = speakers.find((speaker) => isBelowAny(speaker, path))
    return meant && reply(meant.protocol.notFound(received))
  }
}
