/** Holds our codecs against recorded traffic: against the vendors' SDKs, and against the recorded JSON itself. */
import { APIError as AnthropicError } from "@anthropic-ai/sdk"
import { type ChatEvent, ChatResponse, type OpenAiChat, type Protocol, type ProviderError } from "@clawback/providers"
import { Option, Result } from "effect"
import { APIError } from "openai"
import * as AnthropicSdk from "../../packages/providers/test/support/anthropicSdk.ts"
import * as OpenAiSdk from "../../packages/providers/test/support/openAiSdk.ts"
import { httpRequest } from "./httpRequest.ts"
import { differences, type JsonDifference } from "./jsonDifferences.ts"
import { isClassed } from "./recordedErrors.ts"
import { type Meaning, ofAnthropicEvents, ofChunks, ofCompletion, ofMessage, ofResponse } from "./recordedMeaning.ts"
import { chatOf, embeddingsOf, quirksOf } from "./recordedProtocols.ts"
import { withCallIds, withJoinedTurns, withoutEmpty, withShownParts } from "./recordedRequests.ts"
import type { Recording } from "./recordings.ts"

export interface Difference extends JsonDifference {
  readonly protocol: string
  /** What was compared: the meaning of the answer, or JSON that was decoded and encoded again. */
  readonly of: "meaning" | "request" | "answer"
  /** The whole JSON, where JSON was compared. `named`: the one before, with ids for calls that have none. */
  readonly whole: { readonly before: Json; readonly after: Json; readonly named?: Json }
  /** What the encoder of a request reported as dropped. */
  readonly dropped: ReadonlyArray<string>
  /** Those of the vendor's row. */
  readonly quirks: OpenAiChat.Quirks
}

type Bytes = Uint8Array<ArrayBuffer>
type Json = any

const peer: Protocol.Peer = { provider: "provider", redact: (text) => text }
const utf8 = (text: string): Bytes => new TextEncoder().encode(text)

const changed = (field: string, before: unknown, after: unknown): JsonDifference => ({
  field,
  path: [field],
  kind: "changed",
  before,
  after
})

type Found = Pick<Difference, "of" | keyof JsonDifference> & Partial<Difference>

const labelled = (
  of: Difference["of"],
  found: ReadonlyArray<JsonDifference>,
  context: Partial<Difference> = {}
): ReadonlyArray<Found> => found.map((difference) => Object.assign({ of }, context, difference))

const comparedJson = (
  of: Difference["of"],
  before: Json,
  encoded: Json,
  { dropped = [], named }: { readonly dropped?: ReadonlyArray<string>; readonly named?: Json } = {}
): ReadonlyArray<Found> => {
  const after = JSON.parse(JSON.stringify(encoded))
  return labelled(of, differences(before, after), { whole: { before, after, named }, dropped })
}

const parse = (text: string): Json => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const statusOf = (error: unknown): number | undefined =>
  error instanceof APIError || error instanceof AnthropicError ? error.status : undefined

/** The class of an error, and its class after a server of ours passed it on. */
const errorDifferences = async (
  recording: Recording,
  protocol: Pick<Protocol.Protocol<never, never, never>, "classify" | "encodeError">
) => {
  const { responseBody: body, responseHeaders: headers = {}, status } = recording
  const error = protocol.classify(peer, { status, headers, body })
  const reply = protocol.encodeError(error)
  const again = protocol.classify(peer, { ...reply, body: JSON.stringify(reply.body) })
  // A status of success has the status of the error in its body, and the SDK sees no error.
  const parsed = parse(body)
  const answered = status < 400 ? Number(parsed?.error?.code) : status
  const theirs = status < 400
    ? answered
    : statusOf(
      recording.protocol === "anthropic-messages"
        ? await AnthropicSdk.decodedError({ status, headers: {}, body: parsed ?? {} })
        : await OpenAiSdk.failure(status, { "content-type": "application/json" }, body)
    )
  return [
    ...(theirs !== undefined && isClassed(theirs, body, error) ? [] : [changed("error", theirs, error._tag)]),
    ...(again._tag === error._tag ? [] : [changed("error", error._tag, again._tag)])
  ]
}

const meaningDifferences = (theirs: Meaning, ours: Meaning): ReadonlyArray<JsonDifference> =>
  (Object.keys(theirs) as ReadonlyArray<keyof Meaning>).flatMap((field) =>
    JSON.stringify(theirs[field]) === JSON.stringify(ours[field]) ? [] : [changed(field, theirs[field], ours[field])]
  )

const pieces = (bytes: Bytes, random: () => number): ReadonlyArray<Bytes> => {
  const found: Array<Bytes> = []
  for (let at = 0; at < bytes.length;) {
    const size = 1 + Math.floor(random() * 60)
    found.push(bytes.subarray(at, at + size))
    at += size
  }
  return found
}

interface Decoded {
  readonly events: ReadonlyArray<ChatEvent.ChatEvent>
  readonly failure: ProviderError.ProviderError | undefined
}

