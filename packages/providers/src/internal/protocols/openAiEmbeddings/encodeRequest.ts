import type * as Result from "effect/Result"
import type { EmbeddingRequest } from "../../../Embedding.ts"
import type { JsonObject } from "../../../Json.ts"
import { type EmbeddingDelivery, type OnDropped, Unsupported } from "../../../Protocol.ts"
import { catching } from "../../json/catching.ts"
import * as From from "../../json/json.ts"
import { Crossing } from "../../model/crossing.ts"
import { protocol } from "./extras.ts"
import type { LackedField, Quirks } from "./quirks.ts"

export const encodeRequest = ({ dimensionsField, lacks, modelIn }: Quirks) =>
(
  { dimensions, extras, input, model, user }: EmbeddingRequest,
  { encoding }: EmbeddingDelivery,
  onDropped?: OnDropped
): Result.Result<JsonObject, Unsupported> =>
  catching(Unsupported, () => {
    const crossing = new Crossing(protocol, onDropped)
    const known = <Value>(field: LackedField, value: Value): Value | undefined => {
      if (value === undefined || !lacks.includes(field)) return value
      crossing.lacks(field, field)
      return undefined
    }
    return {
      ...crossing.own(extras, "request"),
      ...From.fields({
        model: modelIn === "body" ? model : undefined,
        input,
        [dimensionsField]: known("dimensions", dimensions),
        user: known("user", user),
        encoding_format: encoding
      })
    }
  })
