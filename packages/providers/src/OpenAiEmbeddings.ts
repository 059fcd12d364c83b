/**
 * The wire format of OpenAI's embeddings, both ways. Many other providers speak it too.
 *
 * Pure: each function maps values to values. Source: OpenAI's API reference for `POST /v1/embeddings`.
 *
 * What is normalised:
 *
 * - One text, or the tokens of one text, is a list of one.
 * - Fields that are null are left out.
 * - Vectors in base64 are 32-bit floats, which is what models compute with.
 *
 * @experimental
 */

import { classify } from "./internal/protocols/openAi/decodeError.ts"
import { encodeError, notFound } from "./internal/protocols/openAi/encodeError.ts"
import * as Limits from "./internal/protocols/openAi/limits.ts"
import { modelAt, placeOf } from "./internal/protocols/openAi/place.ts"
import { decodeRequest } from "./internal/protocols/openAiEmbeddings/decodeRequest.ts"
import { decodeResponse } from "./internal/protocols/openAiEmbeddings/decodeResponse.ts"
import { encodeRequest } from "./internal/protocols/openAiEmbeddings/encodeRequest.ts"
import { encodeResponse } from "./internal/protocols/openAiEmbeddings/encodeResponse.ts"
import { protocol as name } from "./internal/protocols/openAiEmbeddings/extras.ts"
import * as Internal from "./internal/protocols/openAiEmbeddings/quirks.ts"
import type * as Protocol from "./Protocol.ts"

/** The differences between servers of this protocol. A provider declares its own. */
export type Quirks = Internal.Quirks

/** A form of this protocol. Its quirks are data. */
export interface OpenAiEmbeddings extends Protocol.EmbeddingProtocol {
  readonly quirks: Quirks
}

const path = "/embeddings"

/** The protocol of servers with these quirks. Default of each: OpenAI's. Throws a `RangeError` at an unknown quirk or value. */
export const make = (quirks: Partial<Quirks> = {}): OpenAiEmbeddings => {
  const all = Internal.complete(quirks)
  const decodeBody = decodeRequest(all)
  return {
    name,
    quirks: all,
    // The canonical request has all of its fields.
    parameters: new Set(),
    delivery: { encoding: all.encoding },
    request: (model) => ({ method: "POST", ...placeOf(all.modelIn, path, model), accept: "application/json" }),
    methodAt: (at) => modelAt(all.modelIn, path, at) === undefined ? undefined : "POST",
    encodeRequest: encodeRequest(all),
    decodeRequest: ({ body, path: at }) => decodeBody(body, modelAt(all.modelIn, path, at)),
    decodeResponse: decodeResponse(all),
    encodeResponse,
    classify,
    encodeError,
    notFound,
    limits: Limits.limits(all.limitHeaders),
    encodeLimits: Limits.encodeLimits(all.limitHeaders)
  }
}

/** The protocol of OpenAI's own server, and of most compatible ones. */
export const protocol: OpenAiEmbeddings = make()
