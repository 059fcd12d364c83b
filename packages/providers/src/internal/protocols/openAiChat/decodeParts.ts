import type {
  AssistantPart,
  FilePart,
  ImagePart,
  ReasoningPart,
  Source,
  TextPart,
  UserPart
} from "../../../ChatRequest.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import * as DataUrl from "../../http/dataUrl.ts"
import { isObject, others, present } from "../../json/json.ts"
import { extrasOf, protocol, thinkingName } from "./extras.ts"
import { read } from "./read.ts"

const source = (url: string): Source => DataUrl.parse(url) ?? { url }

const textPart = (part: JsonObject, path: string): TextPart => ({
  type: "text",
  text: read.string(part["text"], `${path}.text`),
  ...extrasOf(part, knownInText)
})

const knownInText = new Set(["type", "text"])
const knownInImage = new Set(["type", "image_url"])
const knownInSound = new Set(["type", "input_audio"])
const knownInFile = new Set(["type", "file"])

const knownInImageUrl = new Set(["url", "detail"])
const knownInInputAudio = new Set(["data", "format"])

/** The unknown fields inside of a field. */
const nested = (name: string, value: JsonObject, known: ReadonlySet<string>): JsonObject => {
  const unknown = others(value, known)
  return unknown === undefined ? {} : { [name]: unknown }
}

/** Mistral also accepts the URL alone. */
const imagePart = (part: JsonObject, path: string): ImagePart => {
  const given = part["image_url"]
  const image = typeof given === "string" ? { url: given } : read.object(given, `${path}.image_url`)
  return present({
    type: "image" as const,
    source: source(read.string(image["url"], `${path}.image_url.url`)),
    detail: read.optional(image["detail"], (value) => read.string(value, `${path}.image_url.detail`)),
    ...extrasOf({ ...others(part, knownInImage), ...nested("image_url", image, knownInImageUrl) }, new Set())
  })
}

const soundPart = (part: JsonObject, path: string): FilePart => {
  const sound = read.object(part["input_audio"], `${path}.input_audio`)
  const format = read.name(sound["format"], `${path}.input_audio.format`)
  return {
    type: "file",
    source: {
      mediaType: format === "mp3" ? "audio/mpeg" : `audio/${format}`,
      data: read.string(sound["data"], `${path}.input_audio.data`)
    },
    ...extrasOf({ ...others(part, knownInSound), ...nested("input_audio", sound, knownInInputAudio) }, new Set())
  }
}

/** OpenRouter accepts the URL of a file in place of its data. */
const fileSource = (data: string): Source =>
  /^https?:/i.test(data) ? { url: data } : DataUrl.parse(data) ?? { mediaType: "application/octet-stream", data }

const filePart = (part: JsonObject, path: string): FilePart => {
  const file = read.object(part["file"], `${path}.file`)
  const id = read.optional(file["file_id"], (value) => read.name(value, `${path}.file.file_id`))
  const data = read.optional(file["file_data"], (value) => read.string(value, `${path}.file.file_data`))
  if (id === undefined && data === undefined) return read.fail(`${path}.file`, "must have a file_id or file_data")
  return present({
    type: "file" as const,
    source: id === undefined ? fileSource(data ?? "") : { fileId: id, protocol },
    name: read.optional(file["filename"], (value) => read.string(value, `${path}.file.filename`)),
    ...extrasOf(part, knownInFile)
  })
}

const typeOf = (part: JsonObject, path: string): string => read.name(part["type"], `${path}.type`)

export const userPart = (value: Json, path: string): UserPart => {
  const part = read.object(value, path)
  switch (typeOf(part, path)) {
    case "text":
      return textPart(part, path)
    case "image_url":
      return imagePart(part, path)
    case "input_audio":
      // Mistral's form has no format.
      return typeof part["input_audio"] === "string"
        ? { type: "native", protocol, value: part }
        : soundPart(part, path)
    case "file":
      return filePart(part, path)
    default:
      return { type: "native", protocol, value: part }
  }
}

/** Mistral's thinking, if it has only texts. */
const thinkingPart = (part: JsonObject): ReasoningPart | undefined => {
  const { thinking, type: _, ...rest } = part
  const texts = Array.isArray(thinking) ? thinking.map(plainText) : [undefined]
  if (!texts.every((text) => text !== undefined)) return undefined
  return { type: "reasoning", text: texts.join(""), extras: { [protocol]: { ...rest, name: thinkingName } } }
}

const plainText = (value: Json): string | undefined =>
  isObject(value) && value["type"] === "text" && typeof value["text"] === "string" ? value["text"] : undefined

export const assistantPart = (value: Json, path: string): AssistantPart => {
  const part = read.object(value, path)
  switch (typeOf(part, path)) {
    case "text":
      return textPart(part, path)
    case "thinking":
      return thinkingPart(part) ?? { type: "native", protocol, value: part }
    case "refusal":
      return { type: "refusal", text: read.string(part["refusal"], `${path}.refusal`) }
    default:
      return { type: "native", protocol, value: part }
  }
}

export const systemPart = (value: Json, path: string): TextPart => {
  const part = read.object(value, path)
  return typeOf(part, path) === "text" ? textPart(part, path) : read.fail(`${path}.type`, "must be \"text\"")
}

const isPlain = (
  part: { readonly type: string } | undefined
): part is { readonly type: "text"; readonly text: string } => part?.type === "text" && !("extras" in part)

/** One plain text part becomes a string. */
export const content = <P extends { readonly type: string }>(
  value: Json | undefined,
  path: string,
  part: (value: Json, path: string) => P
): string | ReadonlyArray<P> => {
  if (typeof value === "string") return value
  const parts = read.array(value, path).map((value, index) => part(value, `${path}[${index}]`))
  const first: { readonly type: string } | undefined = parts[0]
  return parts.length === 1 && isPlain(first) ? first.text : parts
}
