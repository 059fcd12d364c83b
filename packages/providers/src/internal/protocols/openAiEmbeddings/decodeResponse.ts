import * as Result from "effect/Result"
import type { EmbeddingResponse } from "../../../Embedding.ts"
import type { Json } from "../../../Json.ts"
import type { HttpResponse, Peer } from "../../../Protocol.ts"
import type { ProviderError } from "../../../ProviderError.ts"
import * as Floats from "../../json/floats.ts"
import * as Int8 from "../../json/int8.ts"
import * as From from "../../json/json.ts"
import { invalidResponse } from "../../model/invalidResponse.ts"
import { classify } from "../openAi/decodeError.ts"
import { errorOf } from "../openAi/errorBody.ts"
import { extrasOf } from "./extras.ts"
import type { Quirks } from "./quirks.ts"
import { used } from "./usage.ts"

const isFinite = (value: Json): value is number => typeof value === "number" && Number.isFinite(value)

const vectorOf = ({ encoding }: Quirks, value: Json | undefined): ReadonlyArray<number> | undefined => {
  if (typeof value === "string") return encoding === "base64_int8" ? Int8.decode(value) : Floats.decode(value)
  return Array.isArray(value) && value.every(isFinite) ? value : undefined
}

/** The vectors in the order of their inputs. Returns a string if one is not valid: the reason. */
const vectorsOf = (quirks: Quirks, data: ReadonlyArray<Json>): ReadonlyArray<ReadonlyArray<number>> | string => {
  const vectors = new Map<number, ReadonlyArray<number>>()
  for (const [place, value] of data.entries()) {
    const item = From.object(value)
    const index = item?.["index"] === undefined ? place : From.count(item["index"])
    const vector = vectorOf(quirks, item?.["embedding"])
    if (vector === undefined || index === undefined) return `data[${place}] has no embedding of numbers`
    if (index >= data.length || vectors.has(index)) return `data[${place}] is not the embedding of one input`
    vectors.set(index, vector)
  }
  return [...vectors].toSorted(([a], [b]) => a - b).map(([, vector]) => vector)
}

const known = new Set(["object", "data", "model", "usage"])

export const decodeResponse =
  (quirks: Quirks) => (peer: Peer, received: HttpResponse): Result.Result<EmbeddingResponse, ProviderError> => {
    const parsed = From.parse(received.body)
    if (errorOf(parsed) !== undefined) return Result.fail(classify(peer, received))
    const body = From.object(parsed)
    const data = body?.["data"]
    const embeddings = Array.isArray(data) ? vectorsOf(quirks, data) : "no data"
    if (body === undefined || typeof embeddings === "string") {
      return Result.fail(invalidResponse(peer, String(embeddings), received.body))
    }
    return Result.succeed({
      model: From.string(body["model"]),
      embeddings,
      usage: used(body["usage"]),
      ...extrasOf(body, known)
    })
  }
