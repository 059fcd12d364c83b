import * as Result from "effect/Result"
import type { AssistantPart } from "../../../ChatRequest.ts"
import type { ChatResponse } from "../../../ChatResponse.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import { type HttpResponse, type Peer, RequestInvalid } from "../../../Protocol.ts"
import type { ProviderError } from "../../../ProviderError.ts"
import { catching } from "../../json/catching.ts"
import * as From from "../../json/json.ts"
import { invalidResponse } from "../../model/invalidResponse.ts"
import { madeUpId } from "../../model/madeUpId.ts"
import { classify } from "./decodeError.ts"
import { assistantPart } from "./decodeParts.ts"
import { keep } from "./extras.ts"
import { finishOf } from "./finishReason.ts"
import { array, at, object, optional, text } from "./read.ts"
import { used } from "./usage.ts"

const usageOf = (value: Json | undefined): ChatResponse["usage"] => {
  const counted = used(value)
  if (counted === undefined) return undefined
  const { _tag: _, ...usage } = counted
  return usage
}

const known = new Set([
  "content",
  "id",
  "model",
  "role",
  "stop_details",
  "stop_reason",
  "stop_sequence",
  "type",
  "usage"
])

/** The unknown fields of a message, as extras. */
export const responseExtras = (message: JsonObject) => keep(message, known)

/** Some compatible servers send calls without ids or inputs. */
const completed = (block: JsonObject, response: string, index: number): JsonObject => ({
  ...block,
  id: From.string(block["id"]) ?? madeUpId(response, 0, index),
  input: block["input"] ?? {}
})

const parts = (content: ReadonlyArray<Json>, response: string): ReadonlyArray<AssistantPart> => {
  let calls = 0
  return content.map((value, index) => {
    const block = object(value, at("content", index))
    return assistantPart(
      block["type"] === "tool_use" ? completed(block, response, calls++) : block,
      at("content", index)
    )
  })
}

const decode = (value: Json | undefined): ChatResponse => {
  const body = object(value, "")
  const id = From.string(body["id"])
  const stopSequence = optional(body, "stop_sequence", "", text)
  return {
    id,
    model: From.string(body["model"]),
    choices: [{
      content: parts(array(body["content"], "content"), id ?? "0"),
      finish: {
        ...finishOf(optional(body, "stop_reason", "", text) ?? "", stopSequence),
        ...keep({ stop_details: body["stop_details"] ?? null })
      }
    }],
    usage: usageOf(body["usage"]),
    ...responseExtras(body)
  }
}

/** Some servers send an error with the status of a success. */
const isError = (value: Json | undefined): boolean =>
  From.object(value)?.["type"] === "error" || From.isObject(From.object(value)?.["error"])

export const decodeResponse = (peer: Peer, response: HttpResponse): Result.Result<ChatResponse, ProviderError> => {
  const value = From.parse(response.body)
  if (response.status < 200 || response.status >= 300 || isError(value)) return Result.fail(classify(peer, response))
  return Result.mapError(
    catching(RequestInvalid, () => decode(value)),
    ({ detail, path }) => invalidResponse(peer, `${path || "what"} ${detail}`, response.body)
  )
}
