import * as Result from "effect/Result"
import type { EmbeddingRequest, EmbeddingResponse } from "../../../Embedding.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import {
  type EmbeddingDelivery,
  type HttpResponse,
  type Peer,
  RequestInvalid,
  type Unsupported
} from "../../../Protocol.ts"
import type { ProviderError } from "../../../ProviderError.ts"
import * as Floats from "../../json/floats.ts"
import * as From from "../../json/json.ts"
import { orRefusal } from "../../json/refusal.ts"
import { RequestReader } from "../../json/requestReader.ts"
import { invalidResponse } from "../../model/invalidResponse.ts"
import { classify } from "../openAi/decodeError.ts"
import { errorOf } from "../openAi/errorBody.ts"

export const protocol = "openai-embeddings"

const read = new RequestReader(protocol)

const extrasOf = (value: JsonObject, known: ReadonlySet<string>) => {
  const unknown = From.others(value, known)
  return unknown === undefined ? {} : { extras: { [protocol]: unknown } }
}

export const encodeRequest = (
  { dimensions, extras, input, model, user }: EmbeddingRequest,
  { encoding }: EmbeddingDelivery
): Result.Result<JsonObject, Unsupported> =>
  Result.succeed({
    ...extras?.[protocol],
    ...From.fields({ model, input, dimensions, user, encoding_format: encoding })
  })

const tokens = (value: Json, path: string): ReadonlyArray<number> =>
  read.array(value, path).map((token, index) => read.count(token, `${path}[${index}]`))

/** One text, or the tokens of one, stand for a list of one. */
const input = (value: Json | undefined): EmbeddingRequest["input"] => {
  if (typeof value === "string") return [value]
  const inputs = read.array(value, "input")
  const [first] = inputs
  if (first === undefined) return read.fail("input", "must not be empty")
  if (typeof first === "number") return [tokens(inputs, "input")]
  return typeof first === "string"
    ? inputs.map((text, index) => read.string(text, `input[${index}]`))
    : inputs.map((list, index) => tokens(list, `input[${index}]`))
}

const encodingFormat = (value: Json): EmbeddingDelivery["encoding"] =>
  value === "float" || value === "base64" ? value : read.fail("encoding_format", "must be float or base64")

const knownInRequest = new Set(["model", "input", "dimensions", "user", "encoding_format"])

export const decodeRequest = (
  body: string
): Result.Result<{ readonly request: EmbeddingRequest; readonly delivery: EmbeddingDelivery }, RequestInvalid> =>
  orRefusal(RequestInvalid, () => {
    const parsed = From.parse(body)
    if (!From.isObject(parsed)) return read.fail("", "the body must be a JSON object")
    return {
      request: From.present({
        model: read.name(parsed["model"], "model"),
        input: input(parsed["input"]),
        dimensions: read.optional(parsed["dimensions"], (value) => read.count(value, "dimensions")),
        user: read.optional(parsed["user"], (value) => read.string(value, "user")),
        ...extrasOf(parsed, knownInRequest)
      }),
      delivery: { encoding: read.optional(parsed["encoding_format"], encodingFormat) ?? "float" }
    }
  })

const isFinite = (value: Json): value is number => typeof value === "number" && Number.isFinite(value)

const vectorOf = (value: Json | undefined): ReadonlyArray<number> | undefined =>
  typeof value === "string" ? Floats.decode(value) : Array.isArray(value) && value.every(isFinite) ? value : undefined

/** The vectors in the order of their inputs. A text says what is wrong with them. */
const vectorsOf = (data: ReadonlyArray<Json>): ReadonlyArray<ReadonlyArray<number>> | string => {
  const vectors = new Map<number, ReadonlyArray<number>>()
  for (const [place, value] of data.entries()) {
    const item = From.object(value)
    const index = item?.["index"] === undefined ? place : From.count(item["index"])
    const vector = vectorOf(item?.["embedding"])
    if (vector === undefined || index === undefined) return `data[${place}] has no embedding of numbers`
    if (index >= data.length || vectors.has(index)) return `data[${place}] is not the embedding of one input`
    vectors.set(index, vector)
  }
  return [...vectors].toSorted(([a], [b]) => a - b).map(([, vector]) => vector)
}

const knownInResponse = new Set(["object", "data", "model", "usage"])

export const decodeResponse = (peer: Peer, received: HttpResponse): Result.Result<EmbeddingResponse, ProviderError> => {
  const body = From.object(From.parse(received.body))
  if (errorOf(body) !== undefined) return Result.fail(classify(peer, received))
  const data = body?.["data"]
  const embeddings = Array.isArray(data) ? vectorsOf(data) : "no data"
  if (body === undefined || typeof embeddings === "string") {
    return Result.fail(invalidResponse(peer, String(embeddings), received.body))
  }
  const usage = From.usage(body["usage"])
  return Result.succeed({
    model: From.string(body["model"]),
    embeddings,
    usage: usage && { inputTokens: From.count(usage["prompt_tokens"]), raw: usage },
    ...extrasOf(body, knownInResponse)
  })
}

const usageOf = ({ inputTokens, raw }: NonNullable<EmbeddingResponse["usage"]>): JsonObject =>
  "prompt_tokens" in raw ? raw : From.fields({ prompt_tokens: inputTokens, total_tokens: inputTokens })

export const encodeResponse = (
  { embeddings, extras, model, usage }: EmbeddingResponse,
  { encoding }: EmbeddingDelivery
): JsonObject => ({
  ...extras?.[protocol],
  object: "list",
  data: embeddings.map((vector, index) => ({
    object: "embedding",
    index,
    embedding: encoding === "base64" ? Floats.encode(vector) : vector
  })),
  model: model ?? "",
  ...(usage && { usage: usageOf(usage) })
})
