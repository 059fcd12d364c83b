import type { EmbeddingResponse } from "../../../Embedding.ts"
import type { JsonObject } from "../../../Json.ts"
import type { EmbeddingDelivery } from "../../../Protocol.ts"
import * as Floats from "../../json/floats.ts"
import * as Int8 from "../../json/int8.ts"
import { protocol } from "./extras.ts"
import { encodeUsage } from "./usage.ts"

export const encodeResponse = (
  { embeddings, extras, model, usage }: EmbeddingResponse,
  { encoding }: EmbeddingDelivery
): JsonObject => ({
  ...extras?.[protocol],
  object: "list",
  data: embeddings.map((vector, index) => ({
    object: "embedding",
    index,
    embedding: encoding === "float" ? vector : encoding === "base64" ? Floats.encode(vector) : Int8.encode(vector)
  })),
  model: model ?? "",
  ...(usage && { usage: encodeUsage(usage) })
})
