/**
 * A provider that exists in these tests alone, with all that its neighbours do differently: the model and the verb stand in
 * the path, each attempt is signed, streams are lines of JSON, and errors come in arrays.
 *
 * It is made of the public modules only, as an application would make it.
 */
import {
  type Auth,
  type ChatEvent,
  type ChatRequest,
  type Json,
  Protocol,
  Provider,
  ProviderError
} from "@clawback/providers"
import * as Framing from "@clawback/providers/Framing"
import { Clock, Duration, Effect, Result } from "effect"
import { createHash, createHmac } from "node:crypto"

const name = "own"

const object = (value: unknown): Json.JsonObject => typeof value === "object" && value !== null ? { ...value } : {}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const invalid = (path: string, detail: string) =>
  Result.fail(new Protocol.RequestInvalid({ protocol: name, path, detail }))

/** `/models/a%2Fb:speak` is the verb `speak` of the model `a/b`. */
const pathOf = (model: string, verb: string) => `/models/${encodeURIComponent(model)}:${verb}`
const placeOf = (path: string) => {
  const [, model = "", verb = ""] = /^\/models\/([^/:]+):(\w+)$/.exec(path) ?? []
  return { model: decodeURIComponent(model), verb }
}

const head = (model: string, verb: string, accept: string): Protocol.RequestHead => ({
  method: "POST",
  path: pathOf(model, verb),
  query: { version: "7" },
  headers: { "x-client": "clawback" },
  accept
})

// Errors: one or more in an array, also in the middle of a stream.

const kinds: Readonly<Record<string, readonly [number, ProviderError.ProviderError["_tag"]]>> = {
  key: [401, "AuthenticationFailed"],
  busy: [503, "Overloaded"],
  slow: [429, "RateLimited"],
  long: [400, "ContextTooLong"],
  wrong: [400, "RequestRejected"],
  broken: [500, "ProviderFailed"]
}

const errorBody = (error: ProviderError.ProviderError): ReadonlyArray<Json.JsonObject> => {
  const kind = Object.keys(kinds).find((kind) => kinds[kind]?.[1] === error._tag) ?? "broken"
  const wait = "retryAfter" in error && error.retryAfter !== undefined ? Duration.toMillis(error.retryAfter) : null
  return [{ kind, text: "detail" in error && error.detail !== undefined ? error.detail : error.message, wait }]
}

const classify = (
  peer: Protocol.Peer,
  { body, headers, status }: Protocol.HttpResponse
): ProviderError.ProviderError => {
  const errors = parse(body)
  const first = object(Array.isArray(errors) ? errors[0] : undefined)
  const said = {
    provider: peer.provider,
    status,
    detail: peer.redact(String(first["text"] ?? body.slice(0, 200))),
    code: typeof first["kind"] === "string" ? first["kind"] : undefined,
    requestId: undefined
  }
  const wait = typeof first["wait"] === "number" ? first["wait"] : Number(headers["retry-after"]) * 1_000
  const retryAfter = Number.isFinite(wait) ? Duration.millis(wait) : undefined
  switch (kinds[String(first["kind"])]?.[1]) {
    case "AuthenticationFailed":
      return new ProviderError.AuthenticationFailed(said)
    case "Overloaded":
      return new ProviderError.Overloaded({ ...said, retryAfter })
    case "RateLimited":
      return new ProviderError.RateLimited({ ...said, retryAfter })
    case "ContextTooLong":
      return new ProviderError.ContextTooLong(said)
    case "RequestRejected":
      return new ProviderError.RequestRejected(said)
    default:
      return new ProviderError.ProviderFailed({ ...said, retryAfter })
  }
}

const shared = {
  name,
  parameters: new Set(["tone"]),
  classify,
  encodeError: (error: ProviderError.ProviderError): Protocol.ErrorReply => {
    const body = errorBody(error)
    return { status: kinds[String(body[0]?.["kind"])]?.[0] ?? 500, headers: {}, body }
  },
  notFound: ({ url }: Pick<Protocol.HttpRequest, "url">): Protocol.ErrorReply => ({
    status: 404,
    headers: {},
    body: [{ kind: "wrong", text: `no such place: ${url}` }]
  }),
  limits: ({ headers }: Protocol.HttpResponse) => ({
    limits: [{
      dimension: "requests",
      limit: undefined,
      remaining: Number(headers["x-left"] ?? 0),
      resetAfter: undefined
    }],
    retryAfter: undefined
  })
}

