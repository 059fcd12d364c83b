/** Holds our codecs against recorded traffic: against the vendors' SDKs, and against the recorded JSON itself. */
import { APIError as AnthropicError } from "@anthropic-ai/sdk"
import {
  AnthropicMessages,
  type ChatEvent,
  ChatResponse,
  OpenAiChat,
  OpenAiEmbeddings,
  type Protocol,
  type ProviderError
} from "@clawback/providers"
import { Option, Result } from "effect"
import { APIError } from "openai"
import * as AnthropicSdk from "../../packages/providers/test/support/anthropicSdk.ts"
import * as OpenAiSdk from "../../packages/providers/test/support/openAiSdk.ts"
import { httpRequest } from "./httpRequest.ts"
import { differences, type JsonDifference } from "./jsonDifferences.ts"
import { type Meaning, ofAnthropicEvents, ofChunks, ofCompletion, ofMessage, ofResponse } from "./recordedMeaning.ts"
import type { Recording } from "./recordings.ts"

export interface Difference extends JsonDifference {
  readonly protocol: string
  /** What was compared: the meaning of the answer, or JSON that was decoded and encoded again. */
  readonly of: "meaning" | "request" | "answer"
}

type Bytes = Uint8Array<ArrayBuffer>
type Json = any

const peer: Protocol.Peer = { provider: "provider", redact: (text) => text }
const utf8 = (text: string): Bytes => new TextEncoder().encode(text)

const embeddingProtocols = {
  perplexity: OpenAiEmbeddings.make({ encoding: "base64_int8" })
} satisfies Record<string, Protocol.EmbeddingProtocol>

const embeddingsOf = ({ vendor }: Recording): Protocol.EmbeddingProtocol =>
  Object.hasOwn(embeddingProtocols, vendor) ? embeddingProtocols[vendor as "perplexity"] : OpenAiEmbeddings.protocol

/** What OpenRouter's clients may send. */
const openRouter = OpenAiChat.make({ fileUrl: "file_data" })

const chatOf = ({ protocol, vendor }: Recording): Protocol.ChatProtocol =>
  protocol === "anthropic-messages"
    ? AnthropicMessages.protocol
    : vendor === "openrouter"
    ? openRouter
    : OpenAiChat.protocol

/** The errors that say at least as much as the SDK's, which go by the status alone. */
const finer: Readonly<Record<number, ReadonlyArray<ProviderError.ProviderError["_tag"]>>> = {
  400: [
    "RequestRejected",
    "ContextTooLong",
    "ModelNotFound",
    "ContentFiltered",
    "QuotaExhausted",
    "AuthenticationFailed",
    "PermissionDenied",
    "RegionBlocked",
    "ProviderFailed"
  ],
  401: ["AuthenticationFailed"],
  402: ["QuotaExhausted"],
  403: ["PermissionDenied", "RegionBlocked", "QuotaExhausted", "ModelNotFound", "ContentFiltered"],
  404: ["ModelNotFound", "RequestRejected"],
  408: ["ProviderFailed"],
  409: ["ProviderFailed"],
  413: ["RequestRejected", "ContextTooLong"],
  422: ["RequestRejected", "ContextTooLong", "ModelNotFound"],
  429: ["RateLimited", "QuotaExhausted"],
  503: ["Overloaded", "ProviderFailed"],
  529: ["Overloaded"]
}

const isClassed = (status: number, { _tag }: ProviderError.ProviderError): boolean =>
  finer[status]?.includes(_tag) ??
    (status >= 500 ? ["ProviderFailed", "ContextTooLong"] : ["RequestRejected"]).includes(_tag)

const changed = (field: string, before: unknown, after: unknown): JsonDifference => ({
  field,
  kind: "changed",
  before,
  after
})

type Found = Omit<Difference, "protocol">

