import type * as Result from "effect/Result"
import type { EmbeddingRequest } from "../../../Embedding.ts"
import type { Json } from "../../../Json.ts"
import { type EmbeddingDelivery, RequestInvalid } from "../../../Protocol.ts"
import { catching } from "../../json/catching.ts"
import * as From from "../../json/json.ts"
import { extrasOf } from "./extras.ts"
import type { Quirks } from "./quirks.ts"
import { read } from "./read.ts"

const tokens = (value: Json, path: string): ReadonlyArray<number> =>
  read.array(value, path).map((token, index) => read.count(token, `${path}[${index}]`))

/** One text, or the tokens of one text, is a list of one. */
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

const encodingFormat = ({ encoding }: Quirks) => (value: Json): EmbeddingDelivery["encoding"] =>
  value === "float" || value === "base64" || (value === "base64_int8" && value === encoding)
    ? value
    : read.fail("encoding_format", "must be float or base64")

const common = ["model", "input", "user", "encoding_format"]

const knownFields = {
  dimensions: new Set([...common, "dimensions"]),
  output_dimension: new Set([...common, "output_dimension"])
} satisfies Record<Quirks["dimensionsField"], ReadonlySet<string>>

/** `place`: the model that the path names, if any. */
export const decodeRequest = (quirks: Quirks) =>
(
  body: string,
  place = ""
): Result.Result<{ readonly request: EmbeddingRequest; readonly delivery: EmbeddingDelivery }, RequestInvalid> =>
  catching(RequestInvalid, () => {
    const { dimensionsField: dimensions } = quirks
    const parsed = From.parse(body)
    if (!From.isObject(parsed)) return read.fail("", "the body must be a JSON object")
    return {
      request: From.present({
        model: place === "" ? read.name(parsed["model"], "model") : place,
        input: input(parsed["input"]),
        dimensions: read.optional(parsed[dimensions], (value) => read.count(value, dimensions)),
        user: read.optional(parsed["user"], (value) => read.string(value, "user")),
        ...extrasOf(parsed, knownFields[dimensions])
      }),
      delivery: { encoding: read.optional(parsed["encoding_format"], encodingFormat(quirks)) ?? "float" }
    }
  })
