/**
 * The wire format of OpenAI's embeddings, both ways. Many other providers speak it as well.
 *
 * Pure: values go in and come out, and nothing else happens. Source: OpenAI's API reference for `POST /v1/embeddings`.
 *
 * Merges: one text, or the tokens of one, are a list of one; fields that are null are left out; numbers that travel as
 * base64 are rounded to 32-bit floats, which is what models compute with.
 */
import type * as Codec from "./Codec.ts"
import { bearer } from "./internal/headers.ts"
import { decodeRequest, decodeResponse, encodeRequest, encodeResponse, protocol } from "./internal/openAiEmbeddings.ts"
import { encodeError } from "./internal/openAiEncodeError.ts"
import { classify } from "./internal/openAiErrors.ts"
import { limits } from "./internal/openAiLimits.ts"

export const codec: Codec.EmbeddingCodec = {
  protocol,
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
