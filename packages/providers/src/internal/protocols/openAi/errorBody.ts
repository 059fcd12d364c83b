import type { Json, JsonObject } from "../../../Json.ts"
import * as From from "../../json/json.ts"

/** The error object of a body. vLLM and Mistral send it as the body itself, and Google in a list. */
export const errorOf = (body: Json | undefined): JsonObject | undefined => {
  const answered = Array.isArray(body) ? From.object(body[0]) : From.object(body)
  const error = answered?.["error"]
  if (From.isObject(error)) return error
  const message = From.string(error)
  // xAI has the code beside the text of the error.
  if (message !== undefined) return { ...answered, message }
  return answered?.["object"] === "error" ? answered : undefined
}

const text = (message: Json | undefined): string | undefined => {
  if (typeof message === "string") return From.string(message)
  const details = From.isObject(message) ? message["detail"] : message
  if (!Array.isArray(details)) return undefined
  return From.string(
    details.map((detail) => From.string(From.object(detail)?.["msg"])).filter((text) => text !== undefined).join("; ")
  )
}

/** The error's message. FastAPI sends a list of them, one for each fault of a request. */
export const messageOf = (error: JsonObject | undefined): string | undefined =>
  text(error?.["message"]) ?? text(error?.["detail"])
