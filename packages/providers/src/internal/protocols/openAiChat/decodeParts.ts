import type { AssistantPart, FilePart, ImagePart, Source, TextPart, UserPart } from "../../../ChatRequest.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import * as DataUrl from "../../http/dataUrl.ts"
import { present } from "../../json/json.ts"
import { extrasOf, protocol } from "./extras.ts"
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

const imagePart = (part: JsonObject, path: string): ImagePart => {
  const image = read.object(part["image_url"], `${path}.image_url`)
  return present({
    type: "image" as const,
    source: source(read.string(image["url"], `${path}.image_url.url`)),
    detail: read.optional(image["detail"], (value) => read.string(value, `${path}.image_url.detail`)),
    ...extrasOf(part, knownInImage)
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
    ...extrasOf(part, knownInSound)
  }
}

const filePart = (part: JsonObject, path: string): FilePart => {
  const file = read.object(part["file"], `${path}.file`)
  const id = read.optional(file["file_id"], (value) => read.name(value, `${path}.file.file_id`))
  const data = read.optional(file["file_data"], (value) => read.string(value, `${path}.file.file_data`))
  if (id === undefined && data === undefined) return read.fail(`${path}.file`, "must have a file_id or file_data")
  return present({
    type: "file" as const,
    source: id === undefined
      ? DataUrl.parse(data ?? "") ?? { mediaType: "application/octet-stream", data: data ?? "" }
      : { fileId: id },
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
      return soundPart(part, path)
    case "file":
      return filePart(part, path)
    default:
      return { type: "native", protocol, value: part }
  }
}

export const assistantPart = (value: Json, path: string): AssistantPart => {
  const part = read.object(value, path)
  switch (typeOf(part, path)) {
    case "text":
      return textPart(part, path)
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
