import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"
import type { FilePart, ImagePart, Source } from "../../../ChatRequest.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import * as From from "../../json/json.ts"
import { unsupported } from "./extras.ts"

const isPlainText = (mediaType: string): boolean => /^text\/plain\s*(;|$)/i.test(mediaType)

/** Plain text stands as it is; all else is base64. */
const plainText = (data: string): JsonObject => ({
  type: "text",
  media_type: "text/plain",
  data: Result.getOrElse(Base64.decodeString(data), () => unsupported("a plain text file that is not base64"))
})

/** Where an image or a document comes from, as the protocol says it. */
export const encodeSource = ({ source, type }: ImagePart | FilePart): JsonObject => {
  if ("url" in source) return { type: "url", url: source.url }
  if ("fileId" in source) return { type: "file", file_id: source.fileId }
  const { data, mediaType } = source
  if (/^(audio|video)\//i.test(mediaType)) return unsupported(`a file of the type ${mediaType}`)
  return type === "file" && isPlainText(mediaType)
    ? plainText(data)
    : { type: "base64", media_type: mediaType, data }
}

/** Undefined where it is none that the model has. */
export const decodeSource = (value: Json | undefined): Source | undefined => {
  const source = From.object(value)
  const [url, fileId, mediaType] = [source?.["url"], source?.["file_id"], source?.["media_type"]]
  const data = source?.["data"]
  switch (source?.["type"]) {
    case "url":
      return typeof url === "string" ? { url } : undefined
    case "file":
      return typeof fileId === "string" ? { fileId } : undefined
    case "base64":
      return typeof mediaType === "string" && typeof data === "string" ? { mediaType, data } : undefined
    case "text":
      return typeof data === "string" ? { mediaType: "text/plain", data: Base64.encode(data) } : undefined
    default:
      return undefined
  }
}
