import * as Base64 from "effect/encoding/Base64"
import * as Result from "effect/Result"
import type { FilePart, ImagePart, TextPart, UserPart } from "../../../ChatRequest.ts"
import type { Json, JsonObject } from "../../../Json.ts"
import * as DataUrl from "../../http/dataUrl.ts"
import { fields, isObject, object } from "../../json/json.ts"
import { type Crossing, protocol, thinkingName } from "./extras.ts"
import type { Quirks } from "./quirks.ts"

type InMessage = "content" | "system"

export const text = (crossing: Crossing, { extras, text }: TextPart, place: InMessage = "content"): JsonObject => ({
  ...crossing.own(extras, place),
  type: "text",
  text
})

/** Thinking as Mistral has it. */
export const thinking = (text: string, extras: JsonObject): JsonObject => ({
  ...extras,
  type: "thinking",
  [thinkingName]: [{ type: "text", text }]
})

const image = (crossing: Crossing, { detail, extras, source }: Omit<ImagePart, "type">): JsonObject => {
  if ("fileId" in source) crossing.lacks("imageId")
  const url = "data" in source ? DataUrl.format(source) : "url" in source ? source.url : undefined
  const { image_url: unknown, ...own } = crossing.own(extras, "content")
  return { ...own, type: "image_url", image_url: { ...object(unknown), ...fields({ url, detail }) } }
}

/** OpenAI's names of sound formats that differ from the media type. */
const soundFormats: ReadonlyMap<string, string> = new Map([
  ["audio/mpeg", "mp3"],
  ["audio/mp3", "mp3"],
  ["audio/wav", "wav"],
  ["audio/wave", "wav"],
  ["audio/x-wav", "wav"]
])

/** The text of a file, since OpenAI rejects files of plain text. Undefined if it is none. */
const plainText = ({ data, mediaType }: DataUrl.Inline): string | undefined =>
  /^text\/plain\s*(;|$)/i.test(mediaType)
    ? Result.getOrUndefined(Base64.decodeString(data))
    : undefined

/** OpenAI rejects a file without a name. */
const extensions: ReadonlyMap<string, string> = new Map([
  ["application/pdf", "pdf"],
  ["application/json", "json"],
  ["application/msword", "doc"],
  ["application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"],
  ["application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"],
  ["application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx"],
  ["text/csv", "csv"],
  ["text/html", "html"],
  ["text/markdown", "md"]
])

const file = (quirks: Quirks, crossing: Crossing, { extras, name, source }: FilePart): JsonObject => {
  if ("data" in source && /^image\//i.test(source.mediaType)) {
    if (name !== undefined) crossing.lacks("fileName")
    return image(crossing, { source, extras })
  }
  const { input_audio: unknown, ...own } = crossing.own(extras, "content")
  if ("url" in source) {
    if (quirks.fileUrl === "unsupported") crossing.lacks("fileUrl")
    return { ...own, type: "file", file: fields({ file_data: source.url, filename: name }) }
  }
  if ("fileId" in source) {
    if (source.protocol !== undefined && source.protocol !== protocol) crossing.lacks("uploaded")
    return { ...own, type: "file", file: fields({ file_id: source.fileId, filename: name }) }
  }
  // Without its parameters, such as the codec.
  const mediaType = source.mediaType.replace(/\s*;.*$/s, "").toLowerCase()
  if (mediaType.startsWith("audio/")) {
    if (name !== undefined) crossing.lacks("fileName")
    const format = soundFormats.get(mediaType) ?? mediaType.slice("audio/".length)
    return { ...own, type: "input_audio", input_audio: { ...object(unknown), data: source.data, format } }
  }
  const text = plainText(source)
  if (text !== undefined) {
    return { ...own, type: "text", text: name === undefined ? text : `${name}\n\n${text}` }
  }
  const filename = name ?? `document.${extensions.get(source.mediaType) ?? "bin"}`
  return { ...own, type: "file", file: { file_data: DataUrl.format(source), filename } }
}

export const userPart = (
  quirks: Quirks,
  crossing: Crossing,
  part: UserPart,
  place: InMessage = "content"
): JsonObject => {
  switch (part.type) {
    case "text":
      return text(crossing, part, place)
    case "image":
      return image(crossing, part)
    case "file":
      return file(quirks, crossing, part)
    case "native":
      return part.value
  }
}

/** Fields of a spoken answer that a stream sends in pieces. */
const inPieces = new Set(["data", "transcript"])

const isText = (value: Json): value is string => typeof value === "string"
const isList = (value: Json): value is ReadonlyArray<Json> => Array.isArray(value)

const merge = (key: string, values: ReadonlyArray<Json>, depth: number): Json => {
  const [first = null] = values
  if (values.length === 1) return first
  if (values.every(isList)) return values.flat()
  if (depth > 0 && values.every(isObject)) return mergeFields(values, depth - 1)
  if (inPieces.has(key) && values.every(isText)) return values.join("")
  return values.at(-1) ?? first
}

/** Merges objects in order. Lists and objects are joined; of other values, the last one wins. */
export const mergeFields = (objects: ReadonlyArray<JsonObject>, depth = 1): JsonObject => {
  const found = new Map<string, Array<Json>>()
  for (const object of objects) {
    for (const [key, value] of Object.entries(object)) {
      if (value === null) continue
      const values = found.get(key)
      if (values === undefined) found.set(key, [value])
      else values.push(value)
    }
  }
  return Object.fromEntries([...found].map(([key, values]) => [key, merge(key, values, depth)]))
}
