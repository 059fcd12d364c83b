import * as Result from "effect/Result"
import type { EmbeddingRequest } from "../../../Embedding.ts"
import type { JsonObject } from "../../../Json.ts"
import type { EmbeddingDelivery, Unsupported } from "../../../Protocol.ts"
import * as From from "../../json/json.ts"
import { protocol } from "./extras.ts"
import type { Quirks } from "./quirks.ts"

export const encodeRequest = ({ dimensionsField, modelIn }: Quirks) =>
(
  { dimensions, extras, input, model, user }: EmbeddingRequest,
  { encoding }: EmbeddingDelivery
): Result.Result<JsonObject, Unsupported> =>
  Result.succeed({
    ...extras?.[protocol],
    ...From.fields({
      model: modelIn === "body" ? model : undefined,
      input,
      [dimensionsField]: dimensions,
      user,
      encoding_format: encoding
    })
  })