const decodeStream = (protocol: Protocol.ChatProtocol, chunks: ReadonlyArray<Bytes>): Decoded => {
  const decoder = protocol.makeDecoder(peer)
  const events = [...chunks.flatMap((chunk) => decoder.push(chunk)), ...decoder.end()]
  return { events, failure: decoder.failure }
}

/** The SDK ignores a field `error`, which older servers of llama.cpp send. As data, it reads it. */
const asData = (text: string): string => text.replaceAll(/^error: ?(?=\{)/gm, "data: ")

const hasOutput = ({ calls, reasoning, refusal, text }: Meaning): boolean =>
  [...text, ...reasoning, ...refusal].some((said) => said !== "") || calls.some((calls) => calls.length > 0)

const isDone = (text: string): boolean => /^data: ?\[DONE\](?:\r\n|\r|\n){2}/m.test(text)

const theirStream = async (recording: Recording, text: string): Promise<Meaning & { readonly error: boolean }> => {
  if (recording.protocol === "anthropic-messages") {
    const { error, events } = await AnthropicSdk.eventsAndError(text)
    return {
      ...ofAnthropicEvents(events),
      error: error !== undefined || !events.some(({ type }) => type === "message_stop")
    }
  }
  const { chunks, error } = await OpenAiSdk.chunksAndError(utf8(asData(text)))
  const meaning = ofChunks(chunks, quirksOf(recording))
  const isWhole = meaning.finish.length > 0 && meaning.finish.every((finish) => finish !== "")
  // The SDK does not notice that an answer was cut off.
  if (error === undefined && !isWhole && !(hasOutput(meaning) && isDone(text))) return { ...meaning, error: true }
  // An error after the finish does not matter: the answer is whole. Its chunk may have the usage.
  if (error === undefined || !isWhole) return { ...meaning, error: error !== undefined }
  const without = text.replaceAll("\"error\":", "\"late_error\":")
  return without === text ? { ...meaning, error: false } : theirStream(recording, without)
}

const streamDifferences = async (
  recording: Recording,
  random: () => number
): Promise<ReadonlyArray<JsonDifference>> => {
  const protocol = chatOf(recording)
  const { responseBody: text } = recording
  const decoded = decodeStream(protocol, [utf8(text)])
  const cut = decodeStream(protocol, pieces(utf8(text), random))
  const isSame = JSON.stringify(decoded.events) === JSON.stringify(cut.events) &&
    decoded.failure?._tag === cut.failure?._tag
  const splits = isSame ? [] : [changed("splits", decoded, cut)]
  const { error, ...theirs } = await theirStream(recording, text)
  if (decoded.failure !== undefined) {
    return error && decoded.failure._tag !== "InvalidResponse"
      ? splits
      : [...splits, changed("error", error, decoded.failure)]
  }
  if (error) return [...splits, changed("error", error, undefined)]
  const response = Option.getOrThrow(ChatResponse.fromEvents(decoded.events))
  const encoder = protocol.makeEncoder({ stream: true, includeUsage: true })
  const written = String(encoder.push(decoded.events)) + String(encoder.end())
  const { error: _, ...again } = await theirStream(recording, written)
  return [
    ...splits,
    ...meaningDifferences(theirs, ofResponse(response, theirs, false)),
    ...meaningDifferences(theirs, withoutMadeUpIds(again, theirs))
      .map(({ after, before, field }) => changed(`${field} (encoded)`, before, after))
  ]
}

const withoutMadeUpIds = (again: Meaning, theirs: Meaning): Meaning => ({
  ...again,
  calls: again.calls.map((calls, choice) =>
    calls.map((call, index) => theirs.calls[choice]?.[index]?.id === "" ? { ...call, id: "" } : call)
  )
})

const wholeDifferences = async (recording: Recording): Promise<ReadonlyArray<Found>> => {
  const protocol = chatOf(recording)
  const { responseBody: body, responseHeaders: headers = {}, status } = recording
  const decoded = protocol.decodeResponse(peer, { status, headers, body })
  const original = JSON.parse(body)
  if (Result.isFailure(decoded)) {
    // What has no answer, such as the page of another server, is none for the SDK either.
    const isAnswer = Array.isArray(original.choices) || Array.isArray(original.content)
    return isAnswer ? [{ ...changed("error", undefined, decoded.failure), of: "meaning" }] : []
  }
  const isParsed = recording.protocol === "anthropic-messages"
  const theirs = isParsed
    ? ofMessage(await AnthropicSdk.decodedBody(original))
    : ofCompletion(await OpenAiSdk.whole(body), quirksOf(recording))
  const meaning = meaningDifferences(theirs, ofResponse(decoded.success, theirs, isParsed))
  return [
    ...labelled("meaning", meaning),
    ...comparedJson("answer", original, protocol.encodeResponse(decoded.success))
  ]
}

const embeddingDifferences = async (recording: Recording): Promise<ReadonlyArray<Found>> => {
  const protocol = embeddingsOf(recording)
  const { responseBody: body, responseHeaders: headers = {}, status } = recording
  const decoded = protocol.decodeResponse(peer, { status, headers, body })
  if (Result.isFailure(decoded)) return [{ ...changed("error", undefined, decoded.failure), of: "meaning" }]
  const original = JSON.parse(body)
  const theirs: Json = await OpenAiSdk.client(() =>
    new Response(body, { headers: { "content-type": "application/json" } })
  )
    .embeddings.create({ model: "m", input: "a" })
  const encoding = typeof original.data[0]?.embedding !== "string"
    ? "float"
    : protocol.delivery.encoding === "base64_int8"
    ? "base64_int8"
    : "base64"
  // The SDK reads any base64 as floats.
  const vectors = encoding === "base64_int8"
    ? original.data.map(({ embedding }: Json) => [...new Int8Array(Buffer.from(embedding, "base64"))])
    : theirs.data.map(({ embedding }: Json) => embedding)
  const isSame = JSON.stringify(vectors) === JSON.stringify(decoded.success.embeddings)
  const encoded = protocol.encodeResponse(decoded.success, { encoding })
  return [
    ...(isSame
      ? []
      : [{ ...changed("vectors", vectors[0]?.length, decoded.success.embeddings[0]?.length), of: "meaning" as const }]),
    ...comparedJson("answer", original, encoded)
  ]
}

/** In the URL, which was not recorded: Azure, Bedrock and Vertex have no model in the body. */
const inUrl = "model-in-the-url"

/** Where the vendor's server has its model in the path, the path has the one of the body. */
const received = (protocol: Protocol.Protocol<any, any, any>, body: Json): Protocol.HttpRequest => {
  const { path } = protocol.request(body.model, { stream: false, includeUsage: false })
  return { ...httpRequest(JSON.stringify(body)), path }
}

const requestDifferences = (recording: Recording): ReadonlyArray<Found> => {
  const given = recording.requestBody === null ? undefined : parse(recording.requestBody)
  if (typeof given !== "object" || given === null) return []
  const original = { ...given, model: given.model ?? inUrl }
  const protocol: Protocol.Protocol<any, any, any> = recording.protocol === "openai-embeddings"
    ? embeddingsOf(recording)
    : chatOf(recording)
  const decoded = protocol.decodeRequest(received(protocol, original))
  if (Result.isFailure(decoded)) {
    // The provider rejects it as well.
    const isRejected = recording.status >= 400 && recording.status < 500
    return isRejected
      ? []
      : labelled("request", [
        changed("rejected", decoded.failure.path.replaceAll(/\d+/g, ""), decoded.failure.detail)
      ])
  }
  const { delivery, request } = decoded.success
  const dropped: Array<string> = []
  const encoded = protocol.encodeRequest(request, delivery, ({ field }) => dropped.push(field))
  if (Result.isFailure(encoded)) {
    // The provider rejects it as well.
    return recording.status === 400 ? [] : labelled("request", [
      changed("unsupported", undefined, encoded.failure.detail)
    ], { whole: { before: original, after: undefined } })
  }
  return recording.protocol === "openai-chat"
    ? chatRequestDifferences(original, encoded.success, dropped)
    : recording.protocol === "openai-embeddings"
    ? comparedJson("request", original, encoded.success, { dropped })
    : messagesRequestDifferences(original, encoded.success, dropped)
}

const normal = (name: string, before: Json, after: Json): ReadonlyArray<Found> =>
  before.messages.length === after.messages.length
    ? []
    : labelled("request", [changed(name, before.messages, after.messages)])

const messagesRequestDifferences = (original: Json, encoded: Json, dropped: ReadonlyArray<string>) => {
  const before = withJoinedTurns(original)
  return [...normal("messages (joined)", original, before), ...comparedJson("request", before, encoded, { dropped })]
}

/** Results with more than texts, and calls without ids, are compared with what they mean. */
const chatRequestDifferences = (
  original: Json,
  encoded: Json,
  dropped: ReadonlyArray<string>
): ReadonlyArray<Found> => {
  const named = withoutEmpty(withCallIds(original))
  const filled = withoutEmpty(original)
  const before = withShownParts(filled, named)
  return [
    ...normal("messages (empty)", original, filled),
    ...normal("messages[].content (shown)", filled, before),
    ...comparedJson("request", before, encoded, { dropped, named: withShownParts(named, named) })
  ]
}

export const differencesOf = async (recording: Recording, random: () => number): Promise<ReadonlyArray<Difference>> => {
  const { kind, protocol } = recording
  const answer = kind === "error"
    ? labelled(
      "meaning",
      await errorDifferences(recording, protocol === "openai-embeddings" ? embeddingsOf(recording) : chatOf(recording))
    )
    : kind === "stream"
    ? labelled("meaning", await streamDifferences(recording, random))
    : protocol === "openai-embeddings"
    ? await embeddingDifferences(recording)
    : await wholeDifferences(recording)
  const context = { whole: { before: undefined, after: undefined }, dropped: [], protocol, quirks: quirksOf(recording) }
  return [...answer, ...requestDifferences(recording)].map((difference) => Object.assign({}, context, difference))
}
