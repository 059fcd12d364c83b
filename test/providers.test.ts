/**
 * One Effect program runs unchanged on every row, against a server that speaks the row's dialect. What each row has is the table
 * of `docs/provider-table.md`: to write it anew, run `npx vitest run test/providers.test.ts -u`.
 */
import { SessionRegistry, Transport } from "@clawback/core"
import { NodeTransport } from "@clawback/node"
import {
  type ChatEvent,
  type ChatRequest,
  type ChatResponse,
  type OpenAiChat,
  type Provider,
  ProviderError,
  type RateLimit
} from "@clawback/providers"
import { Behavior, Dialect, FaultyProvider, VendorErrors } from "@clawback/testing"
import { assert, layer } from "@effect/vitest"
import { Context, Duration, Effect, Layer } from "effect"
import { expect } from "vitest"
import * as Program from "./support/oneProgram.ts"
import { type Faces, providers, rows } from "./support/rows.ts"
import { table } from "./support/table.ts"

const key = "sk-test-of-every-row"

const limits: ReadonlyArray<RateLimit.RateLimit> = ["requests", "tokens", "input-tokens", "output-tokens"].map(
  (dimension) => ({ dimension, limit: 100, remaining: 99, resetAfter: Duration.seconds(20) })
)

const parts = (...content: ReadonlyArray<ChatRequest.AssistantPart>): ChatResponse.ChatResponse => ({
  id: "answer-1",
  model: "a-model",
  choices: [{
    content,
    finish: content.some(({ type }) => type === "tool-call")
      ? { reason: "tool-calls", raw: "tool_calls" }
      : { reason: "stop", raw: "stop" }
  }],
  usage: { ...Program.usage, cacheWriteTokens: undefined, raw: {} }
})

const details = [
  { type: "reasoning.text", text: Program.thought, signature: "signed", index: 0 },
  { type: "reasoning.encrypted", data: "bm90IHlvdXJz", index: 1 }
]

const whole = parts({ type: "reasoning", text: Program.thought }, { type: "text", text: Program.answer })

/** A response that has begun, and does not go on. */
const begun = (content: string): Behavior.Behavior =>
  Behavior.ending(Behavior.bytes(content, { headers: { "content-type": "text/event-stream" } }), "stall")

const waiting: Readonly<Record<string, Behavior.Behavior>> = {
  headers: Behavior.stall,
  "first token": Behavior.stallAfterHead,
  body: Behavior.ending(Behavior.bytes("{", { headers: { "content-type": "application/json" } }), "stall")
}

const said = { provider: "test", status: 400, detail: "No.", code: undefined, requestId: undefined }

const { ...errors } = ProviderError

/** Whether it is what its module is for: errors are known in the words of these, not of second rows. */
const isFirst = (row: Provider.Row) => Object.values(providers).some(({ provider }) => provider === row)

/** The error of this class, as the row's provider sends it if that is known, else as its protocol does. */
const failing = (row: Provider.Row, tag: string): Dialect.Said => {
  if (tag === "InvalidResponse") return Behavior.malformedJson()
  if (tag === "StreamTruncated") return Behavior.sse([])
  const means = tag as Exclude<ProviderError.ProviderError["_tag"], "InvalidResponse" | "StreamTruncated">
  const own = isFirst(row) ? VendorErrors.ofRow(row.name, means) : undefined
  return own === undefined ? new errors[means]({ ...said, retryAfter: undefined }) : VendorErrors.behavior(own)
}

const textOf = ({ messages }: ChatRequest.ChatRequest): string => {
  const { content } = messages.findLast(({ role }) => role === "user") ?? { content: "" }
  return typeof content === "string"
    ? content
    : content.flatMap((part) => part.type === "text" ? [part.text] : []).join("")
}

const mediaTypeOf = ({ messages }: ChatRequest.ChatRequest): string => {
  for (const { content } of messages) {
    for (const part of typeof content === "string" ? [] : content) {
      if (part.type === "image" && "mediaType" in part.source) return part.source.mediaType
    }
  }
  return "none"
}

