import type * as Result from "effect/Result"
import type { EmbeddingRequest } from "../../../Embedding.ts"
import type { JsonObject } from "../../../Json.ts"
import { type EmbeddingDelivery, type OnDropped, Unsupported } from "../../../Protocol.ts"
import { catching } from "../../json/catching.ts"
import * as From from "../../json/json.ts"
import { Crossing } from "../../model/crossing.ts"
import { protocol } from "./extras.ts"
import type { Quirks } from "./quirks.ts"

export const encodeRequest = ({ dimensionsField, modelIn }: Quirks) =>
(
  { dimensions, extras, input, model, user }: EmbeddingRequest,
  { encoding }: EmbeddingDelivery,
  onDropped?: OnDropped
): Result.Result<JsonObject, Unsupported> =>
  catching(Unsupported, () => ({
    ...new Crossing(protocol, onDropped).own(extras, "request"),
    ...From.fields({
      model: modelIn === "body" ? model : undefined,
      input,
      [dimensionsField]: dimensions,
      user,
      encoding_format: encoding
    })
  }))