// Chats.

const textOf = (content: ChatRequest.Message["content"]): string | undefined => {
  if (typeof content === "string") return content
  const texts = content.map((part) => part.type === "text" ? part.text : undefined)
  return texts.includes(undefined) ? undefined : texts.join("")
}

const answerOf = (value: Json.JsonObject) => {
  const tokens = object(value["tokens"])
  return {
    reason: value["stop"] === "limit" ? "length" as const : "stop" as const,
    raw: String(value["stop"]),
    usage: {
      inputTokens: Number(tokens["in"]),
      outputTokens: Number(tokens["out"]),
      cachedInputTokens: undefined,
      cacheWriteTokens: undefined,
      reasoningTokens: undefined,
      raw: tokens
    }
  }
}

class Decoder extends Framing.StreamDecoder<string> {
  constructor(peer: Protocol.Peer) {
    super(peer, Framing.jsonLines)
  }

  protected override onFrame(line: string): void {
    const parsed = parse(line)
    if (Array.isArray(parsed)) {
      this.failure = classify(this.peer, { status: 200, headers: {}, body: line })
      return
    }
    const { model, say, stop, ...rest } = object(parsed)
    if (typeof model === "string") this.emit({ _tag: "Started", id: undefined, model })
    if (typeof say === "string") this.emit({ _tag: "TextDelta", text: say })
    if (typeof stop !== "string") return
    const { raw, reason, usage } = answerOf({ stop, ...rest })
    this.isFinished = true
    this.emit({ _tag: "Finished", reason, raw })
    this.emit({ _tag: "Used", ...usage })
    this.done()
  }
}

const line = (value: Json.Json) => Framing.jsonLines.write(JSON.stringify(value))

const makeEncoder = (): Protocol.Encoder => {
  let stop = "end"
  let tokens: Json.JsonObject = {}
  const encode = (event: ChatEvent.ChatEvent): string => {
    if (event._tag === "Started") return line({ model: event.model ?? "" })
    if (event._tag === "TextDelta") return line({ say: event.text })
    if (event._tag === "Finished") stop = event.reason === "length" ? "limit" : "end"
    if (event._tag === "Used") tokens = { in: event.inputTokens ?? 0, out: event.outputTokens ?? 0 }
    return ""
  }
  return {
    push: (events) => events.map(encode).join(""),
    end: () => line({ stop, tokens }),
    fail: (error) => line(errorBody(error))
  }
}

const chat: Protocol.ChatProtocol = {
  ...shared,
  request: (model, { stream }) =>
    head(model, stream ? "speakLines" : "speak", stream ? Framing.jsonLines.contentType : "application/json"),
  methodAt: (path) => placeOf(path).verb.startsWith("speak") ? "POST" : undefined,

  encodeRequest: ({ extras, messages }) => {
    const turns = messages.map(({ content, role }) => ({ who: role, say: textOf(content) }))
    return turns.every((turn): turn is { who: typeof turn.who; say: string } => turn.say !== undefined)
      ? Result.succeed({ turns, ...extras?.[name] })
      : Result.fail(new Protocol.Unsupported({ protocol: name, detail: "anything but text" }))
  },
  decodeRequest: ({ body, path }) => {
    const { model, verb } = placeOf(path)
    const { turns, ...others } = object(parse(body))
    if (!Array.isArray(turns)) return invalid("turns", "must be a list")
    const messages = turns.map((turn): ChatRequest.Message => {
      const { say, who } = object(turn)
      const role = who === "assistant" || who === "system" ? who : "user"
      return { role, content: String(say) }
    })
    const request = Object.keys(others).length === 0
      ? { model, messages }
      : { model, messages, extras: { own: others } }
    return Result.succeed({ request, delivery: { stream: verb === "speakLines", includeUsage: true } })
  },

  decodeResponse: (peer, response) => {
    const parsed = parse(response.body)
    const { model, say } = object(parsed)
    if (typeof say !== "string" || typeof model !== "string") return Result.fail(classify(peer, response))
    const { raw, reason, usage } = answerOf(object(parsed))
    return Result.succeed({
      id: undefined,
      model,
      choices: [{ content: [{ type: "text", text: say }], finish: { reason, raw } }],
      usage
    })
  },
  encodeResponse: ({ choices: [{ content, finish }], model, usage }) => ({
    model: model ?? "",
    say: textOf(content) ?? "",
    stop: finish.reason === "length" ? "limit" : "end",
    tokens: { in: usage?.inputTokens ?? 0, out: usage?.outputTokens ?? 0 }
  }),

  framing: Framing.jsonLines,
  makeDecoder: (peer) => new Decoder(peer),
  makeEncoder
}