const say = (row: Provider.Row, streaming: Behavior.Behavior) => (request: ChatRequest.ChatRequest): Dialect.Said => {
  const text = textOf(request)
  if (text.includes(Program.words.object)) return parts({ type: "text", text: JSON.stringify(Program.person) })
  if (text.includes(Program.words.image)) return parts({ type: "text", text: mediaTypeOf(request) })
  if (text.includes(Program.words.tools) && request.messages.at(-1)?.role !== "tool") {
    const { arguments: given, name } = Program.weather
    return parts(
      { type: "reasoning", text: Program.thought, details },
      { type: "tool-call", id: "call_1", name, arguments: JSON.stringify(given) }
    )
  }
  const [, tag] = /^Fail with (\w+)\.$/.exec(text) ?? []
  if (tag !== undefined) return failing(row, tag)
  const [, phase] = /^Wait in (.+)\.$/.exec(text) ?? []
  return phase === undefined ? whole : waiting[phase] ?? streaming
}

/** The stream of an answer without its end. */
const unended = (row: Provider.ChatRow): Behavior.Behavior => {
  const encoder = row.chat.makeEncoder({ stream: true, includeUsage: true })
  const started: ReadonlyArray<ChatEvent.ChatEvent> = [
    { _tag: "Started", id: "answer-1", model: "a-model" },
    { _tag: "TextDelta", text: "Well" }
  ]
  return begun(String(encoder.push(started)))
}

const basePath = ({ baseUrl }: Provider.Row) =>
  baseUrl === undefined ? "" : new URL(baseUrl).pathname.replace(/\/+$/, "")

const credential = Dialect.credential(key)

const over = <A, E>(layer: Layer.Layer<A, E, Transport.Transport>) =>
  layer.pipe(
    Layer.provideMerge(NodeTransport.layer({ connections: 1 })),
    Layer.provideMerge(SessionRegistry.layer())
  )

const thoughtOf = (
  message: { readonly [field: string]: any },
  field: OpenAiChat.Quirks["reasoningField"]
): string | undefined =>
  field === "thinking"
    ? message["content"]?.[0]?.thinking?.[0]?.text
    : message[field === "as-received" ? "reasoning_content" : field]

/** What the requests of the program say. Quirks are data, so that the test can hold the wire against them. */
const assertWire = (row: Provider.ChatRow, requests: ReadonlyArray<FaultyProvider.Received>) => {
  if (row.chat.name !== "openai-chat") return
  const { quirks } = row.chat as OpenAiChat.OpenAiChat
  const bodies = requests.filter(({ url }) => url.includes("/chat/completions")).map(({ body }) => JSON.parse(body))
  for (const body of bodies) {
    assert.strictEqual("model" in body, quirks.modelIn === "body")
    assert.strictEqual(body[quirks.maxTokensField], 100)
    assert.strictEqual("stream_options" in body, body.stream === true && quirks.usage === "include_usage")
  }
  const formats = bodies.flatMap(({ response_format: format }) => format === undefined ? [] : [format])
  assert.isNotEmpty(formats)
  for (const format of formats) {
    assert.strictEqual(format.type, quirks.formats === "json_schema" ? "json_schema" : "json_object")
    assert.strictEqual("schema" in format, quirks.formats === "json_object_schema")
  }
  const history = bodies.flatMap(({ messages }) => messages).filter(({ tool_calls: calls }) => calls !== undefined)
  for (const message of history) {
    assert.strictEqual(
      thoughtOf(message, quirks.reasoningField),
      quirks.reasoningField === "never" ? undefined : Program.thought
    )
    assert.deepStrictEqual(message.reasoning_details, quirks.reasoningDetails === "never" ? undefined : details)
    if (quirks.toolIds !== "any") assert.lengthOf(message.tool_calls[0].id, quirks.toolIds.alphanumeric)
  }
}

