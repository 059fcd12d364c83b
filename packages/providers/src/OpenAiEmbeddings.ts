/**
 * The wire format of OpenAI's embeddings, both ways. Many other providers speak it as well.
 *
 * Pure: values go in and come out, and nothing else happens. Source: OpenAI's API reference for `POST /v1/embeddings`.
 *
 * Merges: one text, or the tokens of one, are a list of one; fields that are null are left out; numbers that travel as
 * base64 are rounded to 32-bit floats, which is what models compute with.
 */
import { classify } from "./internal/protocols/openAi/decodeError.ts"
import { encodeError, notFound } from "./internal/protocols/openAi/encodeError.ts"
import { limits } from "./internal/protocols/openAi/limits.ts"
import { decodeRequest } from "./internal/protocols/openAiEmbeddings/decodeRequest.ts"
import { decodeResponse } from "./internal/protocols/openAiEmbeddings/decodeResponse.ts"
import { encodeRequest } from "./internal/protocols/openAiEmbeddings/encodeRequest.ts"
import { encodeResponse } from "./internal/protocols/openAiEmbeddings/encodeResponse.ts"
import { protocol as name } from "./internal/protocols/openAiEmbeddings/extras.ts"
import type * as Protocol from "./Protocol.ts"

export const protocol: Protocol.EmbeddingProtocol = {
  name,
  // None of its fields is missing in the canonical request.
  parameters: new Set(),
  // As OpenAI's own SDK asks.
  delivery: { encoding: "base64" },
  request: () => ({ method: "POST", path: "/embeddings", accept: "application/json" }),
  methodAt: (path) => path === "/embeddings" ? "POST" : undefined,
  encodeRequest,
  decodeRequest: ({ body }) => decodeRequest(body),
  decodeResponse,
  encodeResponse,
  classify,
  encodeError,
  notFound,
  limits
}