const labelled = (of: Difference["of"], found: ReadonlyArray<JsonDifference>): ReadonlyArray<Found> =>
  found.map(({ after, before, field, kind }) => ({ after, before, field, kind, of }))

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
  protocol: Pick<Protocol.ChatProtocol, "classify" | "encodeError">
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
    ...(theirs !== undefined && isClassed(theirs, error) ? [] : [changed("error", theirs, error._tag)]),
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

const theirStream = async (recording: Recording, text: string): Promise<Meaning & { readonly error: boolean }> => {
  if (recording.protocol === "anthropic-messages") {
    const { error, events } = await AnthropicSdk.eventsAndError(text)
    return {
      ...ofAnthropicEvents(events),
      error: error !== undefined || !events.some(({ type }) => type === "message_stop")
    }
  }
  const { chunks, error } = await OpenAiSdk.chunksAndError(utf8(asData(text)))
  const meaning = ofChunks(chunks)
  const isWhole = meaning.finish.length > 0 && meaning.finish.every((finish) => finish !== "")
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

const wholeDifferences = async (recording: Recording): Promise<ReadonlyArray<Omit<Difference, "protocol">>> => {
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
    : ofCompletion(await OpenAiSdk.whole(body))
  const meaning = meaningDifferences(theirs, ofResponse(decoded.success, theirs, isParsed))
  return [
    ...labelled("meaning", meaning),
    ...labelled("answer", differences(original, JSON.parse(JSON.stringify(protocol.encodeResponse(decoded.success)))))
  ]
}

const embeddingDifferences = async (recording: Recording): Promise<ReadonlyArray<Omit<Difference, "protocol">>> => {
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
  const encoded = JSON.parse(JSON.stringify(protocol.encodeResponse(decoded.success, { encoding })))
  return [
    ...(isSame
      ? []
      : [{ ...changed("vectors", vectors[0]?.length, decoded.success.embeddings[0]?.length), of: "meaning" as const }]),
    ...labelled("answer", differences(original, encoded))
  ]
}

/** In the URL, which was not recorded: Azure, Bedrock and Vertex have no model in the body. */
const inUrl = "model-in-the-url"

const requestDifferences = (recording: Recording): ReadonlyArray<JsonDifference> => {
  const given = recording.requestBody === null ? undefined : parse(recording.requestBody)
  if (typeof given !== "object" || given === null) return []
  const original = { ...given, model: given.model ?? inUrl }
  const protocol: Protocol.Protocol<any, any, any> = recording.protocol === "openai-embeddings"
    ? embeddingsOf(recording)
    : chatOf(recording)
  const decoded = protocol.decodeRequest(httpRequest(JSON.stringify(original)))
  if (Result.isFailure(decoded)) {
    // The provider rejects it as well.
    const isRejected = recording.status >= 400 && recording.status < 500
    return isRejected ? [] : [changed("rejected", decoded.failure.path.replaceAll(/\d+/g, ""), decoded.failure.detail)]
  }
  const { delivery, request } = decoded.success
  const encoded = protocol.encodeRequest(request, delivery)
  if (Result.isFailure(encoded)) return [changed("unsupported", undefined, encoded.failure.detail)]
  return differences(original, JSON.parse(JSON.stringify(encoded.success)))
}

export const differencesOf = async (recording: Recording, random: () => number): Promise<ReadonlyArray<Difference>> => {
  const { kind, protocol } = recording
  const answer = kind === "error"
    ? labelled(
      "meaning",
      await errorDifferences(
        recording,
        protocol === "openai-embeddings" ? embeddingsOf(recording) as never : chatOf(recording)
      )
    )
    : kind === "stream"
    ? labelled("meaning", await streamDifferences(recording, random))
    : protocol === "openai-embeddings"
    ? await embeddingDifferences(recording)
    : await wholeDifferences(recording)
  const request = labelled("request", requestDifferences(recording))
  return [...answer, ...request].map(({ after, before, field, kind, of }) => ({
    after,
    before,
    field,
    kind,
    of,
    protocol
  }))
}