/** The limits that the server states, as the row reads them. */
const statedLimits = Effect.fnUntraced(
  function*(row: Provider.ChatRow, { body, headers, method, url }: FaultyProvider.Received, origin: string) {
    const transport = yield* Transport.Transport
    const { connection: _, "content-length": __, host: ___, "transfer-encoding": ____, ...sent } = headers
    const response = yield* transport.execute({
      method: method as "POST",
      url: origin + url,
      headers: sent as Readonly<Record<string, string>>,
      body
    })
    return row.chat.limits({ status: response.status, headers: response.headers, body: "" }).limits
  },
  Effect.scoped
)

const run = Effect.fnUntraced(function*(faces: Faces) {
  const row = faces.provider
  const provider = yield* FaultyProvider.make({
    handler: Dialect.handler({ say: say(row, unended(row)), providers: [row], keys: [key], limits })
  })
  const options = { model: "a-model", baseUrl: provider.url + basePath(row), credential }
  let aborted = 0
  const abilities = yield* Effect.gen(function*() {
    const server: Program.Server = {
      reached: (phase) =>
        provider.untilRequest(({ headAt, sent, state }) =>
          state === "answering" && (phase === "headers" || headAt !== undefined) &&
          (phase === "headers" || phase === "first token" || sent > 0)
        ),
      gone: provider.until((counts) => counts.inFlight === 0 && counts.aborted > aborted).pipe(
        Effect.tap((counts) => Effect.sync(() => void (aborted = counts.aborted)))
      )
    }
    const abilities = yield* Program.run(server)
    const [first] = yield* provider.requests
    assert.isDefined(first)
    return { ...abilities, limits: yield* statedLimits(row, first as FaultyProvider.Received, provider.url) }
  }).pipe(Effect.provide(over(faces.layer({ ...options, parameters: { maxOutputTokens: 100 } }))))
  const { url } = yield* Deaf
  yield* Effect.provide(Program.abortConnecting, over(faces.layer({ ...options, baseUrl: url })))
  if (faces.embeddingLayer !== undefined) {
    yield* Effect.provide(Program.embeddings, over(faces.embeddingLayer(options)))
  }
  assertWire(row, yield* provider.requests)
  return abilities
}, Effect.scoped)

/** How many errors are known in the words of the row's provider. */
const ownErrors = (row: Provider.Row) =>
  isFirst(row) ? VendorErrors.table.filter(({ name }) => name.startsWith(`${row.name}.`)).length : 0

/** A server that accepts no connection. */
class Deaf
  extends Context.Service<Deaf, FaultyProvider.FaultyProvider["Service"]>()("clawback/test/providers.test/Deaf")
{
  static readonly layer = Layer.effect(
    Deaf,
    Effect.tap(FaultyProvider.make(), (provider) => provider.listening("fullBacklog"))
  )
}

const found = new Map<string, Effect.Success<ReturnType<typeof run>>>()

layer(Deaf.layer, { excludeTestServices: true })("one program", (it) => {
  it.effect.each(rows)("runs on %s", ([name, faces]) =>
    Effect.map(run(faces), (abilities) => {
      const { provider: { chat } } = faces
      const declared = chat.name === "openai-chat" ? (chat as OpenAiChat.OpenAiChat).quirks.limitHeaders : undefined
      if (declared !== undefined) {
        assert.sameMembers(abilities.limits.map(({ dimension }) => dimension), Object.keys(declared))
        for (const { dimension, resetAfter } of abilities.limits) {
          const seconds = resetAfter && Duration.toSeconds(resetAfter)
          if (declared[dimension]?.reset === undefined) assert.isUndefined(seconds)
          else assert.closeTo(seconds ?? NaN, 20, 2)
        }
      }
      found.set(name, abilities)
    }))

  it("found what docs/provider-table.md says", async () => {
    assert.strictEqual(found.size, rows.length)
    await expect(table(rows, found, ownErrors)).toMatchFileSnapshot("../docs/provider-table.md")
  })

  it("ran on at least 25 providers", () => assert.isAtLeast(Object.keys(providers).length, 25))
})