// Embeddings.

const isVector = (value: unknown): value is ReadonlyArray<number> =>
  Array.isArray(value) && value.every((one) => typeof one === "number")

const embeddings: Protocol.EmbeddingProtocol = {
  ...shared,
  delivery: { encoding: "float" },
  request: (model) => head(model, "measure", "application/json"),
  methodAt: (path) => placeOf(path).verb === "measure" ? "POST" : undefined,
  encodeRequest: ({ input }) => Result.succeed({ texts: input }),
  decodeRequest: ({ body, path }) => {
    const { texts } = object(parse(body))
    if (!Array.isArray(texts)) return invalid("texts", "must be a list")
    return Result.succeed({
      request: { model: placeOf(path).model, input: texts.map(String) },
      delivery: { encoding: "float" }
    })
  },
  decodeResponse: (peer, response) => {
    const { tokens, vectors } = object(parse(response.body))
    if (!Array.isArray(vectors) || !vectors.every(isVector)) return Result.fail(classify(peer, response))
    const usage = { inputTokens: Number(tokens), raw: { tokens: Number(tokens) } }
    return Result.succeed({ model: undefined, embeddings: vectors, usage })
  },
  encodeResponse: ({ embeddings, usage }) => ({ vectors: embeddings, tokens: usage?.inputTokens ?? 0 })
}

// Signatures: a secret is the key's id and the key, and a request is signed with what is really sent.

const partsOf = (secret: string): readonly [id: string, key: string] => {
  const at = secret.indexOf(":")
  return [secret.slice(0, at), secret.slice(at + 1)]
}

const sign = (key: string, method: string, url: string, date: string, body: string): string => {
  const hash = createHash("sha256").update(body).digest("hex")
  return createHmac("sha256", key).update([method, url, date, hash].join("\n")).digest("hex")
}

const single = (value: string | ReadonlyArray<string> | undefined) => typeof value === "string" ? value : undefined

const auth: Auth.Auth = {
  authorize: (request, secret) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const [id, key] = partsOf(secret)
      const { pathname, search } = new URL(request.url)
      const signature = sign(key, request.method, pathname + search, String(now), request.body)
      const headers = { "x-date": String(now), "x-key": id, "x-signature": signature }
      return { ...request, headers: { ...request.headers, ...headers } }
    }),
  identify: ({ body, headers, method, url }) => {
    const [date, id, signature] = [headers["x-date"], headers["x-key"], headers["x-signature"]].map(single)
    if (date === undefined || id === undefined || signature === undefined) return undefined
    return {
      credential: id,
      isMadeWith: (secret) => {
        const [known, key] = partsOf(secret)
        return known === id && sign(key, method, url, date, body) === signature
      }
    }
  },
  secrets: (secret) => [partsOf(secret)[1]]
}

export const Own = Provider.make({
  name,
  baseUrl: "https://api.own.test/v7beta",
  chat,
  embeddings,
  auth,
  limits: { embeddings: { inputs: 3, tokens: 1_000 } },
  sources: { all: "this file" }
})
