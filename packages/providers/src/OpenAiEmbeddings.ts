/**
 * The wire format of OpenAI's embeddings, both ways. Many other providers speak it as well.
 *
 * Pure: values go in and come out, and nothing else happens. Source: OpenAI's API reference for `POST /v1/embeddings`.
 *
 * Merges: one text, or the tokens of one, are a list of one; fields that are null are left out; numbers that travel as
 * base64 are rounded to 32-bit floats, which is what models compute with.
 */
import { bearer } from "./internal/http/headers.ts"
import { classify } from "./internal/protocols/openAi/decodeError.ts"
import { encodeError } from "./internal/protocols/openAi/encodeError.ts"
import { limits } from "./internal/protocols/openAi/limits.ts"
import { decodeRequest } from "./internal/protocols/openAiEmbeddings/decodeRequest.ts"
import { decodeResponse } from "./internal/protocols/openAiEmbeddings/decodeResponse.ts"
import { encodeRequest } from "./internal/protocols/openAiEmbeddings/encodeRequest.ts"
import { encodeResponse } from "./internal/protocols/openAiEmbeddings/encodeResponse.ts"
import { protocol as name } from "./internal/protocols/openAiEmbeddings/extras.ts"
import type * as Protocol from "./Protocol.ts"

export const protocol: Protocol.EmbeddingProtocol = {
  name,
  path: "/embeddings",
  headers: (secret) => ({ authorization: `Bearer ${secret}` }),
  credential: bearer,
  encodeRequest,
  decodeRequest,
  decodeResponse,
  encodeResponse,
  classify,
  encodeError,
  limits
}
